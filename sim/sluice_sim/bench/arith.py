"""Benches of elementwise arithmetic: values where something can go wrong, in every lane."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice_sim.bench.spec import Bench, Scenario, Word
from sluice_sim.golden.arith import (
    add,
    divide,
    multiply,
    multiply_add,
    reciprocal_square_root,
    square_root,
)
from sluice_sim.golden.arith_compare import compare, maximum, minimum
from sluice_sim.golden.arith_convert import convert
from sluice_sim.golden.formats import FixedFormat, FloatFormat, find_format
from sluice_sim.golden.random import Lfsr32, Xoroshiro64, lane_seeds

__all__ = [
    "AddBench",
    "CompareBench",
    "ConvertBench",
    "DivideBench",
    "ElementwiseBench",
    "ExtremeBench",
    "MultiplyAddBench",
    "MultiplyBench",
    "ReciprocalSquareRootBench",
    "SquareRootBench",
    "float_words",
    "special_words",
]

Words = NDArray[np.uint64]
# The extremes are all words there are, where they fit in as many beats.
EVERY = 256


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
        """Return all words there are, every combination of special ones, or many of them."""
        bits = sum(number.width for number in self.numbers.values())
        if 1 << bits <= EVERY * self.block.lanes:
            every = rng.permutation(1 << bits).astype(np.uint64)
            every = np.resize(every, max(len(every), self.block.lanes))
            found: dict[str, Words] = {}
            for name, number in self.numbers.items():
                found[name] = every & np.uint64((1 << number.width) - 1)
                every = every >> np.uint64(number.width)
            return found
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
        words = self.joined(words)
        for row, frame in zip(words.reshape(-1, lanes).tolist(), frames, strict=True):
            word = sum(value << (k * width) for k, value in enumerate(row))
            found.append(word | frame << (lanes * width))
        return found

    def joined(self, words: Words) -> Any:
        """Return one word for each element, where an operand has several of them."""
        return words


class MultiplyAddBench(ElementwiseBench):
    """Products and addends, many of which all but cancel."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        count = len(operands["a"])
        return multiply_add(
            operands["a"],
            operands["b"],
            operands["c"],
            source=block.source,
            addend=block.target,
            flush=block.flush,
            random=self.random(count) if block.random_bits else None,
            random_bits=block.random_bits,
        )

    def random(self, count: int) -> Words:
        """Return the random bits of the results of ``count`` elements after reset."""
        lanes, bits = self.block.lanes, self.block.random_bits
        make, width = (Xoroshiro64, 64) if self.block.generator == "xoroshiro" else (Lfsr32, 32)
        generator = make(lane_seeds(0, lanes, width), random_bits=bits)
        return np.concatenate([generator.next() for _ in range(-(-count // lanes))])[:count]

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        found = super().values(rng, count)
        return found | {"c": self.addends(found["a"], found["b"], rng)}

    def addends(self, a: Words, b: Words, rng: np.random.Generator) -> Words:
        """Return addends, half of which all but cancel the products."""
        block, number, count = self.block, find_format(self.block.target), len(a)
        top = np.uint64(1 << number.width - 1)
        nearby = multiply(a, b, source=block.source, target=block.target) ^ top
        change = rng.integers(-3, 4, count) << rng.integers(0, number.width, count)
        moved = (nearby.astype(np.int64) + change) & ((1 << number.width) - 1)
        other = self.words(number, rng, count)
        return np.where(rng.random(count) < 0.5, moved.astype(np.uint64), other)


class AddBench(ElementwiseBench):
    """Numbers, many of which all but cancel."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        return add(
            operands["a"],
            operands["b"],
            source=block.source,
            target=block.target,
            subtract=block.subtract,
            flush=block.flush,
        )

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        found = super().values(rng, count)
        number = find_format(self.block.source)
        change = rng.integers(-3, 4, count) << rng.integers(0, number.width, count)
        moved = (found["a"].astype(np.int64) + change) & ((1 << number.width) - 1)
        if not self.block.subtract:
            moved ^= 1 << number.width - 1
        found["b"] = np.where(rng.random(count) < 0.5, moved.astype(np.uint64), found["b"])
        return found


class MultiplyBench(ElementwiseBench):
    """Products, many of which are subnormal."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        return multiply(operands["a"], operands["b"], **self.formats())

    def formats(self) -> dict[str, Any]:
        block = self.block
        return {"source": block.source, "target": block.target, "flush": block.flush}

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        found = super().values(rng, count)
        number = find_format(self.block.source)
        assert isinstance(number, FloatFormat)
        found["b"] = np.where(
            rng.random(count) < 0.4, self.partners(found["a"], number, rng), found["b"]
        )
        return found

    def partners(self, a: Words, number: FloatFormat, rng: np.random.Generator) -> Words:
        """Return factors with which the products are about the smallest normal number."""
        exponents = (1 << number.exponent_bits) - 1
        exponent = (a >> np.uint64(number.mantissa_bits)).astype(np.int64) & exponents
        other = number.bias - exponent + rng.integers(-number.mantissa_bits - 2, 4, len(a))
        fraction = rng.integers(0, 1 << number.mantissa_bits, len(a))
        word = np.clip(other, 0, exponents) << number.mantissa_bits | fraction
        return word.astype(np.uint64)


class DivideBench(MultiplyBench):
    """Quotients, many of which are subnormal."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        return divide(operands["a"], operands["b"], **self.formats())

    def partners(self, a: Words, number: FloatFormat, rng: np.random.Generator) -> Words:
        turned = (2 * number.bias << number.mantissa_bits) - a.astype(np.int64)
        turned &= (1 << number.width) - 1
        return super().partners(turned.astype(np.uint64), number, rng)


class SquareRootBench(ElementwiseBench):
    """Roots, most of them of what is not below zero."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        return square_root(
            operands["a"], source=block.source, target=block.target, flush=block.flush
        )

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        found = super().values(rng, count)
        magnitude = np.uint64((1 << find_format(self.block.source).width - 1) - 1)
        found["a"] = np.where(rng.random(count) < 0.9, found["a"] & magnitude, found["a"])
        return found


class ReciprocalSquareRootBench(SquareRootBench):
    """The same operands."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        return reciprocal_square_root(
            operands["a"], source=block.source, target=block.target, flush=block.flush
        )


class CompareBench(ElementwiseBench):
    """Numbers, many of which are equal or next to one another."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        flags = compare(operands["a"], operands["b"], source=block.source, flush=block.flush)
        return np.sum([f.astype(np.uint64) << np.uint64(k) for k, f in enumerate(flags)], axis=0)

    def values(self, rng: np.random.Generator, count: int) -> dict[str, Words]:
        found = super().values(rng, count)
        width = find_format(self.block.source).width
        moved = found["a"].astype(np.int64) + rng.integers(-1, 2, count)
        moved ^= (rng.random(count) < 0.3).astype(np.int64) << width - 1
        moved &= (1 << width) - 1
        found["b"] = np.where(rng.random(count) < 0.5, moved.astype(np.uint64), found["b"])
        return found


class ExtremeBench(CompareBench):
    """The same operands."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        return (maximum if block.operation.startswith("maximum") else minimum)(
            operands["a"],
            operands["b"],
            source=block.source,
            number=block.operation.endswith("number"),
            flush=block.flush,
        )


class ConvertBench(ElementwiseBench):
    """Numbers of all sizes."""

    def golden(self, operands: Mapping[str, Words]) -> Words:
        block = self.block
        return convert(operands["a"], source=block.source, target=block.target, flush=block.flush)

    def words(
        self, number: FloatFormat | FixedFormat, rng: np.random.Generator, count: int
    ) -> Words:
        words = super().words(number, rng, count)
        if isinstance(number, FixedFormat):
            signed = words.astype(np.int64) << 64 - number.width >> 64 - number.width
            signed >>= rng.integers(0, number.width, count)
            words = signed.astype(np.uint64) & np.uint64((1 << number.width) - 1)
        elif isinstance(target := find_format(self.block.target), FixedFormat):
            # As many of every size that the target has, with some that are too large or small.
            low = number.bias - target.fraction_bits - 3
            exponent = rng.integers(low, low + target.width + 5, count)
            top = (1 << number.exponent_bits) - 1
            field = np.clip(exponent, 0, top).astype(np.uint64) << np.uint64(number.mantissa_bits)
            rest = words & ~np.uint64(top << number.mantissa_bits)
            words = np.where(rng.random(count) < 0.7, rest | field, words)
        return words
