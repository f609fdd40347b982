"""Benches of elementwise arithmetic: values where something can go wrong, in every lane."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice_sim.bench.spec import Bench, Scenario, Word
from sluice_sim.golden.arith import multiply, multiply_add
from sluice_sim.golden.formats import FixedFormat, FloatFormat, find_format

__all__ = ["ElementwiseBench", "MultiplyAddBench", "float_words", "special_words"]

Words = NDArray[np.uint64]


def special_words(number: FloatFormat) -> Words:
    """Return, of both signs, zero, the ends of the subnormal and normal numbers, and no numbers."""
    one = number.bias << number.mantissa_bits
    least = 1 << number.mantissa_bits
    found = {0, 1, 2, least - 1, least, least + 1, one - 1, one, one + 1}
    found |= {number.max_code - 1, number.max_code, number.inf_code, number.nan_code}
    found |= {(1 << number.width - 1) - 1, least >> 1, 2 * least - 1}
    both = sorted(found) + [w | 1 << number.width - 1 for w in sorted(found)]
    return np.array(both, np.uint64)


def float_words(number: FloatFormat, rng: np.random.Generator, count: int) -> Words:
    """Return words of all kinds: any, special, subnormal, with few bits set, about one."""
    width, mantissa = number.width, number.mantissa_bits
    words = rng.integers(0, 1 << width, count, dtype=np.uint64)
    sign = words >> np.uint64(width - 1) << np.uint64(width - 1)
    fraction = words & np.uint64((1 << mantissa) - 1)
    exponent = rng.integers(-3, 4, count) + number.bias
    near = sign | exponent.astype(np.uint64) << np.uint64(mantissa) | fraction
    small = sign | fraction >> rng.integers(0, mantissa, count).astype(np.uint64)
    few = words & rng.integers(0, 1 << width, count, dtype=np.uint64)
    few &= rng.integers(0, 1 << width, count, dtype=np.uint64)
    special = rng.choice(special_words(number), count)
    kind = rng.choice(5, count, p=[0.3, 0.15, 0.1, 0.1, 0.35])
    return np.choose(kind, [words, special, small, few, near])


class ElementwiseBench(Bench):
    """All lanes of all beats, in packets of all lengths, also where operands' packets differ."""

    def __init__(self, block: Any):
        super().__init__(block)
        self.numbers = {name: find_format(str(f)) for name, f in block.operands.items()}

    def golden(self, operands: Mapping[str, Words]) -> Words:
        """Return the result of each set of operands."""
        raise NotImplementedError

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        """Return ``count`` sets of operands."""
        return {name: self.words(number, rng, count) for name, number in self.numbers.items()}

    def words(
        self, number: FloatFormat | FixedFormat, rng: np.random.Generator, count: int
    ) -> Words:
        if isinstance(number, FloatFormat):
            return float_words(number, rng, count)
        return rng.integers(0, 1 << number.width, count, dtype=np.uint64)

    def extremes(self, rng: np.random.Generator) -> dict[str, Words]:
        """Return every combination of special words, or many of them."""
        special = [
            special_words(number)
            if isinstance(number, FloatFormat)
            else np.array([0, 1, (1 << number.width - 1) - 1, 1 << number.width - 1], np.uint64)
            for number in self.numbers.values()
        ]
        every = np.stack([axis.ravel() for axis in np.meshgrid(*special)])
        chosen = rng.permutation(every.shape[1])[: 400 * self.block.lanes]
        return dict(zip(self.numbers, every[:, chosen], strict=True))

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        lanes = self.block.lanes
        if kind == "extremes":
            values = self.extremes(rng)
            values = {name: v[: len(v) // lanes * lanes] for name, v in values.items()}
        else:
            values = self.values(rng, (150 if kind == "random" else 60) * lanes)
        count = len(next(iter(values.values()))) // lanes
        frames = self.frames(kind, rng, count)
        # One beat of one operand is framed otherwise.
        odd = int(rng.integers(count)) if kind == "random" and len(values) > 1 else None
        inputs: dict[str, list[Word]] = {}
        for k, (name, words) in enumerate(values.items()):
            beat = self.shapes[name]
            sent = self.payloads(beat, words, frames)
            if odd is not None and k == len(values) - 1:
                sent[odd] ^= 1 << (beat.element_width * lanes + int(rng.integers(lanes + 1)))
            inputs[name] = [Word(word) for word in sent]
        expected = self.payloads(self.shapes["o"], self.golden(values), frames)
        signals = {"status": int(odd is not None)} if len(values) > 1 else {}
        return Scenario(inputs, {"o": expected}, signals)

    def frames(self, kind: str, rng: np.random.Generator, count: int) -> list[int]:
        """Return ``keep`` and ``last`` of each beat, side by side."""
        lanes = self.block.lanes
        full = (1 << lanes) - 1
        if kind == "rate":
            return [full] * (count - 1) + [full | 1 << lanes]
        ends = rng.random(count) < 0.3
        kept = [(1 << int(n)) - 1 for n in rng.integers(0, lanes + 1, count)]
        return [k | 1 << lanes if end else full for k, end in zip(kept, ends, strict=True)]

    def payloads(self, beat: Any, words: Words, frames: list[int]) -> list[int]:
        """Return payloads; lanes that do not count hold numbers, too."""
        lanes, width = beat.lanes, beat.element_width
        found: list[int] = []
        for row, frame in zip(words.reshape(-1, lanes).tolist(), frames, strict=True):
            word = sum(value << (k * width) for k, value in enumerate(row))
            found.append(word | frame << (lanes * width))
        return found


class MultiplyAddBench(ElementwiseBench):
    """Products and addends, many of which all but cancel."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        return multiply_add(
            operands["a"],
            operands["b"],
            operands["c"],
            source=block.source,
            addend=block.target,
            flush=block.flush,
        )

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        found = super().values(rng, count)
        block, number = self.block, find_format(self.block.target)
        top = np.uint64(1 << number.width - 1)
        nearby = multiply(found["a"], found["b"], source=block.source, target=block.target) ^ top
        change = rng.integers(-3, 4, count) << rng.integers(0, number.width, count)
        moved = (nearby.astype(np.int64) + change) & ((1 << number.width) - 1)
        found["c"] = np.where(rng.random(count) < 0.5, moved.astype(np.uint64), found["c"])
        return found
