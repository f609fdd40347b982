"""Benches of what encodes sparse matrices and multiplies by them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.sparsity.sparse_command import encode_command
from sluice.sparsity.sparse_driver import Encoding, plan_sparse
from sluice_sim.bench.arith import float_words
from sluice_sim.bench.array import matrix_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats
from sluice_sim.golden.formats import FloatFormat, find_format
from sluice_sim.golden.sparse import accumulate_rows, encode_columns, multiply_sparse

__all__ = ["SparseEncoderBench", "SparseTimesDenseBench", "random_encoding"]

# Payloads by stream, results, and how many non-zeros are out of range.
Part = tuple[Mapping[str, Sequence[int]], list[int], int]


def random_encoding(
    operand: str, rng: np.random.Generator, shape: tuple[int, int], count: int
) -> Encoding:
    """Return a matrix of ``count`` non-zeros, of which some are zeros or in one place.

    Columns are in no order, some are likelier than others, and half of them are often empty.
    """
    rows = np.sort(rng.integers(0, shape[0], count))
    indices = rng.integers(0, shape[1], count)
    often = int(rng.integers(0, shape[1]))
    indices = np.where(rng.random(count) < rng.choice([0, 0.3, 0.9]), often, indices)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    values = matrix_words(operand, rng, (count,), zeros=0.05)
    return Encoding(shape, ptr, indices, values)


class SparseEncoderBench(Bench):
    """Matrices one after the other; some have columns that are not there, or change meanwhile."""

    def __init__(self, block: Block):
        super().__init__(block)
        # The bitmap is cleared or read, and nothing moves meanwhile.
        self.quiet = self.block.words + 60
        self.patience = 1000 + 2 * self.block.words
        self.resets = (self.block.words // 2 + 1, self.block.words + 20)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        made = self.block
        columns, most = made.columns, (1 << made.width) - 1
        if kind == "rate":
            zeros = np.zeros(60, np.int64)
            return self.join([(zeros, zeros)])
        if kind == "extremes":
            every = np.arange(columns)[: 4 * made.word + 3]
            # Marks of a word so close that none is back before the next.
            near = rng.integers(0, min(columns, 2 * made.word), 60)
            lists = [every[:0], every[:1], every, every[::-1], every[:0], near, near % made.word]
            lists += [np.repeat([0, columns - 1], 3), np.full(30, columns - 1)]
            pairs = [(given, given) for given in lists]
            far = np.array([0, columns, 1, most, most, columns - 1])
            pairs += [(far, far)] if most >= columns else []
            # The second time there is a column that was not marked.
            return self.join([*pairs, (every[:1], every[:2]), (every, every)])
        lists: list[NDArray[np.int64]] = []
        for length in rng.integers(0, 24, 6, endpoint=True):
            given = rng.integers(0, columns, int(length))
            near = rng.integers(0, min(columns, 3 * made.word), int(length))
            lists.append(np.where(rng.random(int(length)) < rng.choice([0, 0.5, 1]), near, given))
        return self.join([(given, given) for given in lists])

    def join(self, pairs: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> Scenario:
        """Return what encodes lists of columns, each with what comes the second time."""
        beat, columns = self.block.beat, self.block.columns
        most = (1 << self.block.width) - 1
        streams: dict[str, list[Word]] = {"i": [], "again": []}
        expected: dict[str, list[int]] = {"o": [], "place": []}
        wrong = unknown = 0
        for first, second in pairs:
            streams["i"] += [Word(w) for w in beats(beat, first.tolist())]
            streams["again"] += [Word(w) for w in beats(beat, second.tolist())]
            found, _ = encode_columns(first, columns)
            wrong += int((first >= columns).sum())
            missed = ~np.isin(second, found)
            unknown += int(missed.sum())
            places = np.where(missed, most, np.searchsorted(found, second))
            expected["o"] += beats(beat, found.tolist())
            expected["place"] += beats(beat, places.tolist())
        status = int(wrong > 0) | int(unknown > 0) << 1 | wrong << 2
        return Scenario(streams, expected, {"status": status})

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the last index, and the first column."""
        return [(inputs - 1, 0)]


