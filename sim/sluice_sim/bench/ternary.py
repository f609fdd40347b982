"""Benches of compressed ternary weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.formats import FORMATS
from sluice_sim.bench.sparsity import flags_of
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.ternary import ternary_compress, ternary_decompress, ternary_dot

__all__ = ["TernaryCompressBench", "TernaryDecompressBench", "TernaryDotBench"]

# Flags, values, and whether the number of weights is odd.
Packet = tuple[NDArray[np.bool_], NDArray[np.uint64], bool]
# Flags, values, and numbers.
Product = tuple[NDArray[np.bool_], NDArray[np.uint64], NDArray[np.int64]]


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

    modules = ("sluice_sim.bench.tb_inputs", "sluice_sim.bench.tb_mistakes")

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


class TernaryDotBench(Bench):
    """Sums of all signs and sizes, out of range where a few beats can bring them there."""

    modules = ("sluice_sim.bench.tb_inputs", "sluice_sim.bench.tb_mistakes")
    ends: Iterable[int] = ()

    def __init__(self, block: Block):
        super().__init__(block)
        number = FORMATS[self.block.element]
        self.low, self.high = int(number.min), int(number.max)
        self.bits = FORMATS[self.block.target].width

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        packets: list[Product] = []
        # Wide ones are simulated slowly, and their packets are long.
        step = max(1, self.block.lanes // 16)
        for weights in [*weights_of(kind, rng, self.block.lanes)][::step]:
            if kind == "rate":
                # Packets of one beat and more, one behind the other.
                cuts = np.cumsum(rng.integers(1, 4, 14)) * self.block.lanes
                packets += [self.product(part, rng) for part in np.split(weights, cuts)[:-1]]
                continue
            ends = kind == "extremes" and rng.random() < 0.7
            packets.append(self.product(weights, rng, ends=ends))
        if kind == "extremes":
            packets += self.large(rng)
        return self.of(packets, rng)

    def product(
        self, weights: NDArray[np.int64], rng: np.random.Generator, *, ends: bool = False
    ) -> Product:
        """Return weights, compressed, and numbers: any, or the ends of their range."""
        flags, values, _ = ternary_compress(weights & 3)
        numbers = rng.integers(self.low, self.high, weights.size, endpoint=True)
        if ends:
            numbers = rng.choice([self.low, self.high], weights.size)
        return flags, values, numbers

    def large(self, rng: np.random.Generator) -> Iterable[Product]:
        """Yield the largest sums of a beat of either sign, and sums out of range, if they fit."""
        lanes = self.block.lanes
        beat = max(self.high, -self.low) * lanes
        out = (1 << self.bits - 1) // beat + 1
        for sign in (1, -1):
            for number in (self.low, self.high):
                for count in (1, 3, *((out, out + 3) if out < 300 else ())):
                    weights = np.full(count * lanes, sign)
                    flags, values, _ = ternary_compress(weights & 3)
                    yield flags, values, np.full(weights.size, number)
                    yield self.product(rng.choice([0, 1, -1], lanes), rng)
        if out < 300:
            # Out of range, and back.
            weights = np.repeat([1, -1], out * lanes)
            flags, values, _ = ternary_compress(weights & 3)
            yield flags, values, np.full(weights.size, self.high)

    def of(self, packets: Iterable[Product], rng: np.random.Generator) -> Scenario:
        """Return what is sent for packets, and what comes of them."""
        block = self.block
        sent: dict[str, list[Word]] = {"flags": [], "values": [], "i": []}
        out: list[int] = []
        ends: list[int] = []
        status = 0
        for flags, values, numbers in packets:
            for name, beat, row in (
                ("flags", block.flags_beat, flags.astype(int)),
                ("values", block.values_beat, values),
                ("i", block.i_beat, numbers),
            ):
                words = [soiled(beat, w, rng) for w in beats(beat, row.tolist())]
                if name == "i":
                    words = self.even(words, len(sent["flags"]) - len(sent["i"]))
                sent[name] += map(Word, words)
            total, left = ternary_dot(flags, values, numbers, lanes=block.lanes, bits=self.bits)
            out += beats(block.o_beat, [total])
            ends.append(len(sent["flags"]) - 1)
            uneven = -(-numbers.size // 2) != flags.size
            mismatch = int(flags.sum()) != values.size
            status |= int(uneven) | mismatch << 1 | left << 2
        self.ends = ends
        return Scenario(sent, {"o": out}, {"status": status})

    def even(self, words: list[int], count: int) -> list[int]:
        """Return as many beats as there are of flags; what is too much does not belong to them."""
        return words + [0] * (count - len(words))

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        return zip(self.ends, range(outputs), strict=True)

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield packets that fit, and others with a value or a number less, or more."""
        lanes = self.block.lanes
        for size in (1, lanes - 1, lanes, 2 * lanes - 3, 2 * lanes):
            flags, values, numbers = self.product(rng.choice([1, -1], size), rng)
            more = np.append(values, values[:1])
            # One number more than an odd number has is that of the weight that is missing.
            for came in (numbers, np.append(numbers, self.high)[: size + size % 2], numbers[:-2]):
                yield self.of([(flags, values, came), (flags, values, numbers)], rng)
            for given in (values[:-1], more, np.tile(values, 3)):
                behind = self.product(rng.choice([1, -1], 3), rng)
                yield self.of([(flags, given, numbers), behind], rng)
        for sign in (1, -1):
            yield from (self.of([p], rng) for p in self.near(sign))

    def near(self, sign: int) -> Iterable[Product]:
        """Yield sums at the end of the range, and one beyond it, if they fit."""
        lanes = self.block.lanes
        most = (1 << self.bits - 1) - (sign > 0)
        count = most // self.high
        if count > 300 * lanes:
            return
        for rest in (most % self.high, most % self.high + 1):
            numbers = np.append(np.full(count, self.high), rest)
            flags, values, _ = ternary_compress(np.full(numbers.size, sign) & 3)
            yield flags, values, numbers
