"""Bench of the matrix-product engine: products of all shapes against the golden model."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.array.command import Kind, encode_command
from sluice.array.driver import Product, plan_product
from sluice.block import Block
from sluice_sim.bench.arith import float_words
from sluice_sim.bench.array import matrix_words
from sluice_sim.bench.rounding import RoundingBench, Settings
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, pack
from sluice_sim.golden.array import multiply_matrices
from sluice_sim.golden.formats import FloatFormat, find_format
from sluice_sim.golden.rounding import MODES

__all__ = ["MatmulBench", "order_of"]


def order_of(product: Product) -> NDArray[np.int64]:
    """Return the order in which the sums of each column grow, (steps, N)."""
    parts = [np.concatenate(steps) for _, steps in sorted(product.order.items())]
    longest = max(len(part) for part in parts)
    return np.concatenate(
        [np.pad(p, ((0, longest - len(p)), (0, 0)), constant_values=-1) for p in parts], axis=1
    )


class MatmulBench(Bench):
    """Products one after the other, each of which begins while the one before it ends."""

    modules = ("sluice_sim.bench.tb_matmul",)
    # Among them the moments at which a tile waits for its first vector.
    resets = tuple(range(30, 54, 3))

    def __init__(self, block: Block):
        super().__init__(block)
        made = self.block
        # A result for every place in the output queue, and loads that do not go on beside them.
        self.hold = 3 * made.pipeline.depth + 32
        # Between the last operand and the first result nothing moves for a whole product.
        self.quiet = 200 + self.hold + made.latency * 2 + 40 * made.columns
        self.formats = {
            name: getattr(made, name) for name in ("operand", "total", "result", "flush")
        }
        self.rounding = RoundingBench(made.rounding) if made.rounding else None
        self.modes = [mode for mode in MODES if mode in made.modes.split(",")]
        self.modes = [mode for mode in self.modes if mode != "generator"]

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        if kind == "rate":
            return self.one_tile(rng)
        if kind == "counts":
            return self.counts(rng)
        shapes = self.shapes_of(kind, rng)
        products = [self.product(rng, s, special=kind == "extremes") for s in shapes]
        if self.block.group > 1:
            size, columns = self.block.size, self.block.columns
            inner = 4 * size * self.block.group
            products.append(self.product(rng, (size, inner, columns), sparse=True))
        return self.play(products)

    def play(self, products: Iterable[tuple[Product, NDArray[np.uint64], int]]) -> Scenario:
        """Return what computes ``products``, and their results."""
        made = self.block
        streams: dict[str, list[Word]] = {"a": [], "b": []}
        streams |= {name: [] for name in made.driven}
        expected: list[int] = []
        status = 0
        for product, y, flags in products:
            status |= flags
            for name in "ab":
                streams[name] += self.words(name, product.rows[name])
            streams["command"] += map(Word, product.commands)
            if product.maps:
                streams["map"] += map(Word, product.maps)
            for row, column, count in product.places:
                values = y[row, column : column + count].tolist()
                expected.append(pack(made.o_beat, values, last=True))
        return Scenario(streams, {"o": expected}, {"status": status} if self.rounding else {})

    def shapes_of(self, kind: str, rng: np.random.Generator) -> list[tuple[int, int, int]]:
        """Return M, K and N of some products."""
        size, columns = self.block.size, self.block.columns
        if kind == "extremes":
            return [
                (1, 1, 1),
                (1, 2 * size, columns + 1),
                (size + 1, 1, 1),
                (size, size, columns),
                (1, 3 * size + 1, 1),
            ]
        limits = (3 * size, 3 * size, 2 * columns)
        shapes = [[int(rng.integers(1, most, endpoint=True)) for most in limits] for _ in range(3)]
        # More results than an output queue of small arrays has places; and many tiles each way.
        fill = min(self.block.pipeline.depth, 32) + 8
        fixed = [(fill, 1, columns), (3 * size, 5 * size, 3 * columns)]
        return [*fixed, *((m, k, n) for m, k, n in shapes)]

    def product(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int, int],
        *,
        special: bool = False,
        sparse: bool = False,
    ) -> tuple[Product, NDArray[np.uint64], int]:
        """Return a product of random matrices, transposed or not, its result and the status.

        With ``sparse`` it takes several passes; else it may be sparse by chance.
        """
        made = self.block
        m, k, n = shape
        a = matrix_words(made.operand, rng, (m, k))
        b = matrix_words(made.operand, rng, (k, n))
        turned = [bool(rng.integers(0, 2)) for _ in "ab"]
        if sparse:
            # One row of every other group or so: no two passes are alike, nor are two products.
            turned[0] = False
            groups = -(-k // made.group)
            kept = made.group * rng.permutation(groups)[: -(-groups // 2)]
            b[~np.isin(np.arange(k), kept)] = 0
        elif made.group > 1 and rng.random() < 0.7:
            sparse = True
            b = np.where(rng.random(b.shape) < rng.choice([0.5, 0.8, 0.95, 1.0]), 0, b)
        number = find_format(made.operand)
        if special and isinstance(number, FloatFormat):
            a = float_words(number, rng, a.size).reshape(a.shape)
        mode = self.modes[int(rng.integers(0, len(self.modes)))]
        saturate = bool(rng.integers(0, 2))
        product = plan_product(
            made,
            a.T if turned[0] else a,
            b.T if turned[1] else b,
            transpose_a=turned[0],
            transpose_b=turned[1],
            sparse=sparse,
            mode=MODES.index(mode),
            saturate=saturate,
        )
        formats = {**self.formats, "result": made.total}
        sums = multiply_matrices(a, b, **formats, order=order_of(product))
        if not self.rounding:
            return product, sums, 0
        values, settings = sums.reshape(-1), Settings(mode, saturate)
        random = np.zeros(values.shape, np.uint64)
        y = self.rounding.rounded(values, settings, random)
        overflow = self.rounding.overflows(values, settings, random).any()
        invalid = self.rounding.is_nan(values).any()
        return product, y.reshape(sums.shape), int(overflow) | int(invalid) << 1

    def one_tile(self, rng: np.random.Generator) -> Scenario:
        """Load the operands of one tile, the first again and again over itself, and multiply."""
        made = self.block
        size, columns = made.size, made.columns
        # As often as a command can count, so that it comes last.
        most = (1 << made.count_bits) - 1
        often = min(size * (8 + columns // size), most // size * size)
        a = matrix_words(made.operand, rng, (often, size))
        b = matrix_words(made.operand, rng, (size, columns))
        wide = columns // size
        commands: list[dict[str, Any]] = [
            {"kind": Kind.LOAD_B, "a": {"across": wide}, "vectors": size},
            {"kind": Kind.LOAD_A, "a": {"across": 0}, "vectors": len(a)},
            {
                "kind": Kind.MULTIPLY,
                "after_loads": 1,
                "a": {"along": 1, "across": 1},
                "b": {"block": 0, "along": wide, "across": 1, "columns": 1},
                "vectors": size,
                "tiles_k": 1,
                "tiles_n": 1,
                "last_k": size - 1,
                "last_n": columns - 1,
                "sums": size,
            },
        ]
        y = multiply_matrices(a[-size:], b, **self.formats)
        return self.by_hand(a, b, commands, self.results(y))

    def chain(self, rng: np.random.Generator, products: int) -> Scenario | None:
        """Multiply matrices by the same one, each loaded while the one before it is multiplied.

        Gives nothing where there is no room for two, and for a tile beside another.
        """
        made = self.block
        size, columns = made.size, made.columns
        wide = columns // size
        # The first tile of a product takes as long as loading the next one's operand, and its
        # second one as loading a tile, and what handing over the commands takes.
        rows = columns + 5
        blocks = -(-rows // size)
        if 2 * blocks > made.a_blocks or 2 * wide > made.b_blocks or rows >> made.count_bits:
            return None
        load_b = {"kind": Kind.LOAD_B, "a": {"across": 2 * wide}, "vectors": size}
        multiply = {
            **{"kind": Kind.MULTIPLY, "after_loads": 1, "vectors": rows},
            **{"tiles_k": 1, "tiles_n": 2, "last_k": size - 1, "last_n": columns - 1},
            "b": {"block": 0, "along": 2 * wide, "across": 1, "columns": 1},
        }
        b = matrix_words(made.operand, rng, (size, 2 * columns))
        commands: list[dict[str, Any]] = [load_b]
        rows_of_a: list[NDArray[np.uint64]] = []
        expected: list[int] = []
        for k in range(products):
            a = matrix_words(made.operand, rng, (rows, size))
            block = blocks * (k % 2)
            commands += [
                {"kind": Kind.LOAD_A, "a": {"block": block, "across": 1}, "vectors": rows},
                {**multiply, "a": {"block": block, "along": 1, "across": 1}},
            ]
            rows_of_a += list(a)
            for n in (0, 1):
                tile = b[:, n * columns : (n + 1) * columns]
                expected += self.results(multiply_matrices(a, tile, **self.formats))
        return self.by_hand(rows_of_a, b, commands, expected)

    def counts(self, rng: np.random.Generator) -> Scenario:
        """Multiply one tile again and again: as often as can be counted, in each direction."""
        made = self.block
        size, columns = made.size, made.columns
        most = min((1 << made.count_bits) - 1, 20)
        a = matrix_words(made.operand, rng, (size, size * made.group))
        b = matrix_words(made.operand, rng, (size, size))
        load = {"a": {"across": 0}, "vectors": size}
        commands: list[dict[str, Any]] = [
            {"kind": Kind.LOAD_A, "after_multiplies": 1, **load},
            {"kind": Kind.LOAD_B, "after_multiplies": 1, **load},
        ]
        expected: list[int] = []
        # A single vector waits for its sums, each time for the whole way.
        deep = min(most, 800 // made.latency)
        # Sums differ from vector to vector, and not from tile to tile.
        round_of = min(3, made.sums), 2, max(1, min(most, made.sums) // 3)
        for vectors, tiles_k, tiles_n in ((most, 1, 2), (1, deep, 1), (1, 1, most), round_of):
            commands.append(
                {
                    **{"kind": Kind.MULTIPLY, "after_loads": 1, "b": {"columns": 1}},
                    **{"vectors": vectors, "tiles_k": tiles_k, "tiles_n": tiles_n},
                    **{"last_k": size - 1, "last_n": columns - 1, "sums": vectors * tiles_n},
                }
            )
            long = np.tile(a, (-(-vectors // size), tiles_k))[:vectors, : tiles_k * size]
            tall = np.tile(b, (tiles_k, columns // size))
            y = self.results(multiply_matrices(long, tall, **self.formats))
            expected += y * tiles_n
        return self.by_hand(a, b, commands, expected)

    def by_hand(
        self,
        a: Iterable[NDArray[np.uint64]],
        b: Iterable[NDArray[np.uint64]],
        commands: Iterable[dict[str, Any]],
        expected: list[int],
    ) -> Scenario:
        """Return what sends rows of matrices, and commands of these fields."""
        words = [Word(encode_command(self.block.count_bits, **fields)) for fields in commands]
        inputs = {"a": self.words("a", a), "b": self.words("b", b), "command": words}
        return Scenario(inputs, {"o": expected})

    def words(self, name: str, matrix: Iterable[NDArray[np.uint64]]) -> list[Word]:
        """Return what loads a matrix, row by row."""
        return [Word(w) for row in matrix for w in beats(self.block.beats[name], row.tolist())]

    def results(self, matrix: NDArray[np.uint64]) -> list[int]:
        """Return the packets that are the rows of a tile of results."""
        return [pack(self.block.o_beat, row.tolist(), last=True) for row in matrix]

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        return [(inputs - 1, 0)]
