"""Bench of sums of products whose weights are indices into a table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sluice.block import Block
from sluice.stream import Beat
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.gather import centroid_dot

__all__ = ["CentroidDotBench"]


class CentroidDotBench(Bench):
    """Packets with few indices and many, which repeat at once and later."""

    modules = ("sluice_sim.bench.tb_inputs", "sluice_sim.bench.tb_mistakes")

    def __init__(self, block: Block):
        super().__init__(block)
        count = self.block.count
        # Both banks are cleared first; and all centroids may be there.
        self.quiet = 3 * count + 100
        self.patience = 1000 + 20 * count
        self.hold = self.quiet - 20
        self.resets = (count, 2 * count + 15, 3 * count + 40)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        lanes, count = block.lanes, block.count
        self.begin()
        if kind == "rate":
            # One index, for as long as the second bank is cleared; then packets that are just long
            # enough for the indices of the one before, and tables that are loaded in time.
            self.add(rng, np.zeros((count + 12) * lanes, int), fresh=True)
            for turn in range(4):
                size = count + block.gap + 4 * (turn % 2 == 0)
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
        for _ in range(20):
            length = int(rng.integers(0, 8 * lanes, endpoint=True))
            some = rng.integers(0, count, int(rng.choice([1, 2, 3, count])))
            self.add(rng, rng.choice(some, length), fresh=bool(rng.random() < 0.3))
        return self.end()

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield tables that are too short or too long, and sums that fit, or do not."""
        block = self.block
        for more in (-1, 0, 1, block.count):
            self.begin()
            self.add(rng, np.zeros(0, int), fresh=True, more=more)
            yield self.end(status=2 if more else 0)
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
        source, factor = block.source, block.factor
        low, high = int(source.min), int(source.max)
        if elements is None:
            elements = rng.integers(low, high, len(at), endpoint=True)
            if ends:
                elements = rng.choice([low, high, 0], len(at))
        fresh |= not self.sent["i"]
        if fresh:
            size = block.count + more
            least, most = int(factor.min), int(factor.max)
            self.table = rng.integers(least, most, size, endpoint=True)
            if ends:
                self.table = rng.choice([least, most], size)
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
        result = centroid_dot(elements, at, self.table) if len(at) else 0
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
        promised = [self.block.latency + count - 1 for _, count in self.ends]
        assert waits == promised, f"results came after {waits} cycles, promised {promised}"
