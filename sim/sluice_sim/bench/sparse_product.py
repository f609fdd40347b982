"""Bench of the product that skips pairs with a zero in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.sparsity.pair_driver import Pairs, plan_pairs
from sluice_sim.bench.arith import float_words
from sluice_sim.bench.array import matrix_words
from sluice_sim.bench.spec import Bench, Scenario, Word, pack, packet
from sluice_sim.golden.formats import FloatFormat, find_format
from sluice_sim.golden.sparse_product import count_steps, multiply_pairs, packet_ends, pairs_of

__all__ = ["SparseMatmulBench", "sparse_words"]

Words = NDArray[np.uint64]


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

    modules = tuple(f"sluice_sim.bench.tb_{part}" for part in ("pairs", "whole", "inputs"))
    # Tests ask for the same again and again.
    products: ClassVar[dict[Any, Words]] = {}

    def __init__(self, block: Block):
        super().__init__(block)
        made = self.block
        # Of columns that load while nothing else moves; and what a full input buffer holds.
        self.quiet = 100 + 2 * made.latency + made.context
        self.hold = self.quiet - 20
        # Rows that a command can count, as far as they are tried.
        self.rows = min((1 << made.count_bits) - 1, 64)
        # Products whose cycles are counted: one for each of the first elements, and one for all.
        self.rounds = min(made.pes, 4) + 1
        self.cycles = 0

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        context, most = block.context, block.context * min(block.contexts, 5)
        if kind == "rate":
            return self.one_row(rng)
        special = kind == "extremes"
        shapes = [
            (1, 1, 1),
            (3, context + 1, block.pes + 1),
            (int(rng.integers(1, 8)), int(rng.integers(1, most, endpoint=True)), block.pes),
            (6, most, block.pes),
        ]
        # Where a row takes long, a few tell as much.
        few = min(self.rows, 7 if block.gap == 1 else 3)
        given = [self.matrices((min(m, few), k, n), rng, special) for m, k, n in shapes]
        if kind == "random":
            # Enough to fill the results, and the buffer if that is soon full.
            rows = block.results + 4 + (min(block.buffer, 16) if block.gap == 1 else 0)
            shape = (min(rows, self.rows), context - 1, block.pes)
            given[0] = self.matrices(shape, rng, False, (1.0, 0.7))
        else:
            width = block.beat.element_width
            least = np.full((min(2, self.rows), most), 1 << width - 1, np.uint64)
            # The largest sums there are; nothing at all; and rows that are empty.
            given.append((least, np.full((most, block.pes), 1 << width - 1, np.uint64)))
            zeros = [np.full(len(least) * most, z % (1 << width), np.uint64) for z in block.zeros]
            given.append((zeros[0].reshape(-1, most), zeros[1][:most].reshape(most, 1)))
            given.append((zeros[0][:0].reshape(1, 0), zeros[1][:0].reshape(0, 1)))
            # As many rows as a command can count, if these are few.
            rows = self.rows if self.rows < 64 else 1
            given.append(self.matrices((rows, 1, block.pes), rng, special))
            # Bursts that fill a queue before its first context has been walked, with some four
            # pairs in each.
            share = min(1.0, (4 / context) ** 0.5)
            rows = min(few, -(-(block.places + 2) * context // most))
            shape = (rows, most, block.pes)
            given += [self.matrices(shape, rng, special, (share, share)) for _ in range(3)]
            if block.contexts <= 64:
                # As long as a row can be, and longer.
                shape = (1, block.contexts * context, block.pes)
                given.append(self.matrices(shape, rng, special, (0.1, 0.5)))
        return self.play(given, rng, odd=special)

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

    def timed(self, rng: np.random.Generator, k: int) -> tuple[Scenario, dict[int, int]]:
        """Return a product of as many contexts as there is room for, and cycles of its results.

        Element ``k`` alone has weights, so that no other one hides how long it takes.
        """
        block = self.block
        room = min(block.places, block.buffer, 16)
        contexts = min(room, block.contexts, 5)
        rows = min(room // contexts, block.results, self.rows)
        inner = contexts * block.context
        a, b = self.matrices((rows, inner, block.pes), rng, False, (0.9, 0.6))
        flags = [(rng.random(x.shape) < 0.7).astype(np.uint64) for x in (a, b)]
        if k < block.pes and k + 1 < self.rounds:
            others = np.arange(block.pes) != k
            b[:, others], flags[1][:, others] = block.b_zero % (1 << block.beat.element_width), 0
        bits = (flags[0], flags[1]) if block.given else None
        return self.play([(a, b)], rng, whole=False, bits=bits), self.ends(a, b, bits)

    def slow_rows(
        self, rng: np.random.Generator, *, whole: bool
    ) -> tuple[Scenario, dict[int, int]] | None:
        """Return a product of as many rows as there is room for, and cycles of its results.

        If they are too few to be late, there is none.
        """
        block = self.block
        rows = min(block.places, block.buffer, block.results, self.rows, 16)
        if 8 * (rows - 1) < block.latency + block.context + block.pes:
            return None
        a, b = self.matrices((rows, block.context, block.pes), rng, False, (0.9, 0.6))
        bits = (np.ones_like(a), np.ones_like(b)) if block.given else None
        return self.play([(a, b)], rng, whole=whole, bits=bits), self.ends(a, b, bits)

    def ends(self, a: Words, b: Words, bits: tuple[Words, Words] | None) -> dict[int, int]:
        """Return the cycle of each row's result, after that of a row of one step."""
        block = self.block
        pairs = pairs_of(a, b, operand=block.operand, zeros=block.zeros, bits=bits)
        steps = count_steps(pairs, context=block.context, lanes=block.lanes)
        # Elements in step take as many as the slowest.
        steps = steps.reshape(len(a), -1, block.together, steps.shape[-1]).max(axis=2)
        free = [packet_ends(steps[:, g].tolist(), gap=block.gap) for g in range(steps.shape[1])]
        return dict(enumerate(np.max(free, axis=0).tolist()))

    def check_ends(
        self, dut: Any, moved: Mapping[str, Sequence[int]], ends: Mapping[int, int]
    ) -> None:
        """Fail unless these results came in these cycles, and all that work have been counted."""
        begins = moved["b"][-1]
        for row, end in ends.items():
            took = moved["o"][row] - begins - self.block.latency
            assert took == end, f"result {row} came in cycle {took}, promised {end}"
        # From the cycle after the last weight until sums enter the queue, two before they leave it.
        # A row counts as on the way two cycles after its end was admitted, and a cycle is missing
        # unless there is another one then.
        self.cycles += moved["o"][-1] - 2 - begins - (len(ends) == 1)
        count, wanted = int(dut.cycles.value), self.cycles % (1 << self.block.cycle_bits)
        assert count == wanted, f"counted {count} cycles, expected {wanted}"

    def matrices(
        self,
        shape: tuple[int, int, int],
        rng: np.random.Generator,
        special: bool,
        densities: Sequence[float] = (),
    ) -> tuple[Words, Words]:
        """Return two matrices of these dimensions, and of any densities if they are not given."""
        m, k, n = shape
        shares = densities or rng.choice([0.0, 0.1, 0.4, 0.9, 1.0], 2).tolist()
        a, b = (
            sparse_words(self.block.operand, rng, size, share, zero=zero, special=special)
            for size, share, zero in zip(((m, k), (k, n)), shares, self.block.zeros, strict=True)
        )
        return a, b

    def play(
        self,
        given: Iterable[tuple[Words, Words]],
        rng: np.random.Generator,
        *,
        whole: bool | None = None,
        bits: tuple[Words, Words] | None = None,
        odd: bool = False,
    ) -> Scenario:
        """Return what multiplies pairs of matrices, and their products.

        Rows wait for each other or not if ``whole`` says so, else at random. If ``odd``, a row and
        a column are too long, and vectors of bits have a bit more than what they belong to.
        """
        block = self.block
        streams: dict[str, list[Word]] = {name: [] for name in self.inputs}
        expected: list[int] = []
        status = 0
        for k, (a, b) in enumerate(given):
            arrays = {"a": a, "b": b}
            flags = None
            if block.given:
                made = (rng.integers(0, 2, x.shape).astype(np.uint64) for x in (a, b))
                flags = bits or (next(made), next(made))
                arrays |= {"a_bits": flags[0], "b_bits": flags[1]}
            wait = bool(rng.integers(0, 2)) if whole is None else whole
            plan = plan_pairs(block, arrays, whole=wait)
            if odd:
                status |= self.lengthen(plan, rng)
            plans = [plan]
            if whole is None and not k:
                # Weights for no row at all.
                one = {
                    name: [np.ones(1, np.uint64)] * block.pes for name in streams if name[0] == "b"
                }
                no_rows = plan.commands[0] >> block.count_bits << block.count_bits
                plans.append(Pairs((0, block.pes), block.pes, [no_rows], one))
            for plan in plans:
                for name, rows in plan.rows.items():
                    beat = block.bits_beat if name.endswith("bits") else block.beat
                    streams[name] += [w for row in rows for w in packet(beat, row.tolist())]
                streams["command"] += map(Word, plan.commands)
            y = self.multiply(a, b, flags)
            for start in range(0, y.shape[1], block.pes):
                tile = y[:, start : start + block.pes]
                for row in np.pad(tile, ((0, 0), (0, block.pes - tile.shape[1]))):
                    expected.append(pack(block.o_beat, row.tolist(), last=True))
        return Scenario(streams, {"o": expected}, {"status": status})

    def lengthen(self, plan: Pairs, rng: np.random.Generator) -> int:
        """Put elements and bits where none counts; return the status that tells of it."""
        block, rows = self.block, plan.rows
        inner = len(rows["a"][0])

        def pad(name: str, row: int, more: int) -> None:
            if name in rows:
                rows[name][row] = np.pad(rows[name][row], (0, more), constant_values=1)

        if inner == block.contexts * block.context:
            for name, row in (("a", -1), ("b", 0)):
                more = int(rng.integers(1, 2 * block.context, endpoint=True))
                pad(name, row, more)
                pad(f"{name}_bits", row, more)
            return 1
        if block.given and inner % block.context:
            for name in ("a_bits", "b_bits"):
                pad(name, 0, -inner % block.context)
            return 2
        return 0

    def multiply(self, a: Words, b: Words, bits: tuple[Words, Words] | None) -> Words:
        """Return the product, from what is known if it is."""
        block = self.block
        key = tuple((x.shape, x.tobytes()) for x in (a, b, *(bits or ())))
        if key not in self.products:
            self.products[key] = multiply_pairs(
                a,
                b,
                operand=block.operand,
                total=block.total,
                zeros=block.zeros,
                bits=bits,
                context=block.context,
                lanes=block.lanes,
                slots=block.slots,
            )
        return self.products[key]

    @property
    def inputs(self) -> list[str]:
        """Names of the streams that go in."""
        return ["a", "b", *(("a_bits", "b_bits") if self.block.given else ()), "command"]

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        return [(inputs - 1, 0)]
