"""Bench of exact accumulation: packets of all lengths, sums of all sizes."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice_sim.bench.arith import float_words, special_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats
from sluice_sim.golden.arith import float_format
from sluice_sim.golden.arith_exact import Kulisch, dot, kulisch_round
from sluice_sim.golden.formats import FloatFormat, decode

__all__ = ["AccumulateExactBench"]

Words = NDArray[np.uint64]


class AccumulateExactBench(Bench):
    """Packets whose products are of all sizes, cancel, are not finite, or fill the whole sum."""

    def __init__(self, block: Any):
        super().__init__(block)
        self.source, self.other = float_format(block.source), float_format(block.other)
        self.lows = [_lowest(n) for n in (self.source, self.other)]
        self.quantum = Fraction(2) ** sum(self.lows)

    def golden(self, a: Words, b: Words) -> int:
        """Return the result of one packet."""
        block = self.block
        kwargs = {"source": block.source, "other": block.other, "addend": block.target}
        if len(a) <= block.terms:
            return int(dot(a, b, 0, **kwargs))
        # More than the sum holds: what it is modulo its range. Both formats have the smallest
        # product in E5M2, the finer one.
        total = sum(
            int(Fraction(x) * Fraction(y) / self.quantum)
            for x, y in zip(
                decode(a, block.source).tolist(), decode(b, block.other).tolist(), strict=True
            )
        )
        half = 1 << block.width - 1
        wrapped = (total + half) % (2 * half) - half
        finest = Kulisch("fp8_e5m2").lsb
        wrapped *= int(self.quantum / Fraction(2) ** finest)
        return int(kulisch_round(np.array(wrapped, object), source="fp8_e5m2", target=block.target))

    def too_long(self) -> int:
        """Return the length of a packet that overflows, where one can be sent."""
        length = 3 * self.block.terms
        return length if length <= 120 * self.block.lanes else 0

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        packets = {"random": self.random, "extremes": self.extremes, "rate": self.full}[kind](rng)
        inputs: dict[str, list[Word]] = {"a": [], "b": []}
        expected: list[int] = []
        self.ends: list[int] = []
        for a, b in packets:
            for name, words in (("a", a), ("b", b)):
                inputs[name] += [Word(word) for word in beats(self.shapes[name], words.tolist())]
            self.ends.append(len(inputs["a"]) - 1)
            expected += beats(self.shapes["o"], [self.golden(a, b)])
        uneven = kind == "random"
        overflow = kind == "extremes" and bool(self.too_long())
        if uneven:
            # What b says of the beat does not count.
            k = int(rng.integers(len(inputs["b"])))
            beat = self.shapes["b"]
            bit = beat.data_bits + int(rng.integers(beat.lanes + 1))
            inputs["b"][k] = Word(inputs["b"][k].payload ^ 1 << bit)
        return Scenario(inputs, {"o": expected}, {"status": uneven | overflow << 1})

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        return zip(self.ends, range(outputs), strict=True)

    def limit(self, beats_at_most: int) -> int:
        """Return how long a packet may be."""
        return min(self.block.terms, beats_at_most * self.block.lanes)

    def finite(self, words: Words, number: Any) -> Words:
        magnitude = words & np.uint64((1 << number.width - 1) - 1)
        lower = words ^ np.uint64(1 << number.mantissa_bits)
        return np.where(magnitude > number.max_code, lower, words)

    def packet(self, rng: np.random.Generator, length: int) -> tuple[Words, Words]:
        """Return a packet, most often finite, and often one of which much cancels."""
        a, b = (float_words(n, rng, length) for n in (self.source, self.other))
        if rng.random() < 0.8:
            a, b = self.finite(a, self.source), self.finite(b, self.other)
        half = length // 2
        if half and rng.random() < 0.5:
            a[half : 2 * half] = a[:half] ^ np.uint64(1 << self.source.width - 1)
            b[half : 2 * half] = b[:half]
            b[rng.integers(length)] ^= np.uint64(1)
            order = rng.permutation(length)
            a, b = a[order], b[order]
        return a, b

    def random(self, rng: np.random.Generator) -> list[tuple[Words, Words]]:
        longest = self.limit(6)
        return [self.packet(rng, int(n)) for n in rng.integers(0, longest + 1, 50)]

    def full(self, rng: np.random.Generator) -> list[tuple[Words, Words]]:
        lanes = self.block.lanes
        lengths = rng.integers(1, max(1, self.limit(4) // lanes) + 1, 20) * lanes
        return [self.packet(rng, int(n)) for n in lengths]

    def extremes(self, rng: np.random.Generator) -> list[tuple[Words, Words]]:
        found: list[tuple[Words, Words]] = []
        one = np.ones(1, np.uint64)
        for length in (0, 1, self.limit(1), self.limit(40)):
            for sign in (0, 1 << self.source.width - 1):
                # The largest sums of either sign, the smallest ones, and sums of zeros.
                for x, y in (
                    (self.source.max_code, self.other.max_code),
                    (1, 1),
                    (0, 0),
                    (self.source.max_code, 1),
                ):
                    a, b = (one * np.uint64(x | sign)).repeat(length), one.repeat(length) * y
                    found.append((a, b.astype(np.uint64)))
        if length := self.too_long():
            a, b = (np.full(length, n.max_code, np.uint64) for n in (self.source, self.other))
            found.append((a, b))
        special = [special_words(n) for n in (self.source, self.other)]
        for _ in range(60):
            length = int(rng.integers(1, min(4, self.limit(2)) + 1))
            a, b = (rng.choice(s, length) for s in special)
            found.append((a, b))
            # One large product, one smallest of all, and again the large one taken away.
            if self.block.terms >= 3:
                x, y = (self.finite(w[:1], n) for w, n in ((a, self.source), (b, self.other)))
                top = np.uint64(1 << self.source.width - 1)
                a = np.concatenate([x, one, x ^ top])
                found.append((a, np.concatenate([y, one, y])))
        return found + self.ties(rng)

    def ties(self, rng: np.random.Generator) -> list[tuple[Words, Words]]:
        """Return sums half way between two results but for one bit, of any weight, or for none."""
        target, lows = float_format(self.block.target), self.lows
        highs = [_highest(n) for n in (self.source, self.other)]
        last, most = _lowest(target), min(sum(highs), _highest(target))
        found: list[tuple[Words, Words]] = []
        for _ in range(300):
            top = int(rng.integers(max(sum(lows), last) + 2, most + 1))
            half = max(top - target.mantissa_bits, last) - 1
            bits = [top, *(k for k in range(half + 1, top) if rng.random() < 0.5), half]
            if half > sum(lows) and rng.random() < 0.9:
                bits.append(int(rng.integers(sum(lows), half)))
            if half < sum(lows) or len(bits) > self.block.terms:
                continue
            b = np.subtract(bits, highs[0]), np.subtract(bits, lows[0])
            b = rng.integers(np.maximum(b[0], lows[1]), np.minimum(b[1], highs[1]) + 1)
            words = [_powers(self.source, bits - b), _powers(self.other, b)]
            words[0][-1] ^= np.uint64(int(rng.integers(2)) << self.source.width - 1)
            words[0] ^= np.uint64(int(rng.integers(2)) << self.source.width - 1)
            order = rng.permutation(len(bits))
            found.append((words[0][order], words[1][order]))
        return found


def _lowest(number: FloatFormat) -> int:
    """Return the exponent of the smallest number there is."""
    return 1 - number.bias - number.mantissa_bits


def _highest(number: FloatFormat) -> int:
    """Return the exponent of the largest number."""
    return (number.max_code >> number.mantissa_bits) - number.bias


def _powers(number: FloatFormat, exponents: Any) -> Words:
    """Return two to each of the exponents."""
    biased = np.asarray(exponents) + number.bias
    small = 1 << np.maximum(biased - 1 + number.mantissa_bits, 0)
    return np.where(biased > 0, biased << number.mantissa_bits, small).astype(np.uint64)
