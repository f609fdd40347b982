"""Benches of the blocks that find pairs without a zero in them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.sparsity.pair_driver import Pairs, plan_pairs
from sluice_sim.bench.arith import float_words
from sluice_sim.bench.array import matrix_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, pack
from sluice_sim.golden.formats import FloatFormat, find_format
from sluice_sim.golden.sparse_product import decode, multiply_pairs

__all__ = ["SparseMatmulBench", "SparsityDecoderBench", "random_bits", "sparse_words"]

Words = NDArray[np.uint64]
DENSITIES = (0.0, 0.05, 0.2, 0.5, 0.9, 1.0)


def random_bits(rng: np.random.Generator, length: int, context: int) -> np.ndarray:
    """Return bits of a density that differs from context to context."""
    density = np.repeat(rng.choice(DENSITIES, -(-length // context)), context)[:length]
    return (rng.random(length) < density).astype(int)


class SparsityDecoderBench(Bench):
    """Packets of bit vectors, of every length and density."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        sent: dict[str, list[Word]] = {"a": [], "b": []}
        out: list[int] = []
        uneven = kind == "extremes"
        for a, b in self.packets(kind, rng):
            for name, bits in (("a", a), ("b", b)):
                sent[name] += [Word(w) for w in beats(self.block.beat, bits.tolist())]
            out += self.steps(a, b)
        if uneven:
            # One has a bit more, which has no partner.
            for name, count in (("a", 2), ("b", 1)):
                sent[name] += [Word(w) for w in beats(self.block.beat, [1] * count)]
            out += self.steps(np.array([1, 1]), np.array([1, 0]))
        return Scenario(sent, {"o": out}, {"status": int(uneven)})

    def packets(
        self, kind: str, rng: np.random.Generator
    ) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        block = self.block
        context, lanes = block.context, block.lanes
        if kind == "rate":
            # One step for each context, each a packet, so that none waits for another; as many as
            # make half of them, but for one, whole rounds of places.
            places = min(block.places, 16)
            for k in range(2 * (places * -(-30 // places) + 1)):
                bits = np.zeros(context, int)
                bits[rng.permutation(context)[: 1 + k % lanes]] = 1
                yield bits, np.ones(context, int)
            return
        if kind == "extremes":
            for length in (
                0,
                1,
                context - 1,
                context,
                context + 1,
                0,
                5 * context,
                5 * context - 1,
            ):
                zeros, ones = np.zeros(length, int), np.ones(length, int)
                yield from ((ones, ones), (zeros, ones), (ones, zeros), (zeros, zeros))
            # Every position alone, and every number of bits.
            for k in range(context):
                alone = (np.arange(context) == k).astype(int)
                yield alone, np.ones(context, int)
                if k % (context // 4) in (0, 1):
                    yield np.ones(context, int), (np.arange(context) <= k).astype(int)
            # Runs of empty contexts, before, between and behind; numbers wrap.
            for before, between, behind in ((9, 0, 0), (0, 9, 0), (0, 0, 9), (3, 1, 2)):
                flags = [0] * before + [1] + [0] * between + [1] + [0] * behind
                yield np.repeat(flags, context), np.ones(len(flags) * context, int)
            return
        for length in rng.integers(0, 7 * context, 6 + 256 // context, endpoint=True).tolist():
            yield random_bits(rng, length, context), random_bits(rng, length, context)

    def steps(self, a: np.ndarray, b: np.ndarray) -> list[int]:
        """Return the payloads of a packet's steps."""
        block = self.block
        found: list[int] = []
        for step in decode(a, b, context=block.context, lanes=block.lanes):
            positions = list(step.positions) + [0] * (block.lanes - len(step.positions))
            fields = {
                "positions": positions,
                "found": (1 << len(step.positions)) - 1,
                "number": step.number % (1 << block.context_bits),
                "done": step.done,
                "last": step.last,
            }
            found.append(block.step.const(fields).as_value().value)
        return found


def sparse_words(
    operand: str,
    rng: np.random.Generator,
    shape: tuple[int, int],
    density: float,
    *,
    zero: int = 0,
    special: bool = False,
) -> Words:
    """Return random bit patterns of which about so many are not ``zero``.

    With ``special``, floats are of all kinds; zeros are of both signs in any case.
    """
    number = find_format(operand)
    words = matrix_words(operand, rng, shape)
    if special and isinstance(number, FloatFormat):
        words = float_words(number, rng, words.size).reshape(shape)
    if density == 1:
        words = np.where(words == zero % (1 << number.width), np.uint64(1 + (zero == 1)), words)
    zeros = np.full(shape, zero % (1 << number.width), np.uint64)
    if isinstance(number, FloatFormat):
        zeros = rng.integers(0, 2, shape).astype(np.uint64) << np.uint64(number.width - 1)
    return np.where(rng.random(shape) < density, words, zeros)


class SparseMatmulBench(Bench):
    """Products one after the other, of all densities."""

    def __init__(self, block: Block):
        super().__init__(block)
        made = self.block
        # Of columns that load while nothing else moves; and what a full input buffer holds.
        self.quiet = 100 + 2 * made.latency + made.context
        self.hold = self.quiet - 20

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        context, most = block.context, block.context * min(block.contexts, 5)
        if kind == "rate":
            return self.one_row(rng)
        shapes = [
            (1, 1, 1),
            (3, context + 1, block.pes + 1),
            (int(rng.integers(1, 8)), int(rng.integers(1, most, endpoint=True)), block.pes),
            (6, most, block.pes),
        ]
        if kind == "random":
            shapes = shapes[1:] + [(block.results + 4, 1, 1)] * (block.results <= 32)
        given = [self.matrices(shape, rng, kind == "extremes") for shape in shapes]
        if kind == "extremes":
            width = block.beat.element_width
            least = np.full((2, most), 1 << width - 1, np.uint64)
            # The largest sums there are; nothing at all; and rows that are empty.
            given.append((least, np.full((most, block.pes), 1 << width - 1, np.uint64)))
            zeros = [np.full(2 * most, z % (1 << width), np.uint64) for z in block.zeros]
            given.append((zeros[0].reshape(2, most), zeros[1][:most].reshape(most, 1)))
            given.append((zeros[0][:0].reshape(2, 0), zeros[1][:0].reshape(0, 1)))
        return self.play(given, rng, whole=bool(rng.integers(0, 2)))

    def one_row(self, rng: np.random.Generator) -> Scenario:
        """Load enough columns to see how fast they come; the row that waits has a single pair."""
        block = self.block
        inner = max(1, min(-(-12 // block.pes), block.contexts)) * block.context
        a = np.full((1, inner), block.a_zero % (1 << block.beat.element_width), np.uint64)
        b = np.full((inner, block.pes), 1 + (block.b_zero == 1), np.uint64)
        a[0, 0] = 1 + (block.a_zero == 1)
        bits = (np.arange(inner)[None] == 0).astype(np.uint64), np.ones(b.shape, np.uint64)
        scenario = self.play([(a, b)], rng, whole=False, bits=bits)
        # What is beyond the row's end counts as zeros.
        rows = {n: w[:1] if n.startswith("a") else w for n, w in scenario.inputs.items()}
        end = 1 << block.beat.size - 1
        rows["a"] = [Word(rows["a"][0].payload | end)]
        if block.given:
            rows["a_bits"] = [Word(rows["a_bits"][0].payload | 1 << block.bits_beat.size - 1)]
        # The weights come last, and nothing else is to be measured.
        return Scenario({"b": rows.pop("b"), **rows}, scenario.expected, scenario.signals)

    def matrices(
        self, shape: tuple[int, int, int], rng: np.random.Generator, special: bool
    ) -> tuple[Words, Words]:
        """Return two matrices of these dimensions."""
        m, k, n = shape
        a, b = (
            sparse_words(
                self.block.operand,
                rng,
                size,
                float(rng.choice([0.0, 0.1, 0.4, 0.9, 1.0])),
                zero=zero,
                special=special,
            )
            for size, zero in zip(((m, k), (k, n)), self.block.zeros, strict=True)
        )
        return a, b

    def play(
        self,
        given: Iterable[tuple[Words, Words]],
        rng: np.random.Generator,
        *,
        whole: bool,
        bits: tuple[Words, Words] | None = None,
    ) -> Scenario:
        """Return what multiplies pairs of matrices, and their products."""
        block = self.block
        streams: dict[str, list[Word]] = {name: [] for name in self.inputs}
        expected: list[int] = []
        for a, b in given:
            arrays = {"a": a, "b": b}
            flags = None
            if block.given:
                made = (rng.integers(0, 2, x.shape).astype(np.uint64) for x in (a, b))
                flags = bits or (next(made), next(made))
                arrays |= {"a_bits": flags[0], "b_bits": flags[1]}
            plan: Pairs = plan_pairs(block, arrays, whole=whole)
            for name, rows in plan.rows.items():
                beat = block.bits_beat if name.endswith("bits") else block.beat
                streams[name] += [Word(w) for row in rows for w in beats(beat, row.tolist())]
            streams["command"] += map(Word, plan.commands)
            y = multiply_pairs(
                a,
                b,
                operand=block.operand,
                total=block.total,
                zeros=block.zeros,
                bits=flags,
                context=block.context,
                lanes=block.lanes,
                slots=block.slots,
            )
            for start in range(0, y.shape[1], block.pes):
                tile = y[:, start : start + block.pes]
                for row in np.pad(tile, ((0, 0), (0, block.pes - tile.shape[1]))):
                    expected.append(pack(block.o_beat, row.tolist(), last=True))
        return Scenario(streams, {"o": expected}, {"status": 0})

    @property
    def inputs(self) -> list[str]:
        """Names of the streams that go in."""
        return ["a", "b", *(("a_bits", "b_bits") if self.block.given else ()), "command"]

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        return [(inputs - 1, 0)]
