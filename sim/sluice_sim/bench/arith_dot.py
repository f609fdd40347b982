"""Bench of the dot product."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice_sim.bench.arith import ElementwiseBench, float_words, special_words
from sluice_sim.bench.spec import Bench
from sluice_sim.golden.arith_exact import dot, dot_integer
from sluice_sim.golden.formats import FixedFormat, FloatFormat, find_format

__all__ = ["DotBench"]

Words = NDArray[np.uint64]


class DotBench(ElementwiseBench):
    """Sums of which parts cancel; ``a`` and ``b`` have the shape ``(results, terms)``."""

    def __init__(self, block: Any):
        Bench.__init__(self, block)
        self.source, self.target = find_format(block.source), find_format(block.target)

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        a, b, c = operands["a"], operands["b"], operands["c"]
        if isinstance(self.source, FixedFormat):
            return dot_integer(a, b, c, source=block.source, target=block.target)
        return dot(a, b, c, source=block.source, addend=block.target, flush=block.flush)

    def integers(self, rng: np.random.Generator, count: int, *, ends: bool) -> dict[str, Words]:
        """Return words of any value, or of the ends of their ranges."""
        found: dict[str, Words] = {}
        for name, number in (("a", self.source), ("b", self.source), ("c", self.target)):
            shape = (count,) if name == "c" else (count, self.block.terms)
            top = 1 << number.width - 1
            words = rng.integers(0, 2 * top, shape, dtype=np.uint64)
            if ends:
                special = np.array([0, 1, top - 1, top, top + 1, 2 * top - 1], np.uint64)
                words = np.where(rng.random(shape) < 0.8, rng.choice(special, shape), words)
            found[name] = words
        if ends:
            # All products as large as can be, where only the sum's own width holds them.
            found["a"][:2] = found["b"][:2] = 1 << self.source.width - 1
        return found

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        shape = (count, self.block.terms)
        if isinstance(self.source, FixedFormat) or isinstance(self.target, FixedFormat):
            return self.integers(rng, count, ends=False)
        a, b = (float_words(self.source, rng, count * shape[1]).reshape(shape) for _ in range(2))
        # Without this, most sums of many terms were NaN.
        rare = rng.random(shape) > 1 / (4 * self.block.terms)
        a, b = (np.where(rare, self.finite(x), x) for x in (a, b))
        c = float_words(self.target, rng, count)
        top = np.uint64(1 << self.source.width - 1)
        # One product against another, moved a little or not at all, or against the addend.
        rows = np.flatnonzero(rng.random(count) < 0.6)
        i, j = rng.integers(self.block.terms, size=(2, rows.size))
        differ = i != j
        pairs, i, j = rows[differ], i[differ], j[differ]
        a[pairs, i] = a[pairs, j] ^ top
        b[pairs, i] = b[pairs, j] ^ rng.integers(2, size=pairs.size, dtype=np.uint64)
        rows = rows[rng.random(rows.size) < 0.5]
        rest = dot(
            a[rows],
            b[rows],
            np.zeros(rows.size, np.uint64),
            source=self.block.source,
            addend=self.block.target,
        )
        flip = np.uint64(1 << self.target.width - 1)
        c[rows] = rest ^ flip ^ rng.integers(4, size=rows.size, dtype=np.uint64)
        return {"a": a, "b": b, "c": c}

    def finite(self, words: Words) -> Words:
        """Return words with a bit of the exponent cleared where they are no finite numbers."""
        number = self.source
        assert isinstance(number, FloatFormat)
        magnitude = words & np.uint64((1 << number.width - 1) - 1)
        lower = words ^ np.uint64(1 << number.mantissa_bits)
        return np.where(magnitude > number.max_code, lower, words)

    def extremes(self, rng: np.random.Generator) -> dict[str, Words]:
        count, terms = 200 * self.block.lanes, self.block.terms
        if isinstance(self.source, FixedFormat) or isinstance(self.target, FixedFormat):
            return self.integers(rng, count, ends=True)
        special = special_words(self.source)
        a, b = (rng.choice(special, (count, terms)) for _ in range(2))
        usual = rng.random((count, 1)) < 0.7
        a, b = (np.where(usual, self.finite(x), x) for x in (a, b))
        same = rng.random(count) < 0.2
        a[same], b[same] = a[same, :1], b[same, :1]
        return {"a": a, "b": b, "c": rng.choice(special_words(self.target), count)}

    def joined(self, words: Words) -> Any:
        """Return the words of a row as one, the first in the low bits; ``c`` has one in a row."""
        if words.ndim == 1:
            return words
        width = self.source.width
        rows = [sum(v << (width * k) for k, v in enumerate(row)) for row in words.tolist()]
        return np.array(rows, object)
