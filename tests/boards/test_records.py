"""What is kept of parts' area and speed is of these parts, and in the documentation."""

import importlib.metadata

import array_area
import pytest
import unit_area

from sluice_boards.records import fingerprint, load_records

ARRAYS, UNITS = load_records(array_area.KEPT), load_records(unit_area.KEPT)
PARTS = [
    *(pytest.param(n, array_area.make, r, "array_area", id=n) for n, r in ARRAYS.items()),
    *(pytest.param(n, unit_area.make, r, "unit_area", id=n) for n, r in UNITS.items()),
]


@pytest.mark.parametrize(("name", "make", "record", "script"), PARTS)
def test_measurements_are_of_this_netlist(name, make, record, script):
    if record["amaranth"] == importlib.metadata.version("amaranth"):
        fresh = fingerprint(make(name))
        assert record["netlist"] == fresh, f"run scripts/{script}.py --only '{name}'"


def test_others_are_not_kept():
    assert set(ARRAYS) <= set(array_area.ARRAYS)
    assert set(UNITS) <= set(unit_area.UNITS)


def test_tables_of_the_documentation_are_fresh():
    fresh = array_area.docs_text(ARRAYS)
    assert array_area.DOCS.read_text() == fresh, "run scripts/array_area.py --table"
    fresh = unit_area.docs_text(UNITS, ARRAYS)
    assert unit_area.DOCS.read_text() == fresh, "run scripts/unit_area.py --table"