class SparseTimesDenseBench(Bench):
    """Products one after the other, each loaded while the one before it leaves."""

    def __init__(self, block: Block):
        super().__init__(block)
        made = self.block
        words = made.slices**2 + 4 * made.slices
        self.quiet = 60 + made.latency + words
        # All sums are cleared first, and nothing moves meanwhile.
        self.patience = 1000 + made.sums * made.slices + 2 * words
        self.hold = 60 + 4 * made.slices
        # In the middle of clearing, and among products.
        whole = made.sums * made.slices
        self.resets = (7, whole + 40, whole + 77)
        self.formats = {name: getattr(made, name) for name in ("operand", "total", "flush")}
        names = ("lanes", "slices", "sums", "dense")
        self.sizes = {name: getattr(made, name) for name in names}

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        made = self.block
        if kind == "rate":
            return self.join([self.one_column(rng)])
        wide = made.lanes * made.slices
        limit = (1 << made.count_bits) - 1
        if kind == "extremes":
            shapes = [
                ((1, 1), 1, 1),
                ((2, 3), 0, made.lanes),
                ((min(3, limit), 5), 20, wide),
                ((1, 9), 6, 2 * made.lanes + 1),
                ((min(9, limit), 1), 12, 2),
            ]
            parts = [self.product(rng, *shape, special=True) for shape in shapes for _ in "ab"]
            wrong = [self.out_of_range(rng, transpose=bool(t)) for t in (0, 1)]
            good = self.product(rng, (2, 2), 3, 1)
            return self.join([*parts, *wrong, good])
        # More rows of sums, of the dense matrix and of beats than there is room for.
        small = max(made.sums, made.dense) <= 8
        shapes = [((2 * made.sums + 1, 2 * made.dense + 3), 30, 2)] * 2 if small else []
        shapes.append(((3, 4), 9, wide + made.lanes + 1))
        for _ in range(3):
            size = rng.integers(1, 8, 2)
            shapes.append(
                (
                    (int(size[0]), int(size[1])),
                    int(rng.integers(0, 16)),
                    int(rng.integers(1, wide + 1)),
                )
            )
        return self.join([self.product(rng, *shape) for shape in shapes])

    def join(self, parts: Iterable[Part]) -> Scenario:
        """Return what does all parts, one after the other."""
        streams: dict[str, list[Word]] = {name: [] for name in ("a", "place", "d", "command")}
        expected: list[int] = []
        wrong = 0
        for inputs, results, missed in parts:
            wrong += missed
            for name, words in inputs.items():
                streams[name] += map(Word, words)
            expected += results
        return Scenario(streams, {"o": expected}, {"status": int(wrong > 0) | wrong << 1})

    def product(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        count: int,
        width: int,
        *,
        special: bool = False,
    ) -> Part:
        """Return a product of random matrices, transposed or not, and its result."""
        made = self.block
        transpose = bool(rng.integers(0, 2))
        matrix = random_encoding(made.operand, rng, shape, count)
        size = (shape[0 if transpose else 1], width)
        d = matrix_words(made.operand, rng, size)
        number = find_format(made.operand)
        if special and isinstance(number, FloatFormat):
            d = float_words(number, rng, d.size).reshape(size)
        plan = plan_sparse(made, matrix, d, transpose=transpose)
        y = multiply_sparse(
            *(matrix.row_ptr, matrix.indices, matrix.values, d),
            columns=shape[1],
            transpose=transpose,
            **self.formats,
            **self.sizes,
        )
        results: list[int] = []
        for row, column, number_of in plan.parts:
            results += beats(made.o_beat, y[row, column : column + number_of].tolist())
        return plan.payloads(made), results, 0

    def by_hand(
        self,
        rows: Sequence[int],
        places: Sequence[int],
        d: NDArray[np.uint64],
        rng: np.random.Generator,
        **command: int,
    ) -> Part:
        """Return one command of these non-zeros, row by row, and its result."""
        made: Any = self.block
        count = command["a_rows"]
        at, taken = (places, rows) if command["transpose"] else (rows, places)
        values = matrix_words(made.operand, rng, (len(rows),))
        a: list[int] = []
        for row in range(count):
            chosen = np.flatnonzero(np.asarray(rows) == row)
            a += beats(made.a_beat, values[chosen].tolist())
        outputs, held = command["o_rows"], len(d)
        fine = [p < outputs and t < held for p, t in zip(at, taken, strict=True)]
        y = accumulate_rows(
            np.where(fine, at, -1),
            np.where(fine, taken, -1),
            values,
            d,
            outputs=outputs,
            banks=made.slices,
            **self.formats,
        )
        words = {"slices": 0, "beats": 0, "lanes": d.shape[1] - 1, "d_rows": held, **command}
        inputs = {
            "a": a,
            "place": beats(made.place_beat, list(places)),
            "d": [w for row in d.tolist() for w in beats(made.d_beat, row)],
            "command": [encode_command(made.count_bits, **words)],
        }
        results = [w for row in y.tolist() for w in beats(made.o_beat, row)]
        return inputs, results, fine.count(False)

    def one_column(self, rng: np.random.Generator) -> Part:
        """Multiply full rows of a matrix with one column, transposed: all go to the same sums."""
        made = self.block
        d = matrix_words(made.operand, rng, (2, made.lanes))
        rows = [0] * 25 + [1] * 30
        return self.by_hand(rows, [0] * 55, d, rng, transpose=1, a_rows=2, o_rows=1)

    def out_of_range(self, rng: np.random.Generator, *, transpose: bool) -> Part:
        """Multiply with three non-zeros of a place or a row that is not there."""
        d = matrix_words(self.block.operand, rng, (2, 1))
        most = (1 << self.block.count_bits) - 1
        rows, places = [0, 0, 0, 1, 1, 2, 2], [0, most, 1, 1, 2, 0, 1]
        if transpose:
            rows, places = [0, 0, 0, 1, 1, 2, 1], [1, most, 0, 0, 2, 0, 1]
            order = np.argsort(rows, kind="stable")
            rows, places = np.array(rows)[order].tolist(), np.array(places)[order].tolist()
        return self.by_hand(rows, places, d, rng, transpose=int(transpose), a_rows=3, o_rows=2)

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the last non-zero, and the first of the sums."""
        return [(inputs - 1, 0)]
