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
from sluice_sim.golden.sparse import accumulate_rows, multiply_sparse

__all__ = ["SparseTimesDenseBench", "random_encoding"]

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
