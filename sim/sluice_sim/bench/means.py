"""Bench of the means of the values of each index."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sluice.block import Block
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.means import centroid_means

__all__ = ["CentroidMeansBench"]

# Beats that a simulation has the time for.
_MOST = 1200


class CentroidMeansBench(Bench):
    """Packets with few indices and many, which repeat at once and later."""

    modules = tuple(f"sluice_sim.bench.tb_{name}" for name in ("inputs", "outputs", "mistakes"))

    def __init__(self, block: Block):
        super().__init__(block)
        count = self.block.count
        # Both banks are cleared first; and the means of two packets may be on their way.
        self.quiet = 3 * count + 250
        self.patience = 1000 + 20 * count
        self.hold = self.quiet - 20
        self.resets = (count, 2 * count + 15, 3 * count + 40)
        # Values of one index, and beats, that fit.
        self.most = (1 << self.block.count_bits) - 1

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        lanes, count = block.lanes, block.count
        self.begin()
        if kind == "rate":
            # Packets that are just long enough for the means of the one before, and longer ones.
            for turn in range(5):
                size = count + block.gap + 4 * (turn % 2)
                at = np.resize(rng.permutation(count), size * lanes)
                if turn % 4 == 2 and size <= self.most:
                    at[:] = count - 1
                self.add(rng, at)
            return self.end()
        if kind == "extremes":
            for length in (0, 1, 2, lanes, lanes + 1, 0, 0, 3 * lanes - 1):
                for at in (0, count - 1, None):
                    index = rng.integers(0, count, length) if at is None else np.full(length, at)
                    self.add(rng, index, ends=True)
            # One that is met again one, two and three beats later.
            for gap in (1, 2, 3, 4):
                self.add(rng, np.repeat(np.arange(6 * gap) % gap % count, lanes))
            self.add(rng, np.full(lanes * min(self.most, _MOST), count - 1), ends=True)
            self.add_uneven(rng)
            return self.end(status=1)
        for turn in range(24 if count < 100 else 10):
            # Short ones fill what is behind them sooner than they are added up.
            most = (count + 12) * lanes if turn % 3 else 3 * lanes
            length = int(rng.integers(0, most, endpoint=True))
            some = rng.integers(0, count, int(rng.choice([1, 1, 2, 3, count])))
            self.add(rng, rng.choice(some, length))
        return self.end()

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield tables that are too short or too long, and counts that fit, or do not."""
        block = self.block
        for more in (-1, 0, 1, block.count):
            self.begin()
            # No index keeps what it had, so that all results are defined.
            self.add(rng, np.arange(block.count), more=more, plain=True)
            self.add(rng, rng.integers(0, block.count, 1))
            yield self.end(status=2 if more else 0)
        if self.most > _MOST:
            return
        # As many as there can be, in both banks; and one more in one lane.
        self.begin()
        for _ in range(2):
            self.add(rng, np.zeros(self.most * block.lanes), full=True)
        yield self.end()
        for lane in range(block.lanes):
            self.begin()
            at = np.zeros((self.most + 1, block.lanes), int)
            at[-1] = np.arange(block.lanes) != lane
            self.add(rng, at.ravel(), full=True)
            # Anything comes.
            yield Scenario(self.sent, {}, {"status": 4})

    def begin(self) -> None:
        self.sent: dict[str, list[Word]] = {"i": [], "indices": [], "table": []}
        self.out: list[int] = []
        self.ends: list[int] = []
        self.beats = 0

    def end(self, status: int = 0) -> Scenario:
        return Scenario(self.sent, {"o": self.out}, {"status": status})

    def add(
        self,
        rng: np.random.Generator,
        at: Any,
        *,
        ends: bool = False,
        more: int = 0,
        plain: bool = False,
        full: bool = False,
    ) -> None:
        """Send a packet with these indices, and a table of so many centroids ``more``.

        Indices of which a lane has too many are others, and some are skipped, unless it is
        ``plain``; ``full`` is that with the largest values.
        """
        block = self.block
        at = np.array(at, np.int64)
        plain |= full
        if not plain:
            at = self.spread(at)
        if block.skips and not plain:
            at = at | np.where(rng.random(at.size) < 0.3, block.count, 0)
        top = (1 << block.width) - 1
        values = rng.integers(0, top, at.size, endpoint=True)
        table = rng.integers(0, top, block.count + more, endpoint=True)
        if ends:
            values = rng.choice([0, top, top], at.size)
            table = rng.choice([0, top], table.size)
        if full:
            values[:] = top
        self.sent["table"] += [
            Word(soiled(block.one_beat, w, rng)) for w in beats(block.one_beat, table.tolist())
        ]
        words = packet(block.i_beat, values.tolist())
        self.sent["i"] += [Word(soiled(block.i_beat, w.payload, rng)) for w in words]
        self.sent["indices"] += [
            Word(soiled(block.indices_beat, w, rng)) for w in beats(block.indices_beat, at.tolist())
        ]
        kept = np.resize(table, block.count)
        self.out += beats(block.one_beat, centroid_means(values, at, kept).tolist())
        self.beats += len(words)
        self.ends.append(self.beats - 1)

    def spread(self, at: Any) -> Any:
        """Return the indices with those changed of which a lane has more than it can count."""
        block = self.block
        if at.size <= self.most * block.lanes:
            return at
        met = np.zeros((block.lanes, block.count), int)
        found: list[int] = []
        for n, index in enumerate(at.tolist()):
            counts = met[n % block.lanes]
            if counts[index] == self.most:
                index = int(np.argmin(counts))
            if counts[index] == self.most:
                break
            counts[index] += 1
            found.append(index)
        return np.array(found)

    def add_uneven(self, rng: np.random.Generator) -> None:
        """Send beats that differ in what they keep, of which those of ``i`` count."""
        block = self.block
        self.add(rng, np.zeros(block.lanes, int))
        word = self.sent["indices"].pop()
        kept = word.payload & ~(1 << block.indices_beat.data_bits + block.lanes - 1)
        self.sent["indices"].append(Word(kept))

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        """Return the first mean of every packet."""
        return ((last, n * self.block.count) for n, last in enumerate(self.ends))

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Hold the input to a beat per cycle, and the means to one per cycle behind each packet."""
        block = self.block
        i, o = moved["i"], moved["o"]
        assert i[-1] - i[0] == len(i) - 1, "the input waited"
        waits = [o[n] - i[self.ends[n // block.count]] - n % block.count for n in range(len(o))]
        assert set(waits) == {block.latency}, f"means came after {waits}, not {block.latency}"
