"""Bench of sums of products whose weights are indices into a table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.stream import Beat
from sluice_sim.bench.arith import float_words, special_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.formats import FloatFormat, find_format
from sluice_sim.golden.gather import centroid_dot, centroid_dot_float

__all__ = ["CentroidDotBench", "CentroidDotFloatBench", "GatherBench"]


class GatherBench(Bench):
    """Packets with few indices and many, which repeat at once and later."""

    modules = ("sluice_sim.bench.tb_inputs", "sluice_sim.bench.tb_mistakes")
    # Of random lengths, in each of many scenarios.
    packets = 20

    def __init__(self, block: Block):
        super().__init__(block)
        # Cycles that all sums of a bank take.
        count = self.block.count * self.block.phases
        # Both banks are cleared first; and all centroids may be there.
        self.quiet = 3 * count + 100
        self.patience = 1000 + 20 * count
        self.hold = self.quiet - 20
        self.resets = (count, 2 * count + 15, 3 * count + 40)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        lanes, count, phases = block.lanes, block.count, block.phases
        self.begin()
        if kind == "rate":
            # One index, for as long as the second bank is cleared; then packets that are just long
            # enough for the indices of the one before, and tables that are loaded in time.
            cycles = count * phases
            self.add(rng, np.zeros((cycles + 8 + block.gap) * lanes, int), fresh=True)
            for turn in range(4):
                size = cycles + block.gap + 4 * (turn % 2 == 0)
                at = np.resize(rng.permutation(count), size * lanes)
                # Half of them, so that others would take cycles.
                some = at | 1 if turn == 1 else at
                self.add(rng, some, fresh=turn % 2 == 1)
            return self.end()
        if kind == "extremes":
            for length in (0, 1, lanes, lanes + 1, 0, 0, 3 * lanes - 1):
                for at in (0, count - 1, None):
                    index = rng.integers(0, count, length) if at is None else np.full(length, at)
                    self.add(rng, index, ends=True, fresh=bool(rng.random() < 0.3))
            # One that is met again one, two and three beats later.
            for gap in (1, 2, 3, 4):
                at = np.repeat(np.arange(6 * gap) % gap % count, lanes)
                self.add(rng, at)
            self.add_uneven(rng)
            return self.end(status=1)
        for _ in range(self.packets):
            length = int(rng.integers(0, max(8, 3 * phases) * lanes, endpoint=True))
            some = rng.integers(0, count, int(rng.choice([1, 2, 3, count])))
            self.add(rng, rng.choice(some, length), fresh=bool(rng.random() < 0.3))
        return self.end()

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield tables that are too short or too long."""
        block = self.block
        for more in (-1, 0, 1, block.count):
            self.begin()
            self.add(rng, np.zeros(0, int), fresh=True, more=more)
            yield self.end(status=2 if more else 0)

    def elements(self, rng: np.random.Generator, size: int, *, ends: bool) -> Any:
        """Return elements, or with ``ends`` those at the ends of their range."""
        raise NotImplementedError

    def centroids(self, rng: np.random.Generator, size: int, *, ends: bool) -> Any:
        """Return a table."""
        raise NotImplementedError

    def golden(self, elements: Any, at: Any) -> int:
        """Return the result of a packet that is not empty."""
        raise NotImplementedError

    def begin(self) -> None:
        self.sent: dict[str, list[Word]] = {"i": [], "indices": [], "table": []}
        self.out: list[int] = []
        self.ends: list[tuple[int, int]] = []
        self.beats = 0

    def end(self, status: int = 0) -> Scenario:
        return Scenario(self.sent, {"o": self.out}, {"status": status})

    def add(
        self,
        rng: np.random.Generator,
        at: Any,
        *,
        fresh: bool = False,
        ends: bool = False,
        elements: Any = None,
        more: int = 0,
    ) -> None:
        """Send a packet with these indices; a table before it has so many centroids ``more``."""
        block = self.block
        if elements is None:
            elements = self.elements(rng, len(at), ends=ends)
        fresh |= not self.sent["i"]
        if fresh:
            self.table = self.centroids(rng, block.count + more, ends=ends)
            self.sent["table"] += [
                Word(soiled(block.table_beat, w, rng))
                for w in beats(block.table_beat, self.table.tolist())
            ]
        words = packet(block.i_beat, np.asarray(elements).tolist(), int(fresh))
        self.sent["i"] += [Word(soiled(block.i_beat, w.payload, rng), w.config) for w in words]
        self.sent["indices"] += [
            Word(soiled(block.indices_beat, w, rng))
            for w in beats(block.indices_beat, np.asarray(at).tolist())
        ]
        result = self.golden(elements, at) if len(at) else 0
        self.out += beats(Beat(self.shapes["o"].number, 1), [result])
        self.beats += len(words)
        self.ends.append((self.beats - 1, max(1, len(set(np.asarray(at).tolist())))))

    def add_uneven(self, rng: np.random.Generator) -> None:
        """Send beats that differ in what they keep, of which those of ``i`` count."""
        block = self.block
        ones = np.ones(block.lanes, int)
        self.add(rng, ones * 0)
        word = self.sent["indices"].pop()
        lanes = block.lanes
        kept = word.payload & ~(1 << block.indices_beat.data_bits + lanes - 1)
        self.sent["indices"].append(Word(kept))

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        """Return the first packet, which has one index."""
        return ((self.ends[0][0], 0),)

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Hold the input to a beat per cycle, and results to one for each centroid."""
        i, o = moved["i"], moved["o"]
        assert i[-1] - i[0] == len(i) - 1, "the input waited"
        waits = [o[n] - i[last] for n, (last, _) in enumerate(self.ends)]
        block = self.block
        promised = [block.latency + block.phases * (count - 1) for _, count in self.ends]
        assert waits == promised, f"results came after {waits} cycles, promised {promised}"


class CentroidDotBench(GatherBench):
    """Integers, with sums that fit, or do not."""

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        yield from super().mistakes(rng)
        block = self.block
        top = int(block.source.max)
        most = ((1 << block.sum_bits - 1) - 1) // top
        for extra in (0, 1):
            if most > 1500:
                break
            self.begin()
            elements = np.zeros((most + extra, block.lanes), int)
            elements[:, -1] = top
            if block.sums == "trees":
                elements[:, :] = top
            zeros = np.zeros(elements.size, int)
            self.add(rng, zeros, elements=elements.ravel(), fresh=True)
            if self.overflows(elements):
                # Anything comes.
                yield Scenario(self.sent, {}, {"status": 4})
            else:
                yield self.end()

    def overflows(self, elements: Any) -> int:
        """Say whether the sum of a packet with one index is too large."""
        block = self.block
        if block.sums == "trees":
            levels = (block.lanes - 1).bit_length()
            return int(elements.sum() >= 1 << block.sum_bits + levels - 1)
        return int(elements.sum(0).max() >= 1 << block.sum_bits - 1)

    def elements(self, rng: np.random.Generator, size: int, *, ends: bool) -> Any:
        low, high = int(self.block.source.min), int(self.block.source.max)
        found = rng.integers(low, high, size, endpoint=True)
        return rng.choice([low, high, 0], size) if ends else found

    def centroids(self, rng: np.random.Generator, size: int, *, ends: bool) -> Any:
        low, high = int(self.block.factor.min), int(self.block.factor.max)
        found = rng.integers(low, high, size, endpoint=True)
        return rng.choice([low, high], size) if ends else found

    def golden(self, elements: Any, at: Any) -> int:
        return centroid_dot(elements, at, self.table)


class CentroidDotFloatBench(GatherBench):
    """Numbers of all kinds, and centroids that are none and must not be met."""

    packets = 12

    def elements(self, rng: np.random.Generator, size: int, *, ends: bool) -> Any:
        return self.words(rng, self.block.element, size, ends=ends)

    def centroids(self, rng: np.random.Generator, size: int, *, ends: bool) -> Any:
        found = self.words(rng, self.block.weight, size, ends=ends)
        others = self.words(rng, self.block.weight, size, ends=True)
        return np.where(rng.random(size) < 0.2, others, found)

    def golden(self, elements: Any, at: Any) -> int:
        block = self.block
        return centroid_dot_float(
            elements,
            at,
            self.table[: block.count],
            element=block.element,
            weight=block.weight,
            lanes=block.lanes,
            phases=block.phases,
        )

    def words(
        self, rng: np.random.Generator, name: str, size: int, *, ends: bool
    ) -> NDArray[np.int64]:
        """Return words about one, or of all kinds; with ``ends`` one or two special ones."""
        number = find_format(name)
        assert isinstance(number, FloatFormat)
        if ends:
            some = rng.choice(special_words(number), int(rng.integers(1, 3)))
            return rng.choice(some, size).astype(np.int64)
        if rng.random() < 0.2:
            return float_words(number, rng, size).astype(np.int64)
        sign, fraction = (rng.integers(0, 1 << n, size) for n in (1, number.mantissa_bits))
        spread = int(rng.choice([1, 3, number.bias - 1]))
        exponent = number.bias + rng.integers(-spread, spread, size, endpoint=True)
        return (sign << number.exponent_bits | exponent) << number.mantissa_bits | fraction
