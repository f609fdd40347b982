"""Measure what skipping zeros saves: python scripts/sparsity_cycles.py [--only NAME].

Multiplies random matrices by 16 processing elements in the simulated netlist, checks the results,
and counts cycles from the last weight that is loaded to the last result. Keeps what it finds in
docs/data/sparsity-cycles.json, a table of it between the markers of docs/sparsity.md, and a
picture in docs/images/sparsity-speedup.png.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("hw", "sim", "boards")]
mpl.use("Agg")

from matplotlib import pyplot  # noqa: E402

from sluice.files import keep_json, replace_between, replaced_file  # noqa: E402
from sluice.formats import FORMATS, to_words  # noqa: E402
from sluice.sparsity import SparseMatmul  # noqa: E402
from sluice.sparsity.pair_driver import Pairs, plan_pairs  # noqa: E402
from sluice_sim.bench.sparse_product import sparse_words  # noqa: E402
from sluice_sim.golden.sparse_product import count_steps, multiply_pairs, pairs_of  # noqa: E402
from sluice_sim.golden.sparsity import histogram, magnitudes  # noqa: E402
from sluice_sim.play import play_pairs  # noqa: E402

JSON_FILE = ROOT / "docs/data/sparsity-cycles.json"
PICTURE = ROOT / "docs/images/sparsity-speedup.png"
PAGE = ROOT / "docs/sparsity.md"
DIGITS = ROOT / "tests/data/digits"

PES, ROWS, INNER = 16, 8, 1024
# Of activations and of weights, in the experiment and in the picture.
EXPERIMENT = (0.4, 0.2)
DENSITIES = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
CASES = (EXPERIMENT, *((d, d) for d in DENSITIES))
# Of the weights of the digits network, in fp8, so many are left.
LEFT, OPERAND, TOTAL = 0.25, "fp8_e4m3", "fp32"
KINDS: tuple[tuple[int, int, str], ...] = (
    (16, 1, "free-running"),
    (16, PES, "lock step"),
    (64, 1, "free-running"),
    (64, PES, "lock step"),
)


def measure(context: int, together: int) -> dict[str, dict[str, Any]]:
    """Return the cycles of one product for each pair of densities, one after the other."""
    block = SparseMatmul(context=context, pes=PES, together=together, contexts=INNER // context)
    rng = np.random.default_rng(1)
    # Rows and columns of all of them, as if they were tiles of one product.
    whole = Pairs((ROWS, PES * len(CASES)), PES, rows={"a": [], "b": []})
    products: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []
    for densities in CASES:
        a, b = (
            sparse_words("int8", rng, shape, density)
            for shape, density in zip(((ROWS, INNER), (INNER, PES)), densities, strict=True)
        )
        plan = plan_pairs(block, {"a": a, "b": b}, whole=False)
        whole.commands += plan.commands
        for name, rows in plan.rows.items():
            whole.rows[name] += rows
        products.append((a, b))
    y, ends = play_pairs(block, whole)
    found: dict[str, dict[str, Any]] = {}
    for k, (densities, (a, b)) in enumerate(zip(CASES, products, strict=True)):
        expected = multiply_pairs(a, b, operand="int8", total="int32")
        if not np.array_equal(y[:, k * PES : (k + 1) * PES], expected):
            raise SystemExit(f"{block.spelled}: the product is wrong")
        steps = count_steps(pairs_of(a, b, operand="int8"), context=context, lanes=1)
        x, columns = scipy.sparse.csr_array(a), [scipy.sparse.csr_array(c[None]) for c in b.T]
        pairs = [sum(x[[m]].multiply(c).nnz for m in range(ROWS)) for c in columns]
        found[name_of(context, together, densities)] = {
            # From the last weight that is loaded.
            "cycles": int(ends[k, -1]),
            "constant": block.groups[0].latency,
            "free-running": int(steps.sum(axis=(0, 2)).max()),
            "in step": int(steps.max(axis=1).sum()),
            "pairs": sum(pairs),
            "most pairs": max(pairs),
            "contexts": ROWS * INNER // context,
        }
    return found


def digits() -> dict[str, tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
    """Return the products of the digits network, with pruned weights."""
    number = FORMATS[OPERAND]

    def words(array: NDArray[np.float32]) -> NDArray[np.uint64]:
        # The largest one is near the largest there is, as a scale would make it.
        return to_words((array * (256 / np.abs(array).max())).astype(number.dtype), number)

    def pruned(array: NDArray[np.float32]) -> NDArray[np.uint64]:
        found = words(array)
        sizes = magnitudes(found, width=8, signed=False, is_float=True)
        most = round(LEFT * sizes.size)
        _, threshold = histogram(sizes.reshape(-1), bins=128, most=most, bits=7)
        return np.where(sizes >= threshold, found, np.uint64(0))

    x, w1, w2, hidden, back = (
        np.load(DIGITS / f"{name}.npy") for name in ("inputs", "w1", "w2", "hidden", "dhidden")
    )
    # Of another batch, whose activations are not kept: as sparse, and as independent of the inputs.
    back = np.where(hidden > 0, back, np.float32(0))
    return {
        "inputs, weights": (words(x), pruned(w1)),
        "activations, weights": (words(hidden), pruned(w2)),
        "inputs transposed, gradients": (words(np.ascontiguousarray(x.T)), words(back)),
    }


def measure_digits() -> dict[str, dict[str, Any]]:
    """Return the cycles of the products of the digits network, and of the same without a zero."""
    found: dict[str, dict[str, Any]] = {}
    block = SparseMatmul(
        operand=OPERAND, total=TOTAL, stages=12, context=16, pes=PES, contexts=4, together=1
    )
    for name, (a, b) in digits().items():
        cycles: list[int] = []
        for left, right in ((a, b), (a | np.uint64(1), b | np.uint64(1))):
            plan = plan_pairs(block, {"a": left, "b": right}, whole=False)
            y, ends = play_pairs(block, plan)
            wanted = multiply_pairs(left, right, operand=OPERAND, total=TOTAL)
            if not np.array_equal(y, wanted):
                raise SystemExit(f"{block.spelled}: the product is wrong")
            cycles.append(int(ends[:, -1].sum()))
        x, w = (scipy.sparse.csr_array((m != 0).astype(np.int64)) for m in (a, b))
        pairs = (x @ w).sum()
        found[f"digits: {name}"] = {
            "shape": [*a.shape, b.shape[1]],
            "densities": [np.count_nonzero(m) / m.size for m in (a, b)],
            "cycles": cycles[0],
            "dense": cycles[1],
            "pairs": int(pairs),
        }
    return found


def digits_table(results: Mapping[str, dict[str, Any]]) -> str:
    """Return the products of the digits network as a table in Markdown."""
    lines = [
        "| product | M x K x N | densities | cycles | dense | speed-up | limit |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, r in results.items():
        if name.startswith("digits: "):
            shape = "x".join(map(str, r["shape"]))
            densities = ", ".join(f"{d:.2f}" for d in r["densities"])
            limit = np.prod(r["shape"]) / r["pairs"]
            lines.append(
                f"| {name.removeprefix('digits: ')} | {shape} | {densities} | {r['cycles']} "
                f"| {r['dense']} | {r['dense'] / r['cycles']:.2f} | {limit:.2f} |"
            )
    return "\n".join(lines)


def table(results: Mapping[str, dict[str, Any]]) -> str:
    """Return the experiment as a table in Markdown."""
    lines = [
        "| context | elements | cycles | dense | speed-up | busy | most pairs | limit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for context, together, kind in KINDS:
        r, dense = (results[name_of(context, together, d)] for d in (EXPERIMENT, (1.0, 1.0)))
        busy = r["pairs"] / (PES * r["cycles"])
        limit = PES * dense["cycles"] / r["pairs"]
        lines.append(
            f"| {context} | {kind} | {r['cycles']} | {dense['cycles']} "
            f"| {dense['cycles'] / r['cycles']:.2f} | {100 * busy:.1f} % "
            f"| {r['most pairs']} | {limit:.2f} |"
        )
    return "\n".join(lines)


def draw(results: Mapping[str, dict[str, Any]]) -> None:
    """Draw the speed-up against the density of both operands."""
    figure, axes = pyplot.subplots(figsize=(7.0, 4.6), layout="constrained")
    fine = np.geomspace(min(DENSITIES), 1, 200)
    axes.plot(fine, fine**-2.0, color="0.6", linewidth=1, label="limit: every pair a cycle")
    for context, style in ((16, (0, (1, 2))), (64, (0, (5, 3)))):
        axes.axhline(
            context, color="0.6", linewidth=1, linestyle=style,
            label=f"limit: a context of {context} a cycle",
        )  # fmt: skip
    for (context, together, kind), marker, color in zip(
        KINDS, "os^v", ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=True
    ):
        dense = results[name_of(context, together, (1.0, 1.0))]["cycles"]
        speed = [dense / results[name_of(context, together, (d, d))]["cycles"] for d in DENSITIES]
        axes.plot(DENSITIES, speed, marker=marker, color=color, label=f"context {context}, {kind}")
    real = [r for name, r in results.items() if name.startswith("digits: ")]
    axes.plot(
        [np.sqrt(np.prod(r["densities"])) for r in real], [r["dense"] / r["cycles"] for r in real],
        "*", color="black", markersize=9, label="digits, fp8, context 16, free-running",
    )  # fmt: skip
    axes.set(
        xscale="log", yscale="log", ylim=(0.8, 150), xlabel="density of activations and of weights",
        ylabel="speed-up over dense operands",
        title=f"{PES} processing elements, one multiplier each, in the netlist",
    )  # fmt: skip
    axes.set_xticks(DENSITIES, [f"{d:g}" for d in DENSITIES])
    axes.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    with replaced_file(PICTURE) as partial:
        figure.savefig(partial, dpi=150, metadata={"Software": None})
    pyplot.close(figure)


def name_of(context: int, together: int, densities: tuple[float, float]) -> str:
    """Return how the file calls a measurement."""
    a, b = densities
    return f"context {context}, {together} in step, densities {a:g} {b:g}"


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    names = [f"{context} {kind}" for context, _, kind in KINDS]
    parser.add_argument("--only", choices=[*names, "digits", "none"], help="what to measure again")
    only = parser.parse_args().only
    results = json.loads(JSON_FILE.read_text()) if JSON_FILE.exists() else {}
    for name, (context, together, _) in zip(names, KINDS, strict=True):
        if only in (None, name):
            start = time.monotonic()
            results |= measure(context, together)
            keep_json(JSON_FILE, results)
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    if only in (None, "digits"):
        results |= measure_digits()
        keep_json(JSON_FILE, results)
    if all(name_of(c, t, EXPERIMENT) in results for c, t, _ in KINDS):
        text = PAGE.read_text()
        for what, shown in (("cycles", table(results)), ("digits", digits_table(results))):
            print(shown)
            begin, end = (f"<!-- sparsity {what}: {word} -->" for word in ("begin", "end"))
            text = replace_between(text, begin, end, shown)
        with replaced_file(PAGE) as partial:
            partial.write_text(text)
        draw(results)


if __name__ == "__main__":
    main()
