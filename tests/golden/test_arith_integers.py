"""Sums of products of integers, and of two floating-point formats, against Python's numbers."""

from fractions import Fraction

import numpy as np
import pytest

from sluice_sim.golden.arith_exact import dot, dot_integer
from sluice_sim.golden.formats import decode


@pytest.mark.parametrize(("source", "bits"), [("int4", 4), ("int8", 8), ("int16", 16)])
def test_dot_of_integers(source, bits):
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 1 << bits, (2, 300, 9))
    c = rng.integers(0, 1 << 32, 300)
    a[0] = b[0] = 1 << bits - 1
    c[:2] = 0x7FFFFFFF, 0x80000000
    got = dot_integer(a, b, c, source=source)

    def value(word, width):
        return int(word) - (int(word) >> width - 1 << width)

    for k in range(300):
        total = value(c[k], 32) + sum(
            value(x, bits) * value(y, bits) for x, y in zip(a[k], b[k], strict=True)
        )
        assert int(got[k]) == total % 2**32


def test_dot_of_integers_needs_integers():
    with pytest.raises(ValueError, match="not fp16 and int32"):
        dot_integer([1], [1], 0, source="fp16")


def test_dot_of_two_formats():
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 0x78, (2, 200, 5))
    got = dot(a, b, np.zeros(200, int), source="fp8_e4m3", other="fp8_e5m2", addend="fp32")
    x, y = decode(a, "fp8_e4m3"), decode(b, "fp8_e5m2")
    for k in range(200):
        pairs = zip(x[k].tolist(), y[k].tolist(), strict=True)
        total = sum(Fraction(p) * Fraction(q) for p, q in pairs)
        assert got[k] == np.float32(float(total)).view(np.uint32)
