"""What is kept of the arrays' area and speed is of these arrays, and in the documentation."""

import importlib.metadata
import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _script():
    path = ROOT / "scripts/array_area.py"
    spec = importlib.util.spec_from_file_location("array_area", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
RECORDS = json.loads(SCRIPT.KEPT.read_text())


def test_others_are_not_kept():
    assert set(RECORDS) <= set(SCRIPT.ARRAYS)


@pytest.mark.parametrize("name", list(RECORDS))
def test_measurements_are_of_this_netlist(name):
    record = RECORDS[name]
    if record["amaranth"] == importlib.metadata.version("amaranth"):
        fresh = SCRIPT.fingerprint(name)
        assert record["netlist"] == fresh, f"run scripts/array_area.py --only '{name}'"


def test_table_of_the_documentation_is_fresh():
    fresh = SCRIPT.docs_text(RECORDS)
    assert SCRIPT.DOCS.read_text() == fresh, "run scripts/array_area.py --table"
