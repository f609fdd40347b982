"""Benches of the blocks that leave out what is zero."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sluice.block import Block
from sluice.formats import Fixed, Float, Format
from sluice.registers import pack_fields
from sluice.sparsity import magnitude_bits
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.sparsity import (
    compact,
    expand,
    histogram,
    magnitudes,
    mask_words,
    prune,
    relu_compress,
    relu_decompress,
)

__all__ = [
    "CompactBench",
    "ExpandBench",
    "HistogramBench",
    "MaskMemoryBench",
    "PruneBench",
    "ReluCompressBench",
    "ReluDecompressBench",
]


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
            for _ in range(40):
                flags = rng.integers(0, 2, 5 * block.lanes)
                packets.append((flags, int(rng.integers(0, flags.sum(), endpoint=True))))
            # All lanes have a flag, and one is kept.
            words = rng.integers(0, 1 << block.width, block.lanes, dtype=np.uint64).tolist()
            (full_beat,) = beats(block.flags_beat, [1] * block.lanes)
            sent["flags"].append(Word(full_beat & ~(((1 << block.lanes) - 2) << block.lanes)))
            sent["i"] += [Word(w) for w in beats(block.i_beat, words)]
            out += beats(block.i_beat, words[:1])
        for flags, count in packets:
            words = rng.integers(0, 1 << block.width, count, dtype=np.uint64)
            sent["flags"] += [Word(w) for w in beats(block.flags_beat, flags.tolist())]
            came = beats(block.i_beat, words.tolist())
            sent["i"] += [Word(soiled(block.i_beat, w, rng)) for w in came]
            out += beats(block.i_beat, expand(words, flags).tolist())
        return Scenario(sent, {"o": out}, {"status": int(kind == "extremes")})


def tensors_of(kind: str, rng: np.random.Generator, block: Any) -> Iterable[np.ndarray]:
    """Yield packets for blocks of ``block.block`` elements, some at the border to raw ones."""
    if kind == "rate":
        size = max(40 * block.lanes, 3 * block.block)
        yield rng.integers(1, 1 << block.width, size, dtype=np.uint64)
        return
    for flags in flags_of(kind, rng, block.lanes):
        yield np.where(flags, rng.integers(1, 1 << block.width, flags.size, dtype=np.uint64), 0)
    size, width = block.block, block.width
    if kind == "random":
        for length in rng.integers(0, 3 * size, 6, endpoint=True).tolist():
            density = np.repeat(rng.choice([0, 0.5, 0.9, 1], 3), size)[:length]
            full = rng.integers(1, 1 << width, length, dtype=np.uint64)
            yield np.where(rng.random(length) < density, full, 0)
    if kind == "extremes":
        # The only bit that is set is the first one, or the last, as that of a negative zero.
        for bit in (0, width - 1):
            yield np.full(size, 1 << bit, np.uint64)
        for length in (size, size - block.lanes, size - 1, size + 1):
            for zeros in range(length // width - 1, length // width + 3):
                if 0 <= zeros <= length:
                    found = np.ones(length, np.uint64)
                    found[rng.permutation(length)[:zeros]] = 0
                    # A block of another kind behind, and before.
                    yield np.concatenate([found, np.zeros(size, np.uint64)][: 1 + (length == size)])
                    yield np.concatenate([np.zeros(size, np.uint64), found])


class ReluCompressBench(Bench):
    """Tensors of all densities, in blocks of both kinds."""

    quiet = 200

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        sent: list[Word] = []
        out: dict[str, list[int]] = {"o": [], "bitmap": [], "counts": []}
        for words in tensors_of(kind, rng, block):
            sent += [Word(w) for w in beats(block.i_beat, words.tolist())]
            found = relu_compress(words, block=block.block, width=block.width)
            shapes = (block.i_beat, block.bits_beat, block.counts_beat)
            for name, beat, row in zip(out, shapes, found, strict=True):
                out[name] += beats(beat, row.tolist())
        return Scenario({"i": sent}, out)

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the last beat of the first block, and the first one that leaves."""
        return [(self.block.beats - 1, 0)]


