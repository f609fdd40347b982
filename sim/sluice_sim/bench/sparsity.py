"""Benches of the blocks that leave out what is zero."""

from collections.abc import Iterable

import numpy as np

from sluice_sim.bench.spec import Bench, Scenario, Word, beats
from sluice_sim.golden.sparsity import compact, expand

__all__ = ["CompactBench", "ExpandBench"]


def flags_of(kind: str, rng: np.random.Generator, lanes: int) -> Iterable[np.ndarray]:
    """Yield the flags of packets: of every length and density, and from empty to full at once."""
    if kind == "rate":
        yield np.ones(40 * lanes, int)
        return
    if kind == "extremes":
        for length in (0, 1, lanes, lanes + 1, 0, 2 * lanes - 1, 7 * lanes):
            yield np.zeros(length, int)
            yield np.ones(length, int)
        # One less than a beat before a full one, so that the packet ends with a beat of its own.
        for length in range(1, lanes):
            yield np.repeat([1, 0, 1], [length, lanes - length, lanes])
        for k in range(lanes):
            yield (np.arange(3 * lanes) % lanes == k).astype(int)
        return
    for length in rng.integers(0, 6 * lanes, 30, endpoint=True).tolist():
        density = np.repeat(rng.choice([0, 0.1, 0.5, 0.9, 1], 6), lanes)[:length]
        yield (rng.random(length) < density).astype(int)


class CompactBench(Bench):
    """Packets of words and flags; one of them has a flag more than words."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        sent: dict[str, list[Word]] = {"i": [], "flags": []}
        out: list[int] = []
        for flags in flags_of(kind, rng, block.lanes):
            words = rng.integers(0, 1 << block.width, flags.size, dtype=np.uint64)
            rows = (("i", block.i_beat, words), ("flags", block.flags_beat, flags))
            for name, beat, row in rows:
                sent[name] += [Word(w) for w in beats(beat, row.tolist())]
            out += beats(block.i_beat, compact(words, flags).tolist())
        uneven = kind == "extremes"
        if uneven:
            # A flag of an element that is not there.
            sent["i"] += [Word(w) for w in beats(block.i_beat, [1])]
            sent["flags"] += [Word(w) for w in beats(block.flags_beat, [1, 1])]
            out += beats(block.i_beat, [1])
        return Scenario(sent, {"o": out}, {"status": int(uneven)})

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return each beat but the first with the one before it, which it lets go."""
        return [(k + 1, k) for k in range(outputs - 1)]


class ExpandBench(Bench):
    """Packets of flags, and of the elements that go there; some have too few of these, or more."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        sent: dict[str, list[Word]] = {"flags": [], "i": []}
        out: list[int] = []
        packets = [(flags, int(flags.sum())) for flags in flags_of(kind, rng, block.lanes)]
        if kind == "extremes":
            full = 3 * block.lanes
            for count in (0, 1, full - block.lanes, full - 1, full + 1, full + 3 * block.lanes):
                # The one behind is whole.
                packets += [(np.ones(full, int), count), (np.ones(2, int), 2)]
            packets += [(np.zeros(full, int), 1), (np.ones(0, int), full), (np.ones(1, int), 1)]
        for flags, count in packets:
            words = rng.integers(0, 1 << block.width, count, dtype=np.uint64)
            rows = (("flags", block.flags_beat, flags), ("i", block.i_beat, words))
            for name, beat, row in rows:
                sent[name] += [Word(w) for w in beats(beat, row.tolist())]
            out += beats(block.i_beat, expand(words, flags).tolist())
        return Scenario(sent, {"o": out}, {"status": int(kind == "extremes")})
