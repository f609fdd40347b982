"""Bench of products with a matrix of indices into a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.compression.gather_walk import encode_command
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, soiled
from sluice_sim.golden.gather import centroid_matmul

__all__ = ["CentroidMatmulBench"]

# Packets that may be on their way in the sums.
_PACKETS = 4


@dataclass
class Product:
    """What takes cycles: rows of indices that are loaded, or none; vectors, and their lines.

    Attributes
    ----------
    loads : int
        Beats of indices that are loaded.
    beats : int
        Of a vector, and of a line.
    vectors : int
    centroids : list of int
        Of each line.
    """

    loads: int
    beats: int
    vectors: int
    centroids: list[int]


class CentroidMatmulBench(Bench):
    """Products of all shapes, straight and transposed, with matrices swapped on the way."""

    modules = (
        "sluice_sim.bench.tb_inputs",
        "sluice_sim.bench.tb_mistakes",
        "sluice_sim.bench.tb_moments",
    )
    moments = (("indices", 4), ("x", 2), ("command", 2), ("table", 3), ("o", 2), ("o", 5))

    def __init__(self, block: Block):
        super().__init__(block)
        self.count = 1 << self.block.index_bits
        # The sums are cleared first, and there may be a table and two matrices to load.
        self.hold = 4 * self.count + 24 * self.block.lanes + 100
        self.quiet = self.hold + 20
        self.patience = 1000 + 20 * self.count
        self.resets = (self.count, 2 * self.count + 15, 3 * self.count + 40)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        lanes = self.block.lanes
        self.begin()
        if kind == "rate":
            return self.rate(rng)
        if kind == "extremes":
            sizes = (1, lanes - 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes)
            for rows in sizes:
                columns = int(rng.choice(sizes[:3] if rows > lanes else sizes))
                for fresh in (True, False):
                    self.add(rng, rows, columns, int(rng.integers(1, 3)), fresh=fresh, ends=True)
            self.add(rng, 1, 1, 1)
            for count in range(3, 9):
                self.add(rng, count * lanes - int(rng.integers(0, 2)), 1, 2, transpose=False)
            # As much as there is room for, or as can be counted, each way.
            most = min(1 << self.block.count_bits, 256)
            wide = min(self.block.blocks * lanes, most)
            inner = min(self.block.beats * lanes, wide)
            self.add(rng, inner, 1, 1, transpose=False)
            self.add(rng, 1, inner, 1, transpose=True)
            self.add(rng, wide, 1, 1, transpose=True)
            self.add(rng, 1, wide, 1, transpose=False)
            # Two blocks one way, and many the other, of which every bit counts.
            columns = min(self.block.blocks // 2 * lanes, inner) - lanes
            for transpose in (True, False):
                self.add(rng, lanes + 1, columns, 1, fresh=transpose, transpose=transpose)
            for vectors in (most, int(rng.integers(most // 2, most))):
                self.add(rng, 1, 1, vectors)
            return self.end()
        for _ in range(6):
            # Of three blocks one way, of two the other.
            sizes = int(rng.integers(1, 2 * lanes + 2)), int(rng.integers(1, 2 * lanes + 1))
            rows, columns = rng.permutation(sizes).tolist()
            self.add(rng, rows, columns, int(rng.integers(1, 4)))
            for _ in range(int(rng.integers(0, 3))):
                self.add(rng, rows, columns, int(rng.integers(1, 3)), fresh=False)
        return self.end()

    def brief(self, rng: np.random.Generator) -> Scenario:
        """Return two small products."""
        self.begin()
        for fresh in (True, False):
            self.add(rng, 3, self.block.lanes + 1, 2, fresh=fresh)
        return self.end()

    def rate(self, rng: np.random.Generator) -> Scenario:
        """Return products of all paces, the last of which has more beats of vectors than all."""
        made = self.block
        lanes, beats, most = made.lanes, made.gap + 1, min(self.count, made.lanes + 1)
        self.add(rng, 2 * lanes, 3, 2, some=most, transpose=False)
        self.add(rng, 2 * lanes, 3, 2, fresh=False, transpose=True)
        # Loaded beside the one before it.
        self.add(rng, lanes, 2, 3, some=1, transpose=False)
        self.add(rng, beats * lanes, 2, 2, some=2, transpose=False)
        self.add(rng, 1, beats * lanes, 1, some=2, transpose=True)
        # What was sent ahead while a table was loaded has gone after a few pauses.
        self.add(rng, beats * lanes, 1, 1, some=1, transpose=False)
        for _ in range(4):
            self.add(rng, beats * lanes, 1, 1, fresh=False, transpose=False)
        vectors = len(self.sent["x"]) // beats + 12
        self.add(rng, beats * lanes, 1, vectors, fresh=False, transpose=False)
        return self.end()

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield packets and tables of wrong lengths, and sums that fit, or do not."""
        made = self.block
        lanes = made.lanes
        for more in (-1, 0, 1, self.count):
            self.begin()
            self.add(rng, 2, 3, 1, some=1, more=more)
            yield self.end(status=2 if more else 0)
        for name in ("x", "indices"):
            for wrong in ("short", "long", "full", "longest"):
                self.begin()
                # The last row, so that nothing comes behind it in its block.
                self.add(rng, lanes, lanes, 1)
                self.add(rng, 2, lanes, 1, transpose=True)
                self.spoil(name, wrong)
                if name == "x":
                    self.add(rng, lanes, 3, 1, transpose=True)
                yield self.end(status=1)
        source = made.dot.source
        least, top = int(source.min), int(source.max)
        room = min(made.beats, made.blocks)
        for value in (least, top):
            size = (1 << made.sum_bits - 1) // abs(value) if value else room
            size -= value > 0 and size * value == 1 << made.sum_bits - 1
            # A tree sums all lanes.
            for rows in (size, size + 1):
                if rows > room:
                    break
                self.begin()
                x = np.full((1, rows * lanes), value)
                if made.sums == "bins":
                    x.reshape(-1, lanes)[:, 1:] = 0
                self.add(rng, rows * lanes, 1, 1, some=1, transpose=False, x=x)
                if rows == size:
                    yield self.end()
                else:
                    # Anything comes.
                    yield Scenario(self.sent, {}, {"status": 4})

    def spoil(self, name: str, wrong: str) -> None:
        """Let the last packet, of one full beat, be another one, with the same elements."""
        beat = self.block.x_beat if name == "x" else self.block.indices_beat
        word = self.sent[name].pop().payload
        keep, last = 1 << beat.data_bits + beat.lanes - 1, 1 << beat.size - 1
        extra = {"long": last, "full": last | keep, "longest": last}.get(wrong)
        if extra is None:
            self.sent[name].append(Word(word & ~keep))
            return
        middle = 2 * self.block.beats - 1 if (wrong, name) == ("longest", "x") else 0
        words = [word & ~last, *[word & ~last] * middle, extra]
        self.sent[name] += [Word(w) for w in words]

    def begin(self) -> None:
        self.sent: dict[str, list[Word]] = {"x": [], "indices": [], "table": [], "command": []}
        self.out: list[int] = []
        self.products: list[Product] = []

    def end(self, status: int = 0) -> Scenario:
        return Scenario(self.sent, {"o": self.out}, {"status": status})

    def add(
        self,
        rng: np.random.Generator,
        rows: int,
        columns: int,
        vectors: int,
        *,
        fresh: bool = True,
        transpose: bool | None = None,
        ends: bool = False,
        some: int | None = None,
        more: int = 0,
        x: Any = None,
    ) -> None:
        """Multiply random vectors; without ``fresh`` with the matrix of before.

        ``some`` is how many centroids there are at most; there are so many ``more`` in the table.
        """
        made = self.block
        if transpose is None:
            transpose = bool(rng.integers(0, 2))
        if fresh:
            several = rng.permutation(self.count)[: some or self.count]
            if some == 1:
                several = np.zeros(1, np.int64)
            self.matrix = rng.choice(several, (rows, columns))
            self.table = self.numbers(rng, made.dot.factor, (self.count + more,), ends)
            self.send("table", made.table_beat, [self.table], rng)
            self.send("indices", made.indices_beat, self.matrix, rng)
        if x is None:
            x = self.numbers(rng, made.dot.source, (vectors, columns if transpose else rows), ends)
        self.send("x", made.x_beat, x, rng)
        counts = {"last_row": rows - 1, "last_column": columns - 1, "last_vector": vectors - 1}
        flags = {"fresh": int(fresh), "transpose": int(transpose)}
        self.sent["command"].append(Word(encode_command(made.count_bits, **flags, **counts)))
        y = centroid_matmul(x, self.matrix, self.table, transpose=transpose)
        for row in y.tolist():
            self.out += beats(made.dot.o.payload.shape(), row)
        lines = self.matrix if transpose else self.matrix.T
        self.products.append(
            Product(
                rows * -(-columns // made.lanes) if fresh else 0,
                -(-x.shape[1] // made.lanes),
                vectors,
                [len(np.unique(line)) for line in lines],
            )
        )

    def numbers(
        self, rng: np.random.Generator, number: Any, shape: tuple[int, ...], ends: bool
    ) -> NDArray[np.int64]:
        low, high = int(number.min), int(number.max)
        if ends:
            return rng.choice([low, high, 0], shape)
        return rng.integers(low, high, shape, endpoint=True)

    def send(self, name: str, beat: Any, rows: Any, rng: np.random.Generator) -> None:
        for row in rows:
            self.sent[name] += [Word(soiled(beat, w, rng)) for w in beats(beat, row.tolist())]

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        """Return a beat of the last product, as late as the last one of a vector of one beat.

        The vector behind comes while it is summed, a beat per cycle.
        """
        size, vectors = self.products[-1].beats, self.products[-1].vectors
        later = inputs - (vectors - 3) * size
        return ((later + size - 2, outputs - vectors + 2),)

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Hold vectors, rows of indices and results to the cycles in which they should move.

        The first beat of all, and when a table is there, are taken as they are.
        """
        made = self.block
        dot, queue, way = made.dot, made.pipeline.depth, made.pipeline.latency
        trees = made.sums == "trees"
        settles = max(0, (made.lanes - 1).bit_length() - 1) if trees else 0
        frees = 1 + max(0, 2 - settles)
        table = iter(moved["table"])
        # Steps of the walk, what leaves its queue, beats that the sums take, ends of drains, and
        # results. Both banks are drained first.
        steps: list[int] = []
        queued: list[int] = [0]
        taken: list[int] = [0, 0]
        begin = moved["x"][0]
        drained = [begin + self.count, begin + 2 * self.count + 1]
        found: dict[str, list[int]] = {"x": [], "indices": [], "o": []}
        left = [begin - 1, begin - 1]
        first, asked, tables = 0, moved["indices"][0], 0
        for product in self.products:
            if product.loads:
                found["indices"] += range(asked, asked + product.loads)
                # That the last of it is written is known two cycles later.
                first = max(first, found["indices"][-1] + 3)
                tables = [next(table) for _ in range(self.count)][-1] + 2
            # The next matrix may be loaded when this product has begun.
            asked = first + (product.loads > 0)
            for vector in range(product.vectors):
                free = max(left[-2] + 1, found["x"][-1] + 1 if steps else begin)
                found["x"] += range(free, free + product.beats)
                first = max(first, found["x"][-1] + 1)
                for line, centroids in enumerate(product.centroids):
                    start = drained[-2] + frees
                    if len(found["o"]) >= _PACKETS:
                        start = max(start, found["o"][-_PACKETS] + 1)
                    if product.loads and not vector and not line:
                        start = max(start, tables)
                    for _ in range(product.beats):
                        if len(steps) >= queue:
                            first = max(first, queued[-queue] + 1)
                        steps.append(first)
                        # There are two places between the queue and the sums.
                        queued.append(max(queued[-1] + 1, first + way, taken[-2] + 1))
                        taken.append(max(taken[-1] + 1, queued[-1] + 1, start))
                        first += 1
                    begins = max(taken[-1] + 2 + settles, drained[-1] + 1)
                    drained.append(begins + centroids)
                    found["o"].append(drained[-1] + dot.latency - 3 - settles)
                left.append(steps[-1])
            first = steps[-1] + 3
        for name, cycles in found.items():
            pairs = list(zip(moved[name], cycles, strict=True))
            wrong = [(k, *pair) for k, pair in enumerate(pairs) if pair[0] != pair[1]]
            assert not wrong, f"{name}: beat, its cycle, and that it should have: {wrong[:3]}"
