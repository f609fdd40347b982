"""Datapaths of arithmetic against their golden models: every word of fp8, or a million operands."""

from typing import Any

import numpy as np
import pytest

from sluice.arith.elementwise import Elementwise
from sluice.catalogue import CATALOGUE, find_block, load
from sluice_sim.sweep import sweep

FP8 = ("fp8_e4m3", "fp8_e5m2")
OPERATIONS = [
    ("add", {}),
    ("multiply", {}),
    ("multiply_add", {}),
    ("divide", {}),
    ("compare", {}),
    ("extreme", {"operation": "maximum"}),
    ("extreme", {"operation": "minimum_number"}),
    ("square_root", {}),
    ("reciprocal_square_root", {}),
]
ARITH = [e.name for e in CATALOGUE.values() if issubclass(e.cls, Elementwise)]


def check(name, parameters, make):
    """Compare what the unit of a block makes of operands with what its bench expects."""
    entry = find_block(name)
    block: Any = entry.make(**parameters)
    bench = load(entry.bench)(block)
    operands = make(bench)
    words = {name: bench.joined(v) for name, v in operands.items()}
    unit, want = block.make_unit(), bench.golden(operands)
    lead = getattr(unit, "random_lead", 0) if hasattr(unit, "random") else 0
    given = {name: np.concatenate([v, v[:lead]]) for name, v in words.items()}
    if hasattr(unit, "random"):
        random = bench.random(len(want))
        given["random"] = np.concatenate([random[:lead], random])
    got = sweep(unit, given)[: len(want)]
    wrong = np.flatnonzero(got != want)
    if len(wrong):
        k = wrong[0]
        shown = ", ".join(f"{n} = {v[k]:x}" for n, v in words.items())
        pytest.fail(f"{len(wrong)} of {len(got)} wrong: {shown} gives {got[k]:x}, not {want[k]:x}")


def check_every_word(name, number, parameters, flush):
    declared = {p.name for p in find_block(name).cls.PARAMETERS}
    formats = {p: number for p in ("source", "target") if p in declared}

    def every_word(bench):
        words = np.arange(256, dtype=np.uint64)
        axes = np.meshgrid(words, words) if len(bench.numbers) > 1 else [words]
        grid = dict(zip(bench.numbers, (axis.ravel() for axis in axes), strict=False))
        if "c" in bench.numbers:
            grid["c"] = bench.addends(grid["a"], grid["b"], np.random.default_rng(1))
        return grid

    check(name, {**parameters, **formats, "flush": flush, "stages": 2}, every_word)


@pytest.mark.parametrize(("number", "flush"), [(FP8[0], False), (FP8[1], True)])
@pytest.mark.parametrize(("name", "parameters"), OPERATIONS)
def test_every_word(name, parameters, number, flush):
    check_every_word(name, number, parameters, flush)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "flush"), [(FP8[0], True), (FP8[1], False)])
@pytest.mark.parametrize(("name", "parameters"), OPERATIONS)
def test_every_other_word(name, parameters, number, flush):
    check_every_word(name, number, parameters, flush)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "preset"), [(name, preset) for name in ARITH for preset in find_block(name).presets]
)
def test_a_million(name, preset):
    parameters = find_block(name).presets[preset]
    check(name, parameters, lambda bench: bench.values(np.random.default_rng(2), 10**6))