class ReluDecompressBench(Bench):
    """Tensors as they were compressed, some of them cut out of a longer one, some broken."""

    # The last one hits a beat as it enters the datapath.
    resets = (5, 6)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        # The first one is timed, and settings go with it.
        names = ("bitmap", "counts", "i") if kind == "rate" else ("counts", "bitmap", "i")
        sent: dict[str, list[Word]] = {name: [] for name in names}
        out: dict[str, list[int]] = {"o": []}
        if block.derivative:
            out["bits"] = []

        def add(stored: Any, bits: Any, counts: Any, found: Any, skip: int = 0) -> None:
            before = rng.integers(0, 1 << block.width, skip, dtype=np.uint64).tolist()
            for name, beat, row in (
                ("counts", block.counts_beat, counts),
                ("bitmap", block.bits_beat, bits),
                ("i", block.i_beat, [*before, *stored]),
            ):
                config = skip if name == names[0] else None
                words = packet(beat, [int(x) for x in row], config)
                # Counts come long before the bitmap with which their settings go there.
                timed = kind == "rate" and name == names[0]
                sent[name] += [Word(w.payload, skip) for w in words] if timed else words
            out["o"] += beats(block.i_beat, [int(x) for x in found])
            if block.derivative:
                out["bits"] += beats(block.bits_beat, [int(x != 0) for x in found])

        tensors = list(tensors_of(kind, rng, block))
        if kind == "rate":
            tensors = [np.where(np.arange(t.size) % 2, t, np.uint64(0)) for t in tensors] * 3
        for words in tensors:
            stored, bits, counts = relu_compress(words, block=block.block, width=block.width)
            assert (relu_decompress(stored, bits, counts, block=block.block) == words).all()
            skip = 0 if kind == "rate" else int(rng.integers(0, block.lanes))
            add(stored, bits, counts, words, skip)
        if kind == "extremes":
            size = block.block
            ones, zeros = np.ones(size, int), np.zeros(size, int)
            # Bits beyond those of the blocks are dropped, and missing ones are zeros.
            add([1] * size, [*ones, *ones], [size], ones)
            add([1] * size, [*ones, 1], [1 << 15 | size], ones)
            add([1] * size, ones, [size, 0, 0], [*ones, *zeros, *zeros])
            add([1] * size, [], [0, 1 << 15 | size], [*zeros, *ones])
            # Elements beyond those of the blocks are dropped as well.
            add([1] * (size + 1), ones, [size], ones)
            add([1] * (size - 1), [], [1 << 15 | size], [*ones[1:], 0])
            for _ in range(10):
                words = np.where(rng.random(3 * size) < 0.6, np.uint64(1), np.uint64(0))
                stored, bits, counts = relu_compress(words, block=size, width=block.width)
                stored = stored[: int(rng.integers(0, stored.size))]
                add(stored, bits, counts, relu_decompress(stored, bits, counts, block=size))
            if size > block.lanes:
                # A bitmap that ends within a block ends it.
                short = ones[: block.lanes]
                add(short, short, [size, 1 << 15 | 1], [*short, 0])
            add([3], [], [1 << 15 | 1], [3])
        return Scenario(sent, out, {"status": 3 * int(kind == "extremes")})


def kind_of(number: Format) -> dict[str, Any]:
    """Return what the golden models must know of a format."""
    signed = isinstance(number, Fixed) and number.is_signed
    return {"width": number.width, "signed": signed, "is_float": isinstance(number, Float)}


