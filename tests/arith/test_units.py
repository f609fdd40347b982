"""Datapaths of arithmetic against their golden models: every pair, or very many operands."""

import numpy as np
import pytest

from sluice.arith import MultiplyAddUnit
from sluice.formats import FORMATS
from sluice_sim.bench.arith import float_words, special_words
from sluice_sim.golden.arith import multiply, multiply_add
from sluice_sim.golden.formats import find_format
from sluice_sim.sweep import sweep


def check_multiply_add(source, target, stages, flush, a, b, c):
    unit = MultiplyAddUnit(
        source=FORMATS[source], target=FORMATS[target], stages=stages, flush=flush
    )
    got = sweep(unit, {"a": a, "b": b, "c": c})
    want = multiply_add(a, b, c, source=source, addend=target, flush=flush)
    wrong = np.flatnonzero(got != want)
    assert not len(wrong), (
        f"{len(wrong)} of {len(a)} wrong: {a[wrong[0]]:x} * {b[wrong[0]]:x} + {c[wrong[0]]:x} is "
        f"{want[wrong[0]]:x}, not {got[wrong[0]]:x}"
    )


def addends(source, target, rng, a, b):
    """Return addends, half of which all but cancel the product."""
    number = find_format(target)
    near = multiply(a, b, source=source, target=target) ^ np.uint64(1 << number.width - 1)
    near = near.astype(np.int64) + (rng.integers(-3, 4, len(a)) << rng.integers(0, 8, len(a)))
    near &= (1 << number.width) - 1
    return np.where(
        rng.random(len(a)) < 0.5, near.astype(np.uint64), float_words(number, rng, len(a))
    )


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("fp8_e4m3", "fp8_e4m3"),
        ("fp8_e4m3", "fp32"),
        ("fp8_e5m2", "fp8_e5m2"),
        ("fp8_e5m2", "fp16"),
    ],
)
def test_every_pair_of_fp8(source, target, flush):
    rng = np.random.default_rng(1)
    a, b = (v.ravel() for v in np.mgrid[:256, :256].astype(np.uint64))
    check_multiply_add(source, target, 4, flush, a, b, addends(source, target, rng, a, b))


@pytest.mark.slow
@pytest.mark.parametrize("stages", [0, 16])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("bf16", "fp32"),
        ("fp16", "fp32"),
        ("fp16", "fp16"),
        ("tf32", "fp32"),
        ("fp32", "fp32"),
    ],
)
def test_a_million(source, target, stages):
    rng = np.random.default_rng(2)
    number, total = find_format(source), find_format(target)
    a, b = float_words(number, rng, 10**6), float_words(number, rng, 10**6)
    c = addends(source, target, rng, a, b)
    special = np.meshgrid(special_words(number), special_words(number), special_words(total))
    a, b, c = (np.concatenate([v, s.ravel()]) for v, s in zip((a, b, c), special, strict=True))
    check_multiply_add(source, target, stages, False, a, b, c)
