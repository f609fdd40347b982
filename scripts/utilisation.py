"""Measure how busy the matrix-product engine is: python scripts/utilisation.py [--only NAME].

Multiplies random matrices in the simulated netlist, checks the results, and counts cycles from the
first multiplication that begins to the last result: weight loads, first fill and drain are among
them. Prints tables of dense and of sparse products, and keeps them in docs/data/utilisation.json
and between the markers of docs/array.md.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("hw", "sim", "boards")]

from sluice.array import Matmul  # noqa: E402
from sluice.array.driver import Product, plan_product  # noqa: E402
from sluice.array.sparse import depths  # noqa: E402
from sluice.files import keep_json, replace_between, replaced_file  # noqa: E402
from sluice_sim.bench.array import matrix_words  # noqa: E402
from sluice_sim.bench.matmul import order_of  # noqa: E402
from sluice_sim.golden.array import multiply_matrices  # noqa: E402
from sluice_sim.play import play_product  # noqa: E402
from sluice_sim.runner import use_verilator  # noqa: E402

JSON_FILE = ROOT / "docs/data/utilisation.json"
PAGE = ROOT / "docs/array.md"

INT8: dict[str, Any] = {"operand": "int8", "total": "int32", "result": "int32", "stages": 4}
BF16: dict[str, Any] = {"operand": "bf16", "total": "fp32", "result": "bf16", "stages": 16}
# Name, parameters, size of the array, M x K x N.
CASES: tuple[tuple[str, dict[str, Any], int, tuple[int, int, int]], ...] = (
    ("int8", INT8, 8, (256, 256, 256)),
    ("int8", INT8, 8, (64, 64, 64)),
    ("int8", INT8, 8, (100, 37, 61)),
    ("int8", INT8, 8, (8, 8, 8)),
    ("bf16", BF16, 8, (64, 64, 64)),
    ("bf16", BF16, 8, (100, 37, 61)),
)


# Of a sparse product: M, K, N, and the array's size.
SPARSE = (24, 128, 64, 4)
ZEROS, GROUPS = (50, 75, 90, 95), (4, 8, 16)


def multiply(
    engine: Matmul, a: NDArray[np.uint64], b: NDArray[np.uint64], **how: Any
) -> tuple[Product, int, int]:
    """Return the plan of a product, its cycles, and its cycles with loading."""
    product = plan_product(engine, a, b, **how)
    y, at = play_product(engine, product)
    formats = {name: getattr(engine, name) for name in ("operand", "total", "result")}
    if not (y == multiply_matrices(a, b, **formats, order=order_of(product))).all():
        raise SystemExit(f"{engine.spelled}: the product is wrong")
    return product, at["ends"] + 1 - at["begins"], at["ends"] + 1 - at["loads"]


def measure(made: dict[str, Any], size: int, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Return the cycles of one dense product, with both matrices in the scratchpads."""
    m, k, n = shape

    def blocks(rows: int, columns: int) -> int:
        return -(-rows // size) * -(-columns // size)

    engine = Matmul(
        **made,
        size=size,
        columns=size,
        a_blocks=blocks(m, k),
        b_blocks=blocks(k, n),
        sums=2 * max(m, size),
    )
    rng = np.random.default_rng(1)
    a, b = matrix_words(made["operand"], rng, (m, k)), matrix_words(made["operand"], rng, (k, n))
    product, cycles, whole = multiply(engine, a, b)
    ideal = m * k * n / size / engine.columns
    return {
        "shape": list(shape),
        "size": size,
        "cycles": cycles,
        "padded": product.vectors,
        "utilisation": ideal / cycles,
        "bound": ideal / product.vectors,
        "with loading": ideal / whole,
        "latency": engine.pipeline.latency,
    }


def measure_sparse(group: int) -> dict[str, dict[str, Any]]:
    """Return the cycles of sparse products by percentage of zeros, and of the dense one."""
    m, k, n, size = SPARSE
    tiles = n // size
    engine = Matmul(
        size=size,
        columns=size,
        group=group,
        a_blocks=m // size * -(-k // (size * group)),
        b_blocks=2 * k * n // size**2,
        maps=k // size,
        sums=m * tiles,
    )
    rng = np.random.default_rng(1)
    a, full = matrix_words("int8", rng, (m, k)), rng.integers(1, 256, (k, n)).astype(np.uint64)
    _, dense, _ = multiply(engine, a, full, together=tiles)
    found: dict[str, dict[str, Any]] = {}
    for zeros in ZEROS:
        # The same matrix for every group, and whatever else is measured.
        left_out = np.random.default_rng(zeros).random(full.shape) < zeros / 100
        b = np.where(left_out, np.uint64(0), full)
        product, cycles, _ = multiply(engine, a, b, sparse=True, together=tiles)
        _, narrow, _ = multiply(engine, a, b, sparse=True)
        rows = sum(depths(b, group))
        found[f"sparse {zeros} % G={group}"] = {
            "dense": dense,
            "cycles": cycles,
            "passes": product.vectors // (m * tiles),
            "rows": rows,
            "speed-up": dense / cycles,
            "rows saved": max(1.0, k / rows),
            "tile by tile": dense / narrow,
        }
    return found


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| operands | M x K x N | array | cycles | utilisation | bound by padding | with loading |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, r in results.items():
        shape = "x".join(map(str, r["shape"]))
        percent = " | ".join(
            f"{100 * r[k]:.2f} %" for k in ("utilisation", "bound", "with loading")
        )
        lines.append(
            f"| {name.split()[0]} | {shape} | {r['size']}x{r['size']} | {r['cycles']} | {percent} |"
        )
    return "\n".join(lines)


def sparse_table(results: dict[str, dict[str, Any]]) -> str:
    """Return the speed-up of sparse products as a table in Markdown."""
    heads = "".join(f" G={g} | rows | by tile |" for g in GROUPS)
    lines = [f"| zeros |{heads}", f"| --- |{' --- |' * 3 * len(GROUPS)}"]
    for zeros in ZEROS:
        cells = ""
        for group in GROUPS:
            r = results[f"sparse {zeros} % G={group}"]
            cells += f" {r['speed-up']:.2f} | {r['rows saved']:.2f} | {r['tile by tile']:.2f} |"
        lines.append(f"| {zeros} % |{cells}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--only", help="such as 'int8 64x64x64', or sparse")
    only = parser.parse_args().only
    if use_verilator():
        os.environ.setdefault("SIM", "verilator")
    results = json.loads(JSON_FILE.read_text()) if JSON_FILE.exists() else {}
    names = [f"{name} {'x'.join(map(str, shape))}" for name, _, _, shape in CASES]
    if only and only not in (*names, "sparse"):
        print(f"no case {only!r}: there are {', '.join(names)}, sparse", file=sys.stderr)
        raise SystemExit(2)
    for name, (_, made, size, shape) in zip(names, CASES, strict=True):
        if only in (None, name):
            start = time.monotonic()
            results[name] = measure(made, size, shape)
            keep_json(JSON_FILE, results)
            print(f"{name}: {results[name]} in {time.monotonic() - start:.0f} s", flush=True)
    for group in GROUPS:
        if only in (None, "sparse"):
            found = measure_sparse(group)
            results |= found
            keep_json(JSON_FILE, results)
            print("\n".join(f"{name}: {r}" for name, r in found.items()), flush=True)
    tables = [table({name: results[name] for name in names if name in results})]
    if f"sparse {ZEROS[-1]} % G={GROUPS[-1]}" in results:
        tables.append(sparse_table(results))
    print("\n\n".join(tables))
    text = PAGE.read_text()
    for k, shown in enumerate(tables):
        begin, end = (f"<!-- utilisation {k + 1}: {word} -->" for word in ("begin", "end"))
        text = replace_between(text, begin, end, shown)
    with replaced_file(PAGE) as partial:
        partial.write_text(text)


if __name__ == "__main__":
    main()
