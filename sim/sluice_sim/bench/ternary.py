"""Benches of compressed ternary weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice_sim.bench.sparsity import flags_of
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.ternary import ternary_compress, ternary_decompress

__all__ = ["TernaryCompressBench", "TernaryDecompressBench"]

# Flags, values, and whether the number of weights is odd.
Packet = tuple[NDArray[np.bool_], NDArray[np.uint64], bool]


def codes_of(block: Any) -> tuple[int, int, int]:
    """Return the codes of 0, +1 and -1 that a block was made with."""
    zero, plus, minus = (int(code, 2) for code in block.codes.split(","))
    return zero, plus, minus


def weights_of(kind: str, rng: np.random.Generator, lanes: int) -> Iterable[NDArray[np.int64]]:
    """Yield weights of packets: of every length and density, and every pair of them."""
    for flags in flags_of(kind, rng, lanes):
        yield np.where(flags, rng.choice([1, -1], flags.size), 0)
    if kind == "extremes":
        both = np.array([[a, b] for a in (0, 1, -1) for b in (0, 1, -1)])
        # Each pair in each place, and with an odd one behind.
        for shift in range(0, lanes, 2):
            yield np.concatenate([np.zeros(shift, int), both.reshape(-1)])
            yield np.concatenate([np.zeros(shift, int), both.reshape(-1), [1]])


class TernaryCompressBench(Bench):
    """Weights of all densities, with illegal codes among them, or nothing else."""

    modules = ("sluice_sim.bench.tb_mistakes",)

    def __init__(self, block: Block):
        super().__init__(block)
        self.codes = codes_of(block)
        (self.wrong,) = {0, 1, 2, 3} - set(self.codes)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        table = np.array(self.codes)
        packets = [table[w] for w in weights_of(kind, rng, self.block.lanes)]
        if kind != "rate":
            packets = [self.soil(words, rng) for words in packets]
        return self.of(packets, rng)

    def soil(self, words: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return words of which some, or all, are illegal in one of four packets."""
        share = rng.choice([0, 0, 0, rng.choice([0.1, 0.9, 1])])
        return np.where(rng.random(words.size) < share, self.wrong, words)

    def of(self, packets: Iterable[NDArray[np.int64]], rng: np.random.Generator) -> Scenario:
        """Return what is sent for packets of codes, and what comes of them."""
        block = self.block
        sent: list[Word] = []
        out: dict[str, list[int]] = {"flags": [], "values": []}
        illegal = 0
        for words in packets:
            sent += [
                Word(soiled(block.i_beat, w, rng)) for w in beats(block.i_beat, words.tolist())
            ]
            flags, values, wrong = ternary_compress(words, codes=self.codes)
            out["flags"] += beats(block.flags_beat, flags.astype(int).tolist())
            out["values"] += beats(block.values_beat, values.tolist())
            illegal += wrong
        most = (1 << block.count_bits) - 1
        signals = {"status": int(illegal > 0), "illegal": min(illegal, most)}
        return Scenario({"i": sent}, out, signals)

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield one illegal code in a lane, and about as many as can be counted, or many."""
        lanes, most = self.block.lanes, (1 << self.block.count_bits) - 1
        for k in rng.permutation(lanes)[:8].tolist():
            yield self.of([np.append(np.full(k, self.codes[1]), self.wrong)], rng)
        most = min(most, 20 * lanes)
        for count in (most - 1, most, most + 1, 2 * most + 1):
            yield self.of([np.full(count, self.wrong)], rng)


class TernaryDecompressBench(Bench):
    """Flags and values of weights, in odd and even numbers; some have too few values, or more."""

    modules = ("sluice_sim.bench.tb_mistakes",)

    def __init__(self, block: Block):
        super().__init__(block)
        self.codes = codes_of(block)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        packets: list[Packet] = []
        for weights in weights_of(kind, rng, block.lanes):
            flags, values, _ = ternary_compress(np.array(self.codes)[weights], codes=self.codes)
            packets.append((flags, values, bool(weights.size % 2)))
        if kind == "extremes":
            packets += self.broken(rng)
        return self.of(packets, rng, mismatch=kind == "extremes")

    def broken(self, rng: np.random.Generator) -> Iterable[Packet]:
        """Yield packets with too few values, or more, and whole ones behind them."""
        pairs = self.block.pairs
        full = 3 * pairs
        for count in (0, 1, full - pairs, full - 1, full + 1, full + 3 * pairs):
            yield np.ones(full, bool), self.any_values(rng, count), bool(count % 2)
            yield np.ones(2, bool), self.any_values(rng, 2), False
        for flags, count in (([0] * full, 1), ([], full), ([1], 1), ([0], 2 * pairs)):
            yield np.array(flags, bool), self.any_values(rng, count), True
        for _ in range(30):
            flags = rng.random(5 * pairs) < 0.5
            count = int(rng.integers(0, flags.sum() + pairs, endpoint=True))
            yield flags, self.any_values(rng, count), bool(rng.random() < 0.5)

    def any_values(self, rng: np.random.Generator, count: int) -> NDArray[np.uint64]:
        return rng.integers(0, 8, count, dtype=np.uint64)

    def of(
        self, packets: Iterable[Packet], rng: np.random.Generator, *, mismatch: bool
    ) -> Scenario:
        """Return what is sent for packets, and what comes of them."""
        block = self.block
        sent: dict[str, list[Word]] = {"flags": [], "values": []}
        out: list[int] = []
        for flags, values, odd in packets:
            given = packet(block.flags_beat, flags.astype(int).tolist(), int(odd))
            sent["flags"] += [
                Word(soiled(block.flags_beat, w.payload, rng), w.config) for w in given
            ]
            came = beats(block.values_beat, values.tolist())
            sent["values"] += [Word(soiled(block.values_beat, w, rng)) for w in came]
            words = ternary_decompress(flags, values, odd=odd, codes=self.codes)
            out += beats(block.o_beat, words.tolist())
        return Scenario(sent, {"o": out}, {"status": int(mismatch)})

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield packets with as many values as flags, and others with one less or more, or many."""
        pairs = self.block.pairs
        for ones in (0, 1, pairs, pairs + 1, 2 * pairs):
            flags = np.arange(2 * pairs) < ones
            for wrong in (0, -1, 1, pairs, 2 * pairs):
                if ones + wrong >= 0:
                    # The one behind is whole.
                    behind = np.ones(3, bool), self.any_values(rng, 3), True
                    broken = flags, self.any_values(rng, ones + wrong), False
                    yield self.of([broken, behind], rng, mismatch=wrong != 0)
