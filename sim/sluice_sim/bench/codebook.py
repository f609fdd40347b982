"""Benches of product quantization."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.registers import pack_fields
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.codebook import product_decode, product_encode

__all__ = ["ProductDecodeBench", "ProductEncodeBench"]


class CodebookBench(Bench):
    """What both directions have in common: codebooks, loaded in turn into two banks.

    Attributes
    ----------
    takes : int, cycles
        Between the input's beats when nothing stalls.
    outputs : tuple of str
    holds : int
        Blocks that wait to enter the pipeline.
    """

    modules = (
        "sluice_sim.bench.tb_inputs",
        "sluice_sim.bench.tb_mistakes",
        "sluice_sim.bench.tb_moments",
    )
    outputs: tuple[str, ...] = ("o",)
    holds = 0

    def __init__(self, block: Block):
        super().__init__(block)
        self.takes = int(block.interval)
        count, most, depth = self.block.count, self.takes + block.latency, self.block.pipeline.depth
        # Whether the output queue is filled, which takes long where a block does.
        self.fills = self.takes * depth <= 300
        # Codebooks are loaded meanwhile, and the queue is filled.
        self.quiet = count + most + 60
        if self.fills:
            self.quiet += self.takes * (depth + 4)
        self.patience = 1000 + 40 * count + self.quiet
        self.hold = self.quiet - 20
        # While the first codebook is loaded, and when blocks are on the way.
        self.resets = (count // 2 + 1, count + 8, count + 2 * most + 20)
        self.moments = (("codebook", count // 2 + 1), ("i", 3), ("o", 2))

    def begin(self) -> None:
        self.sent: dict[str, list[Word]] = {"i": [], "codebook": []}
        self.out: dict[str, list[int]] = {name: [] for name in self.outputs}
        # The one that is not in use is loaded.
        self.banks: list[NDArray[Any]] = [np.zeros((0, self.block.lanes), int)] * 2

    def end(self, status: int = 0) -> Scenario:
        return Scenario(self.sent, self.out, {"status": status})

    def words(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        """Return codewords, as numbers or bit patterns."""
        raise NotImplementedError

    def load(self, rng: np.random.Generator, size: int | None = None, spare: int = 0) -> None:
        """Send a packet of ``size`` codewords, the last of them without ``spare`` elements."""
        block = self.block
        given = self.words(rng, block.count if size is None else size)
        sent = given.ravel().tolist()
        sent = sent[: len(sent) - spare]
        self.sent["codebook"] += [Word(soiled(block.beat, w, rng)) for w in beats(block.beat, sent)]
        whole = min(len(sent) // block.lanes, block.count)
        self.banks.reverse()
        self.banks[0] = np.concatenate([given[:whole], self.banks[0][whole:]])

    def add(self, rng: np.random.Generator, length: int, *, fresh: bool = False) -> None:
        """Send a packet of so many blocks."""
        raise NotImplementedError

    def change(self, rng: np.random.Generator, length: int, **size: int) -> None:
        """Send a packet with a codebook of its own."""
        self.load(rng, **size)
        self.add(rng, length, fresh=True)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        self.begin()
        if kind == "rate":
            # Codebooks one behind the other, a block too late, and just in time.
            enough = -(-(block.count + block.gap) // self.takes)
            self.lengths = [1, 1, 2, enough - 1, enough, enough, enough + 3, 1]
            for length in self.lengths:
                self.change(rng, length)
            return self.end()
        if kind == "extremes":
            for size in (*[block.count] * 2, block.count - 1, block.count + 1):
                self.change(rng, 3, size=size)
                self.add(rng, 2)
            for size, spare in ((1, 0), (0, 0), (block.count, 1), (block.count, 0)):
                self.change(rng, 2 + block.count // 8, size=size, spare=spare)
            self.change(rng, 2, size=block.count + 3)
            return self.end(status=1)
        # More than there is room for.
        self.change(rng, block.pipeline.depth + 4 if self.fills else 3)
        for _ in range(24):
            length = int(rng.integers(0, 6, endpoint=True))
            if rng.random() < 0.4:
                self.change(rng, length)
            else:
                self.add(rng, length)
        return self.end()

    def brief(self, rng: np.random.Generator) -> Scenario:
        """Return three packets, with two codebooks."""
        self.begin()
        for length in (2, 3):
            self.change(rng, length)
        self.add(rng, 1)
        return self.end()

    def check_held(self, name: str, taken: Mapping[str, int]) -> None:
        """As many blocks are taken as there is room for, and what waits in front of that."""
        if self.fills:
            assert taken["i"] == self.block.pipeline.depth + self.holds, taken

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield codebooks of which one is too short or too long, or has part of a codeword."""
        block = self.block
        sizes = [(0, 0), (-1, 0), (1, 0), (block.count, 0), (-block.count, 0), (0, 1), (1, 1)]
        for more, spare in sizes:
            self.begin()
            for extra, less in ((0, 0), (0, 0), (more, spare), (0, 0)):
                self.change(rng, 3, size=block.count + extra, spare=less)
            # Of one lane, a codeword that lacks an element is an empty beat, behind all others.
            wrong = (more, spare) not in {(0, 0), (1, block.lanes)}
            yield self.end(status=int(wrong))

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Hold the input to its interval, but where a codebook is not loaded yet."""
        block, i = self.block, moved["i"]
        for name in self.outputs:
            waits = {b - a for a, b in zip(i, moved[name], strict=True)}
            assert waits == {block.latency}, f"{name} came after {waits} cycles"
        loads = block.count + block.gap
        promised: list[int] = []
        for length in self.lengths:
            promised += [self.takes] * (length - 1)
            promised.append(max(self.takes, loads - (length - 1) * self.takes))
        gaps = np.diff(i).tolist()
        assert gaps == promised[:-1], f"blocks came after {gaps} cycles, promised {promised}"


class ProductDecodeBench(CodebookBench):
    """Indices of every kind, in packets of which some lack elements in the end."""

    def words(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        block = self.block
        width = block.beat.element_width
        return rng.integers(0, 1 << width, (count, block.lanes), dtype=np.uint64)

    def add(self, rng: np.random.Generator, length: int, *, fresh: bool = False) -> None:
        block = self.block
        settings = block.config.shape()
        most = settings["spare"].shape
        # More than there are lanes is as many.
        spare = int(rng.integers(0, len(most) if isinstance(most, range) else block.lanes))
        if rng.random() < 0.5:
            spare = 0
        indices = rng.integers(0, block.count, length)
        if length and rng.random() < 0.3:
            indices[:] = rng.choice([0, block.count - 1], length)
        config = pack_fields(settings, {"fresh": int(fresh), "spare": spare})
        words = packet(block.i_beat, indices.tolist(), config)
        self.sent["i"] += [Word(soiled(block.i_beat, w.payload, rng), w.config) for w in words]
        spare = min(spare, block.lanes)
        found = product_decode(indices, self.banks[0], spare=spare if length else 0)
        given = beats(block.beat, found.tolist())
        if spare == block.lanes and length > 1:
            # A last beat that keeps nothing.
            given = [w & ~(1 << block.beat.data_bits + block.lanes) for w in given]
            given += beats(block.beat, [])
        self.out["o"] += given


class ProductEncodeBench(CodebookBench):
    """Blocks at codewords, next to them, half way between two, and anywhere."""

    outputs = ("o", "squares")
    holds = 1

    def __init__(self, block: Block):
        super().__init__(block)
        self.low, self.high = int(self.block.number.min), int(self.block.number.max)

    def words(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        lanes = self.block.lanes
        found = rng.integers(self.low, self.high, (count, lanes), endpoint=True)
        kind = rng.integers(0, 4)
        if kind == 0:
            # All so near to each other that many are as far from a block, or equal.
            found = rng.integers(self.low, self.high) + rng.integers(-1, 2, (count, lanes))
        elif kind == 1:
            found = rng.choice([self.low, self.high], (count, lanes))
        elif kind == 2 and count:
            found = found[rng.integers(0, count, count)]
        return np.clip(found, self.low, self.high)

    def add(self, rng: np.random.Generator, length: int, *, fresh: bool = False) -> None:
        block, book = self.block, self.banks[0]
        size = (length, block.lanes)
        found = rng.integers(self.low, self.high, size, endpoint=True)
        one, other = (book[rng.integers(0, block.count, length)] for _ in range(2))
        near = one + rng.integers(-1, 2, size)
        ends = rng.choice([self.low, self.high], size)
        # The last of them are as far from a codeword as can be.
        far = np.where(2 * one > self.low + self.high, self.low, self.high)
        kinds = rng.integers(0, 6, (length, 1))
        found = np.choose(kinds, [found, one, near, (one + other) // 2, ends, far])
        elements = np.clip(found, self.low, self.high).ravel()
        if length and rng.random() < 0.5:
            elements = elements[: elements.size - int(rng.integers(0, block.lanes))]
        words = packet(block.beat, elements.tolist(), int(fresh))
        self.sent["i"] += [Word(soiled(block.beat, w.payload, rng), w.config) for w in words]
        indices, squares = product_encode(elements, book)
        self.out["o"] += beats(block.o_beat, indices.tolist())
        self.out["squares"] += beats(block.squares_beat, squares.tolist())
