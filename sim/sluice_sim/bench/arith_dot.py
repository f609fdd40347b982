"""Bench of the dot product."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice_sim.bench.arith import ElementwiseBench, float_words, special_words
from sluice_sim.bench.spec import Bench
from sluice_sim.golden.arith_exact import dot
from sluice_sim.golden.formats import FloatFormat, find_format

__all__ = ["DotBench"]

Words = NDArray[np.uint64]


class DotBench(ElementwiseBench):
    """Sums of which parts cancel; ``a`` and ``b`` have the shape ``(results, terms)``."""

    def __init__(self, block: Any):
        Bench.__init__(self, block)
        source, target = find_format(block.source), find_format(block.target)
        assert isinstance(source, FloatFormat)
        assert isinstance(target, FloatFormat)
        self.source, self.target = source, target

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        return dot(
            operands["a"],
            operands["b"],
            operands["c"],
            source=block.source,
            addend=block.target,
            flush=block.flush,
        )

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        shape = (count, self.block.terms)
        a, b = (float_words(self.source, rng, count * shape[1]).reshape(shape) for _ in range(2))
        # Without this, most sums of many terms were NaN.
        rare = rng.random(shape) > 1 / (4 * self.block.terms)
        a, b = (np.where(rare, self.finite(x), x) for x in (a, b))
        c = float_words(self.target, rng, count)
        top = np.uint64(1 << self.source.width - 1)
        for row in np.flatnonzero(rng.random(count) < 0.6).tolist():
            # One product against another, moved a little or not at all, or against the addend.
            i, j = rng.integers(self.block.terms, size=2).tolist()
            if i != j:
                a[row, i], b[row, i] = a[row, j] ^ top, b[row, j] ^ np.uint64(rng.integers(2))
            if rng.random() < 0.5:
                rest = dot(a[row], b[row], 0, source=self.block.source, addend=self.block.target)
                flip = 1 << self.target.width - 1
                c[row] = int(rest) ^ flip ^ int(rng.integers(4))
        return {"a": a, "b": b, "c": c}

    def finite(self, words: Words) -> Words:
        """Return words with a bit of the exponent cleared where they are no finite numbers."""
        number = self.source
        magnitude = words & np.uint64((1 << number.width - 1) - 1)
        lower = words ^ np.uint64(1 << number.mantissa_bits)
        return np.where(magnitude > number.max_code, lower, words)

    def extremes(self, rng: np.random.Generator) -> dict[str, Words]:
        count, terms = 200 * self.block.lanes, self.block.terms
        special = special_words(self.source)
        a, b = (rng.choice(special, (count, terms)) for _ in range(2))
        usual = rng.random((count, 1)) < 0.7
        a, b = (np.where(usual, self.finite(x), x) for x in (a, b))
        same = rng.random(count) < 0.2
        a[same], b[same] = a[same, :1], b[same, :1]
        return {"a": a, "b": b, "c": rng.choice(special_words(self.target), count)}

    def payloads(self, beat: Any, words: Words, frames: list[int]) -> list[int]:
        if words.ndim == 2:
            width = self.source.width
            rows = [sum(v << (width * k) for k, v in enumerate(row)) for row in words.tolist()]
            words = np.array(rows, object)
        return super().payloads(beat, words, frames)
