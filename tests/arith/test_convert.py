"""Conversion from and to fixed point: every word of 16 bits, and the casts of NumPy."""

from typing import Any

import numpy as np
import pytest

from sluice.catalogue import find_block
from sluice_sim.golden.arith_convert import convert
from sluice_sim.golden.formats import FloatFormat, decode, find_format
from sluice_sim.sweep import sweep

FLOATS = ("fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2")
FIXED = ("int4", "int8", "int16", "int32", "fixed2.2", "fixed12.3", "fixed32.32")


def words_of(name: str) -> Any:
    """Return all words of a narrow format, and of a wide one those with a random fraction."""
    number = find_format(name)
    if number.width <= 8:
        return np.arange(1 << number.width, dtype=np.uint64)
    rng = np.random.default_rng(1)
    words = rng.integers(0, 1 << number.width, 4000, dtype=np.uint64)
    if isinstance(number, FloatFormat):
        exponent = rng.integers(number.bias - 36, number.bias + 36, 4000).clip(0, 2 * number.bias)
        mask = ~np.uint64((2 * number.bias + 1) << number.mantissa_bits)
        moved = words & mask | exponent.astype(np.uint64) << np.uint64(number.mantissa_bits)
        # Few bits set below the leading one: ties.
        ties = moved & (np.uint64((1 << 64) - 1) << rng.integers(0, 23, 4000, np.uint64))
        return np.concatenate([words, moved, ties & np.uint64((1 << number.width) - 1)])
    small = words >> rng.integers(0, number.width, 4000).astype(np.uint64)
    ends = np.array([0, 1, (1 << number.width - 1) - 1, 1 << number.width - 1], np.uint64)
    return np.concatenate([words, small, ends])


def check(source: str, target: str, *, flush: bool = False) -> None:
    block: Any = find_block("convert").make(source=source, target=target, stages=0, flush=flush)
    words = words_of(source)
    got = sweep(block.make_unit(), {"a": words})
    want = convert(words, source=source, target=target, flush=flush)
    wrong = np.flatnonzero(got != want)
    assert not len(wrong), (
        f"{words[wrong[0]]:x} gives {got[wrong[0]]:x}, not {want[wrong[0]]:x}, of {len(wrong)}"
    )


@pytest.mark.parametrize("target", FIXED)
@pytest.mark.parametrize("source", FLOATS)
def test_floats_to_fixed_point(source, target):
    check(source, target)


@pytest.mark.parametrize("target", FLOATS)
@pytest.mark.parametrize("source", FIXED)
def test_fixed_point_to_floats(source, target):
    check(source, target)


@pytest.mark.parametrize("target", FLOATS)
@pytest.mark.parametrize("source", ["fp32", "tf32", "bf16", "fp16"])
def test_floats_to_narrower_floats(source, target):
    check(source, target)


@pytest.mark.parametrize(("source", "target"), [("fp8_e5m2", "fixed32.32"), ("fp16", "fixed32.32")])
def test_flush(source, target):
    check(source, target, flush=True)
    flushed = convert([1], source=source, target=target, flush=True)
    assert flushed.tolist() == [0]
    assert convert([1], source=source, target=target).tolist() != [0]


@pytest.mark.parametrize("width", [8, 16, 32])
def test_golden_against_numpy(width):
    """Rounded by NumPy in float64, and held to the range of the integer."""
    words = words_of("fp32")
    values = decode(words, "fp32")
    ends = np.iinfo(f"int{width}")
    want = np.clip(np.rint(np.nan_to_num(values, nan=0.0)), ends.min, ends.max).astype(np.int64)
    got = convert(words, source="fp32", target=f"int{width}").astype(np.int64)
    assert (got << 64 - width >> 64 - width).tolist() == want.tolist()


def test_two_formats_of_fixed_point():
    with pytest.raises(ValueError, match="target must be floating point for int8, not int32"):
        find_block("convert").make(source="int8", target="int32")