class PruneBench(Bench):
    """Packets with equal elements among them, and every threshold and number to keep."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        number, group, width = block.number, block.group, block.width
        layout = block.config.shape()
        sent: list[Word] = []
        out: dict[str, list[int]] = {"o": [], "bits": []}
        top = (1 << magnitude_bits(number)) - 1
        # The most negative integer, zeros, NaN and infinities, and what is next to them.
        ends = [x & (1 << width) - 1 for x in (0, 1, -1, 1 << width - 1, (1 << width - 1) - 1)]
        for length in rng.integers(0, 5 * block.lanes, 40, endpoint=True).tolist():
            words = rng.integers(0, 1 << width, length, dtype=np.uint64)
            threshold, most = int(rng.integers(0, top)), int(rng.integers(0, group, endpoint=True))
            if kind == "rate":
                words = rng.integers(0, 1 << width, 40 * block.lanes, dtype=np.uint64)
            elif kind == "extremes" or rng.random() < 0.5:
                # Few kinds of them, so that many are equal.
                words = rng.choice(np.array(ends, np.uint64), length)
                threshold = int(rng.choice([0, 1, top, top - 1, top // 2 + 1]))
            if rng.random() < 0.5:
                threshold = 0
            kept = prune(
                words,
                threshold=threshold,
                most=most,
                group=group,
                **kind_of(number),
            )
            config = pack_fields(layout, {"threshold": threshold, "most": most})
            sent += packet(block.i_beat, words.tolist(), config)
            out["o"] += beats(block.i_beat, np.where(kept, words, 0).tolist())
            out["bits"] += beats(block.bits_beat, kept.astype(int).tolist())
            if kind == "rate":
                break
        return Scenario({"i": sent}, out)


class HistogramBench(Bench):
    """Packets of few kinds of magnitudes and of many, and every number that may be kept."""

    def __init__(self, block: Block):
        super().__init__(block)
        # Bins are cleared or read, and nothing moves meanwhile.
        self.quiet = self.block.bins + 60
        self.patience = 1000 + 2 * self.block.bins
        self.resets = (self.block.bins // 2 + 1, self.block.bins + 20, self.block.bins + 43)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        fits = (1 << block.width) - 1
        sent: list[Word] = []
        out: dict[str, list[int]] = {"o": [], "threshold": []}
        overflow = int(kind == "extremes" and block.width == 8)

        def add(words: np.ndarray, most: int) -> None:
            sizes = magnitudes(words, **kind_of(block.number))
            counts, threshold = histogram(sizes, bins=block.bins, most=most, bits=block.bits)
            config = pack_fields(block.config.shape(), {"most": most})
            sent.extend(packet(block.i_beat, words.tolist(), config))
            out["o"] += beats(block.o_beat, counts.tolist())
            out["threshold"] += beats(block.threshold_beat, [threshold])

        for words in self.packets(kind, rng):
            any_of = [0, 1, int(rng.integers(0, words.size + 2)), words.size, fits]
            most = any_of[rng.integers(0, 5)]
            add(words, min(most, fits))
        if overflow:
            # More elements than can be told, in two bins of which each can be.
            add(np.array([0, 1 << block.bits - 1] * 129, np.uint64), fits)
        return Scenario({"i": sent}, out, {"status": overflow})

    def packets(self, kind: str, rng: np.random.Generator) -> Iterable[np.ndarray]:
        """Yield packets of bit patterns."""
        lanes, width = self.block.lanes, self.block.number.width
        if kind == "rate":
            yield np.zeros(40 * lanes, np.uint64)
            return
        ends = [x & (1 << width) - 1 for x in (0, 1, -1, 1 << width - 1, (1 << width - 1) - 1)]
        if kind == "extremes":
            for length in (0, 1, lanes, lanes + 1, 0, 3 * lanes - 1):
                for end in ends:
                    yield np.full(length, end, np.uint64)
            return
        for length in rng.integers(0, 12 * lanes, 8, endpoint=True).tolist():
            # One bin again and again, and others at every distance from it.
            few = rng.integers(0, 1 << width, 3, dtype=np.uint64)
            words = rng.integers(0, 1 << width, length, dtype=np.uint64)
            yield np.where(
                rng.random(length) < rng.choice([0, 0.5, 0.9]), rng.choice(few, length), words
            )

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the last beat, and the first count."""
        return [(inputs - 1, 0)]

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        counts = moved["o"]
        assert counts[-1] - counts[0] == self.block.bins - 1, "there is a gap between counts"


class MaskMemoryBench(Bench):
    """Packets that store their bits, and others that are masked with these or older ones."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        lanes, count = block.lanes, block.beats
        layout = block.config.shape()
        memory = np.zeros((count, lanes), bool)
        sent: list[Word] = []
        out: list[int] = []

        def add(words: np.ndarray, *, store: bool, at: int) -> None:
            left = mask_words(words, memory, store=store, at=at)
            config = pack_fields(layout, {"store": int(store), "at": at})
            sent.extend(packet(block.beat, words.tolist(), config))
            out.extend(beats(block.beat, left.tolist()))

        def words(length: int) -> np.ndarray:
            # A single bit is set, so that each counts, or none.
            bits = np.uint64(1) << rng.integers(
                0, block.beat.element_width, length, dtype=np.uint64
            )
            return np.where(rng.random(length) < 0.5, bits, np.uint64(0))

        everything = min(count, 64) * lanes
        begin = int(rng.integers(0, count))
        add(words(everything), store=True, at=begin)
        if kind == "rate":
            return Scenario({"i": sent}, {"o": out})
        for _ in range(30):
            length = int(rng.integers(0, min(count, 6) * lanes, endpoint=True))
            if kind == "extremes":
                length = int(rng.choice([0, 1, lanes, min(count, 3) * lanes - 1]))
            # The end of the memory, and what was stored last, in the cycles after that.
            at = int(rng.choice([count - 1, 0, begin]))
            at = (at + int(rng.integers(0, 3))) % count
            known = (at - begin) % count
            if known + min(count, 6) > everything // lanes:
                at = begin
            add(words(length), store=bool(rng.random() < 0.4), at=at)
        return Scenario({"i": sent}, {"o": out})
