"""Arithmetic on 8 bits, with every set of operands there is."""

import pytest

from sluice.catalogue import find_block
from sluice_sim.runner import run_bench

NAMES = (
    "add",
    "multiply",
    "compare",
    "extreme",
    "divide",
    "square_root",
    "reciprocal_square_root",
)


@pytest.mark.slow
@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("number", ["fp8_e4m3", "fp8_e5m2"])
@pytest.mark.parametrize("name", NAMES)
def test_every_word(name, number, flush, monkeypatch):
    monkeypatch.setenv("SLUICE_EVERY", "4096")
    entry = find_block(name)
    parameters = {"source": number, "target": number, "lanes": 16, "stages": 2, "flush": flush}
    known = {parameter.name for parameter in entry.cls.PARAMETERS}
    parameters = {key: value for key, value in parameters.items() if key in known}
    result = run_bench(entry, parameters, only=["extremes"])
    assert result.ok, f"{result.failures}, see {result.folder}"
    assert result.passed
