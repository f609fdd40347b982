"""Benches of the block formats of OCP MX: blocks of one size of numbers, and parts of blocks."""

from collections.abc import Iterable

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from sluice_sim.bench.arith import float_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats
from sluice_sim.golden.arith import float_format
from sluice_sim.golden.arith_convert import mx_dequantize, mx_quantize
from sluice_sim.golden.formats import decode

__all__ = ["MxDequantizeBench", "MxQuantizeBench"]

Words = NDArray[np.uint64]


class _MxBench(Bench):
    def blocks(self, length: int) -> int:
        return -(-length // self.block.block)

    def lengths(self, kind: str, rng: np.random.Generator) -> list[int]:
        """Return the lengths of packets, in elements; one of none is among them."""
        block, lanes = self.block.block, self.block.lanes
        if kind == "rate":
            return [block * 4] * 3
        some = [0, 1, block - 1, block, block + 1, 2 * block, lanes]
        return [*some, *rng.integers(0, 3 * block + 1, 20).tolist()]

    def padded(self, words: Words) -> Words:
        """Return whole blocks, filled with zeros."""
        spare = self.blocks(len(words)) * self.block.block - len(words)
        return np.concatenate([words, np.zeros(spare, np.uint64)])


class MxQuantizeBench(_MxBench):
    """Numbers of a size, of any size, and few that are not finite."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        sent: list[Word] = []
        elements: list[int] = []
        scales: list[int] = []
        self.pairs: list[tuple[int, int]] = []
        for length in self.lengths(kind, rng):
            words = np.concatenate(
                [
                    np.zeros(0, np.uint64),
                    *(self.words(rng, block.block) for _ in range(self.blocks(length))),
                ]
            )[:length]
            values = decode(self.padded(words), block.source)
            scale, element = mx_quantize(values, element=block.target, block=block.block)
            start = len(sent)
            sent += [Word(word) for word in beats(self.shapes["i"], words.tolist())]
            elements += beats(self.shapes["o"], element[:length].tolist())
            scales += beats(self.shapes["o_scale"], scale.tolist())
            for first in range(start, len(sent), block.block // block.lanes):
                end = min(first + block.block // block.lanes, len(sent)) - 1
                self.pairs.append((end, first))
        return Scenario({"i": sent}, {"o": elements, "o_scale": scales})

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        return self.pairs

    def words(self, rng: np.random.Generator, count: int) -> Words:
        number = float_format(self.block.source)
        words = float_words(number, rng, count)
        finite = words & ~np.uint64(1 << number.mantissa_bits + int(rng.integers(8)))
        if rng.random() < 0.8:
            # About one exponent, of which few bits below matter.
            top = int(rng.choice([0, 1, 5, 9, 16, 127, 250, 254, int(rng.integers(255))]))
            field = np.clip(top - rng.integers(0, 20, count), 0, 254).astype(np.uint64)
            rest = words & ~np.uint64(255 << number.mantissa_bits)
            finite = rest | field << np.uint64(number.mantissa_bits)
            # Ties: nothing is set below the places that an element has.
            coarse = finite >> np.uint64(number.mantissa_bits - 4)
            coarse <<= np.uint64(number.mantissa_bits - 4)
            finite = np.where(rng.random(count) < 0.4, coarse, finite)
        return words if rng.random() < 0.1 else finite


class MxDequantizeBench(_MxBench):
    """Elements of all kinds, scales of all sizes."""

    def golden(self, scales: Words, elements: Words) -> Words:
        block = self.block
        values = mx_dequantize(scales, elements, element=block.source, block=block.block)
        # Few bits are set, so that only one of both casts can ever round.
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        words = single.view(np.uint32)
        if block.target == "bf16":
            words = single.astype(ml_dtypes.bfloat16).view(np.uint16)
        return np.where(np.isnan(values), float_format(block.target).nan_code, words)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        inputs: dict[str, list[Word]] = {"i": [], "i_scale": []}
        expected: list[int] = []
        for length in self.lengths(kind, rng):
            words = rng.integers(0, 256, length, dtype=np.uint64)
            # With the smallest scales these come below what a target has.
            words = np.where(rng.random(length) < 0.5, words & np.uint64(0x8F), words)
            count = self.blocks(length)
            # Half of them make subnormal numbers, or come near the largest one.
            scales = rng.choice([*[0, 1, 2] * 5, *range(16), 127, 250, 254, 255], count).astype(
                np.uint64
            )
            any_scale = rng.integers(0, 256, count, dtype=np.uint64)
            scales = np.where(rng.random(count) < 0.2, any_scale, scales)
            inputs["i"] += [Word(word) for word in beats(self.shapes["i"], words.tolist())]
            inputs["i_scale"] += [
                Word(word) for word in beats(self.shapes["i_scale"], scales.tolist())
            ]
            numbers = self.golden(scales, self.padded(words))[:length]
            expected += beats(self.shapes["o"], numbers.tolist())
        uneven = kind == "random"
        if uneven:
            k = int(rng.integers(len(inputs["i_scale"])))
            beat = self.shapes["i_scale"]
            wrong = inputs["i_scale"][k].payload ^ 1 << beat.data_bits + 1
            inputs["i_scale"][k] = Word(wrong)
        return Scenario(inputs, {"o": expected}, {"status": int(uneven)})
