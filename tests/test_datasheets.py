"""Datasheets are what the catalogue and the kept measurements make of them, and those are fresh."""

import importlib.metadata
import json
import tomllib
from pathlib import Path

import datasheets
import pytest

from sluice.catalogue import CATALOGUE
from sluice.datasheet import fingerprint

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "boards/sluice_boards/results"
MUTANTS = ROOT / "sim/sluice_sim/results"
ENTRIES = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=list(CATALOGUE))


@ENTRIES
def test_datasheet_is_fresh(entry):
    path = ROOT / f"docs/datasheets/{entry.name}.md"
    assert path.read_text() == datasheets.text_of(entry), "run scripts/datasheets"


def test_table_of_the_readme_is_fresh():
    assert (ROOT / "README.md").read_text() == datasheets.readme_text(), "run scripts/datasheets"


def test_no_datasheet_is_left_over():
    assert {p.stem for p in (ROOT / "docs/datasheets").glob("*.md")} == set(CATALOGUE)


@ENTRIES
def test_measurements_are_of_this_netlist(entry):
    records = json.loads((MEASURED / f"{entry.name}.json").read_text())
    assert [(r["preset"], r["device"]) for r in records] == list(entry.measured)
    for record in records:
        if record["amaranth"] == importlib.metadata.version("amaranth"):
            fresh = fingerprint(entry, entry.presets[record["preset"]])
            assert record["netlist"] == fresh, f"run scripts/measure {entry.name}"


@pytest.mark.parametrize("path", sorted(MEASURED.glob("parts/*.json")), ids=lambda p: p.stem)
def test_costs_of_parts_are_of_this_netlist(path):
    record, entry = json.loads(path.read_text()), CATALOGUE[path.stem]
    assert record["netlist"] == fingerprint(entry, {}), f"run {record['script']}"


@ENTRIES
def test_mutation_coverage(entry):
    """The bench rejects at least 95 % of the faulty netlists, and each survivor is explained.

    Of a preview it does not: one that does is no preview any more.
    """
    record = json.loads((MUTANTS / f"{entry.name}.json").read_text())
    if record["amaranth"] == importlib.metadata.version("amaranth"):
        assert record["netlist"] == fingerprint(entry, entry.mutants), "run scripts/mutants"
    assert record["killed"] + record["survived"] >= min(20, record["faults"])
    why = tomllib.loads((MUTANTS / "survivors.toml").read_text()).get(entry.name, {})
    enough = record["score"] >= 0.95 and set(record["survivors"]) <= set(why)
    assert enough is not entry.preview
