"""Multiply by a sparse matrix and by its transpose: python scripts/sparse_transposed.py.

Encodes 64 bags of 10 words out of 5000 in the simulated netlist, multiplies the matrix and its
transpose by dense ones, checks all results against SciPy or the golden model, and counts cycles.
Prints a table, and keeps it in docs/data/sparse-transposed.json and between the markers of
docs/sparsity-transposed.md.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("hw", "sim", "boards")]

from sluice.files import keep_json, replace_between, replaced_file  # noqa: E402
from sluice.sparsity import SparseEncoder, SparseTimesDense  # noqa: E402
from sluice.sparsity.sparse_driver import Encoding, plan_sparse  # noqa: E402
from sluice.tensors import beats_of, rows_of  # noqa: E402
from sluice_sim.bench.array import matrix_words  # noqa: E402
from sluice_sim.golden.sparse import multiply_sparse  # noqa: E402
from sluice_sim.play import play, play_sparse  # noqa: E402

JSON_FILE = ROOT / "docs/data/sparse-transposed.json"
PAGE = ROOT / "docs/sparsity-transposed.md"
BEGIN, END = (f"<!-- sparse-transposed: {word} -->" for word in ("begin", "end"))

ROWS, COLUMNS, EACH = 64, 5000, 10
INT8: dict[str, Any] = {"operand": "int8", "total": "int32", "stages": 4, "lanes": 8}
BF16: dict[str, Any] = {"operand": "bf16", "total": "fp32", "stages": 16, "lanes": 4}
# Parameters, columns of the dense matrix, transposed or not, all non-zeros in one column or not.
CASES: tuple[tuple[dict[str, Any], int, bool, bool], ...] = (
    (INT8, 32, False, False),
    (INT8, 32, True, False),
    (INT8, 32, True, True),
    (INT8, 8, False, False),
    (INT8, 8, True, False),
    (INT8, 8, True, True),
    (BF16, 64, True, False),
    (BF16, 4, True, True),
)


def make_matrix(rng: np.random.Generator, *, one_column: bool) -> Encoding:
    """Return the counts of words in bags; or as many non-zeros, all of one word."""
    words = [rng.choice(COLUMNS, EACH, replace=False) for _ in range(ROWS)]
    indices = np.full(ROWS * EACH, COLUMNS // 2) if one_column else np.concatenate(words)
    values = rng.integers(1, 4, indices.size).astype(np.uint64)
    return Encoding((ROWS, COLUMNS), np.arange(0, indices.size + 1, EACH), indices, values)


def encode() -> dict[str, int]:
    """Return the cycles of the encoder."""
    matrix = make_matrix(np.random.default_rng(1), one_column=False)
    encoder = SparseEncoder(columns=COLUMNS)
    words = list(beats_of(matrix.indices.astype(np.uint64), encoder.beat))
    outputs = {"o": len(matrix.columns), "place": len(words)}
    found = play(encoder, {"i": words, "again": words}, outputs, limit=10000)
    for name, expected in (("o", matrix.columns), ("place", matrix.places)):
        if not np.array_equal(rows_of(found.words[name], encoder.beat)[0], expected):
            raise SystemExit(f"the encoder's {name} is wrong")
    return {
        "non-zeros": len(words),
        "columns": len(matrix.columns),
        "words": encoder.words,
        "first pass": int(found["i"][-1] - found["i"][0]) + 1,
        "reading the bitmap": int(found["again"][0] - found["i"][-1]) - 1,
        "second pass": int(found["again"][-1] - found["again"][0]) + 1,
    }


def multiply(
    made: dict[str, Any], width: int, *, transpose: bool, one_column: bool
) -> dict[str, Any]:
    """Return the cycles of one product."""
    rng = np.random.default_rng(1)
    matrix = make_matrix(rng, one_column=one_column)
    if made["operand"] != "int8":
        # One, two and three.
        bits = np.array([0, 0x3F80, 0x4000, 0x4040], np.uint64)
        matrix.values = bits[matrix.values]
    tall, short = (1024, ROWS) if transpose else (ROWS, 1024)
    engine = SparseTimesDense(**made, sums=tall, dense=short)
    d = matrix_words(engine.operand, rng, (ROWS if transpose else COLUMNS, width))
    product = plan_sparse(engine, matrix, d, transpose=transpose)
    y, at = play_sparse(engine, product)
    if engine.operand == "int8":
        a = scipy.sparse.csr_matrix(
            (matrix.values.astype(np.int64), matrix.indices, matrix.row_ptr), shape=matrix.shape
        )
        dense = d.astype(np.int64) - (d.astype(np.int64) >> 7 << 8)
        expected: Any = (a.T @ dense)[matrix.columns] if transpose else a @ dense
        expected = (np.asarray(expected) & 0xFFFFFFFF).astype(np.uint64)
    else:
        names = ("operand", "total", "lanes", "slices", "sums", "dense", "flush")
        expected = multiply_sparse(
            *(matrix.row_ptr, matrix.indices, matrix.values, d),
            columns=COLUMNS,
            transpose=transpose,
            **{name: getattr(engine, name) for name in names},
        )
    if not np.array_equal(y, expected):
        raise SystemExit(f"{engine.spelled}: the product is wrong")
    slices = 1 << (-(-width // engine.lanes) - 1).bit_length()
    return {
        "operand": engine.operand,
        "lanes": engine.lanes,
        "width": width,
        "transpose": transpose,
        "one column": one_column,
        "rows": len(y),
        "multiplies": at["taken"] - at["begins"] + slices,
        "leaves": at["ends"] - at["taken"],
    }


def table(encoded: dict[str, int], products: list[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    count, compact, words = (encoded[k] for k in ("non-zeros", "columns", "words"))
    first, walk, second = (encoded[k] for k in ("first pass", "reading the bitmap", "second pass"))
    lines = [
        (
            f"{ROWS} x {COLUMNS} with {count} non-zeros has {compact} columns that are not empty: "
            f"the compact gradient is {COLUMNS / compact:.1f} times smaller than the whole."
        ),
        "",
        (
            f"The encoder takes {first} cycles for the first pass, {walk} to read the {words} "
            f"words of its bitmap, and {second} for the second pass."
        ),
        "",
        (
            "| operands | lanes | product | D | rows of sums | non-zeros: cycles | per step | "
            "sums leave: cycles |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in products:
        steps = count * -(-r["width"] // r["lanes"])
        rows = ROWS if r["transpose"] else COLUMNS
        name = "Aᵀ D" if r["transpose"] else "A D"
        name += ", one column" if r["one column"] else ""
        lines.append(
            f"| {r['operand']} | {r['lanes']} | {name} | {rows}x{r['width']} | {r['rows']} | "
            f"{r['multiplies']} | {r['multiplies'] / steps:.3f} | {r['leaves']} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and keep."""
    encoded = encode()
    products: list[dict[str, Any]] = []
    for made, width, transpose, one_column in CASES:
        products.append(multiply(made, width, transpose=transpose, one_column=one_column))
        print(products[-1], flush=True)
    keep_json(JSON_FILE, {"encoder": encoded, "products": products})
    shown = table(encoded, products)
    print(shown)
    with replaced_file(PAGE) as partial:
        partial.write_text(replace_between(PAGE.read_text(), BEGIN, END, shown))


if __name__ == "__main__":
    main()
