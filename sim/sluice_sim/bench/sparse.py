"""Benches of what encodes sparse matrices and multiplies by them."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.sparsity.sparse_command import command_layout, encode_command
from sluice.sparsity.sparse_driver import Encoding, SparseProduct, plan_sparse
from sluice_sim.bench.arith import float_words
from sluice_sim.bench.array import matrix_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, pack
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

    modules = ("sluice_sim.bench.tb_moments", "sluice_sim.bench.tb_out_of_range")

    def __init__(self, block: Block):
        super().__init__(block)
        made = self.block
        # The bitmap is cleared or read, and nothing moves meanwhile.
        self.quiet = made.words + 60
        self.patience = 1000 + 2 * made.words
        self.hold = 2 * made.words + 100
        self.resets = (made.words // 2 + 1, made.words + 20)
        self.moments = (("i", 8), ("o", 3), ("again", 12), ("place", 2), ("i", 60))
        self.lists = self.counted()

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        made = self.block
        columns, most = made.columns, (1 << made.width) - 1
        if kind == "rate":
            return self.join([(given, given) for given in self.lists])
        if kind == "extremes":
            every = np.arange(columns if columns <= 300 else 4 * made.word + 3)
            # Marks of a word so close that none is back before the next.
            near = rng.integers(0, min(columns, 2 * made.word), 60)
            lists = [every[:0], every[:1], every, every[::-1], every[:0], near, near % made.word]
            lists += [np.repeat([0, columns - 1], 3), np.full(30, columns - 1)]
            # Counts of which one bit is set.
            lists += [every[: 1 << k] for k in range(1, len(every).bit_length())]
            pairs = [(given, given) for given in lists]
            far = np.array([0, columns, 1, most, most, columns - 1])
            pairs += [(far, far)] if most >= columns else []
            # The second time there is a column that was not marked.
            return self.join([*pairs, (every[:1], every[:2]), (every, every)])
        # The first is long enough to be reset anywhere.
        lists = [self.some(rng, length) for length in (24, *rng.integers(0, 25, 5), 40)]
        return self.join([(given, given) for given in lists])

    def brief(self, rng: np.random.Generator) -> Scenario:
        """Return two small matrices."""
        return self.join([(given, given) for given in (self.some(rng, 5), self.some(rng, 3))])

    def some(self, rng: np.random.Generator, length: int) -> NDArray[np.int64]:
        """Return columns, of which all, half or none are in the first three words."""
        given = rng.integers(0, self.block.columns, length)
        near = rng.integers(0, min(self.block.columns, 3 * self.block.word), length)
        return np.where(rng.random(length) < rng.choice([0, 0.5, 1]), near, given)

    def counted(self) -> list[NDArray[np.int64]]:
        """Return matrices whose words have all numbers of marks, each after each other one.

        The first column is marked in all, and the last matrix is longer than the others together.
        """
        columns, word = self.block.columns, self.block.word
        found: list[NDArray[np.int64]] = []
        for step in (1, 2, word):
            marks: list[int] = [0]
            for k in range(min(self.block.words, word + 3)):
                # From either end, so that the place of a mark does not say how many there are.
                chosen = np.arange(word)[:: 1 - k % 2 * 2][: (k * step + step) % (word + 1)]
                marks += (k * word + chosen).tolist()
            given = np.array(marks)
            found.append(given[given < columns])
        return [*found[:2], np.resize(found[2], sum(map(len, found)) + 8)]

    def check_held(self, name: str, taken: Mapping[str, int]) -> None:
        """As many indices are taken as there is room for their places."""
        if name == "place":
            assert taken["again"] == self.block.places.depth

    def flood(self) -> tuple[dict[str, list[Word]], dict[str, int], int]:
        """Return a column that is not there, which counts in every cycle."""
        made = self.block
        most = (1 << made.width) - 1
        first, offered = (pack(made.beat, [k], last=False) for k in (0, most))
        # Every bit of the count is tried where that does not take long.
        count = 0 if most < made.columns else 1 << 20 if made.word <= 4 else 300
        return {"i": [Word(first)]}, {"i": offered}, count

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Compare with a cycle for each word without a mark, and for each mark of the others."""
        made = self.block
        inputs, outputs, again, place = (iter(moved[n]) for n in ("i", "o", "again", "place"))
        begins = made.words
        for given in self.lists:
            taken = [next(inputs) for _ in given]
            assert taken == list(range(begins, begins + len(given))), "a non-zero had to wait"
            found = np.unique(given)
            marks = np.bincount(found // made.word, minlength=made.words)
            empty = np.cumsum(marks == 0)[found // made.word]
            at = taken[-1] + made.latency + np.arange(len(found)) + empty
            assert [next(outputs) for _ in found] == at.tolist(), "a column had to wait"
            # From the first word being held to the next matrix.
            begins = taken[-1] + made.latency - made.numbers.latency
            begins += int(np.maximum(marks, 1).sum())
            again_at = [next(again) for _ in given]
            assert again_at == list(range(begins, begins + len(given))), "an index had to wait"
            placed = [at + made.places.latency for at in again_at]
            assert [next(place) for _ in given] == placed, "a place had to wait"

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
        """Return the last index of the first matrix, and its first column."""
        return [(len(self.lists[0]) - 1, 0)]


class SparseTimesDenseBench(Bench):
    """Products one after the other, each loaded while the one before it leaves."""

    modules = ("sluice_sim.bench.tb_moments", "sluice_sim.bench.tb_out_of_range")

    def __init__(self, block: Block):
        super().__init__(block)
        made = self.block
        # All sums are cleared first, and nothing moves meanwhile.
        self.clear = made.sums * made.slices
        self.small = max(made.sums, made.dense) <= 8
        words = made.slices**2 + 4 * made.slices
        # What takes longest is the way of sums through all banks, which is most of the latency.
        self.quiet = 80 + made.latency + 4 * made.slices
        self.patience = 1000 + self.clear + 2 * words
        self.hold = self.clear + made.store.depth + 12 * made.slices + 60
        self.resets = (7,)
        self.moments = (("a", 5), ("o", 2))
        if self.small:
            self.moments += (("d", 3), ("command", 2), ("place", 12), ("o", made.slices + 3))
        self.formats = {name: getattr(made, name) for name in ("operand", "total", "flush")}
        names = ("lanes", "slices", "sums", "dense")
        self.sizes = {name: getattr(made, name) for name in names}
        self.plans: list[SparseProduct] = []

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        made = self.block
        wide = made.lanes * made.slices
        limit = (1 << made.count_bits) - 1
        if kind == "rate":
            return self.rate(rng)
        if kind == "extremes":
            shapes = [
                ((1, 1), 1, 1),
                ((2, 3), 0, made.lanes),
                ((min(3, limit), 5), 20, wide),
            ]
            if self.small:
                shapes += [((1, 9), 6, 2 * made.lanes + 1), ((min(9, limit), 1), 12, 2)]
            parts = [
                self.product(rng, *shape, special=True)
                for shape in shapes
                for _ in range(2 if self.small else 1)
            ]
            wrong = [self.out_of_range(rng, transpose=bool(t)) for t in (0, 1)]
            good = self.product(rng, (2, 2), 3, 1)
            return self.join([self.nothing_there(rng), *parts, *wrong, good], rng)
        # Full rows of as many sums as fill the queue, if nothing takes them.
        rows = min(made.sums, made.store.depth // made.slices + 2)
        full = [((rows, 2), 4, wide)] * (2 if self.small else 1)
        shapes: list[tuple[tuple[int, int], int, int]] = []
        if self.small:
            # More rows of sums, of the dense matrix and of beats than there is room for.
            shapes += [((2 * made.sums + 1, 2 * made.dense + 3), 30, 2)] * 2
        shapes.append(((3, 4), 9, wide + made.lanes + 1))
        for _ in range(3 if self.small else 2):
            size = tuple(rng.integers(1, 8, 2).tolist())
            shapes.append((size, int(rng.integers(0, 16)), int(rng.integers(1, wide + 1))))
        parts = [self.product(rng, *shape, transpose=False) for shape in full]
        return self.join(parts + [self.product(rng, *shape) for shape in shapes], rng)

    def brief(self, rng: np.random.Generator) -> Scenario:
        """Return two small products."""
        width = self.block.lanes
        return self.join([self.product(rng, (2, 3), 5, w) for w in (width, 2 * width)], rng)

    def rate(self, rng: np.random.Generator) -> Scenario:
        """Return products of all widths; the last one is of more non-zeros than all the others."""
        made = self.block
        lanes, wide = made.lanes, made.lanes * made.slices
        # The first has one slice, and the last as well, all of it in one column.
        shapes: list[tuple[tuple[int, int], int, int]] = [((1, 1), 3, lanes)]
        shapes += [((3, 2), 5, min(k, wide)) for k in (2 * lanes, 3 * lanes)]
        if self.small:
            many = (2 * made.sums + 1, 2 * made.dense + 1)
            shapes += [(many, 25, lanes), (many[::-1], 25, 2 * lanes), ((5, 5), 4, wide + lanes)]
        self.plans, parts = [], []
        for k, (shape, count, width) in enumerate(shapes):
            parts.append(self.product(rng, shape, count, width, transpose=bool(k % 2)))
        sent = sum(len(inputs["a"]) for inputs, _, _ in parts)
        parts.append(self.product(rng, (1, 1), sent + 20, lanes, transpose=True))
        return self.join(parts)

    def join(self, parts: Iterable[Part], rng: np.random.Generator | None = None) -> Scenario:
        """Return what does all parts, one after the other.

        With ``rng`` places are cut into packets anyhow, some of them empty.
        """
        streams: dict[str, list[Word]] = {name: [] for name in ("a", "place", "d", "command")}
        expected: list[int] = []
        wrong = 0
        for inputs, results, missed in parts:
            wrong += missed
            for name, words in inputs.items():
                streams[name] += map(Word, words)
            expected += results
        if rng:
            streams["place"] = [w for word in streams["place"] for w in self.cut(word, rng)]
        return Scenario(streams, {"o": expected}, {"status": int(wrong > 0) | wrong << 1})

    def cut(self, place: Word, rng: np.random.Generator) -> Iterable[Word]:
        """Yield a beat of places that ends a packet or not, and sometimes an empty one before."""
        bits = self.block.count_bits
        if rng.random() < 0.1:
            yield Word(int(rng.integers(0, 1 << bits)) | int(rng.integers(0, 2)) << bits + 1)
        yield Word(place.payload & (2 << bits) - 1 | int(rng.integers(0, 2)) << bits + 1)

    def product(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        count: int,
        width: int,
        *,
        special: bool = False,
        transpose: bool | None = None,
    ) -> Part:
        """Return a product of random matrices, transposed or not, and its result."""
        made = self.block
        if transpose is None:
            transpose = bool(rng.integers(0, 2))
        matrix = random_encoding(made.operand, rng, shape, count)
        size = (shape[0 if transpose else 1], width)
        d = matrix_words(made.operand, rng, size)
        number = find_format(made.operand)
        if special and isinstance(number, FloatFormat):
            d = float_words(number, rng, d.size).reshape(size)
        plan = plan_sparse(made, matrix, d, transpose=transpose)
        self.plans.append(plan)
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

    def nothing_there(self, rng: np.random.Generator) -> Part:
        """Multiply by rows of which none was ever loaded."""
        counts = {"transpose": 0, "a_rows": 2, "o_rows": 2}
        return self.by_hand([0, 0, 1], [0, 1, 0], np.zeros((0, 1), np.uint64), rng, **counts)

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

    def flood(self) -> tuple[dict[str, list[Word]], dict[str, int], int]:
        """Return a command, and a place that it does not have, which counts in every cycle."""
        made = self.block
        d, most = np.zeros((1, 1), np.uint64), (1 << made.count_bits) - 1
        counts = {"transpose": 0, "a_rows": 1, "o_rows": 1}
        inputs, _, _ = self.by_hand([0], [0], d, np.random.default_rng(1), **counts)
        inputs = {**inputs, "a": [pack(made.a_beat, [0], last=False)]}
        before = {name: [Word(w) for w in words] for name, words in inputs.items()}
        offered = {"a": inputs["a"][0], "place": pack(made.place_beat, [most], last=False)}
        # Every bit of the count is tried where that does not take long.
        return before, offered, 1 << 20 if (made.lanes, made.count_bits) == (2, 4) else 300

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Load, multiply and let sums out in as many cycles as the block promises."""
        made = self.block
        layout: Any = command_layout(made.count_bits)
        expected: dict[str, list[int]] = {"d": [], "a": [], "o": []}
        # When rows may be loaded, and when the walk is ready for a command: all is clear.
        loads, ready = 1, self.clear + made.loop + 1
        for plan in self.plans:
            rows = iter(plan.rows["a"])
            for word in plan.command:
                command = layout.from_bits(word)
                beats, slices = command["beats"] + 1, 1 << command["slices"]
                expected["d"] += range(loads, loads + command["d_rows"] * beats)
                now = max(ready, expected["d"][-1])
                for row in itertools.islice(rows, command["a_rows"]):
                    step = slices if len(row) else 1
                    expected["a"] += [now + step * (k + 1) for k in range(max(1, len(row)))]
                    now = expected["a"][-1]
                loads, ready = now + 2, now + made.loop + 1
                if command["hold"]:
                    continue
                banks = made.slices // slices
                whole = made.slices * banks
                first = now + made.loop + 1 + made.store.latency + whole - made.slices
                for row in range(command["o_rows"]):
                    begins = first + row // banks * whole + row % banks * slices
                    expected["o"] += range(begins, begins + beats)
                ready += -(-command["o_rows"] // banks) * whole + made.loop
        for name, cycles in expected.items():
            assert list(moved[name]) == cycles, f"{name} did not move when it had to"

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the last non-zero of the first command, and the first of its sums."""
        return [(2, 0)]
