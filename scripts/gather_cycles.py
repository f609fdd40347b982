"""Measure where sums by index break even with an array: python scripts/gather_cycles.py [--draw].

Multiplies random matrices in the simulated netlists of `centroid_matmul`, with tables of several
sizes, and of `matmul`, checks the results, counts the cycles of eight vectors behind others, and
compares them with the formula on docs/compression-gather.md. Keeps them in
docs/data/gather-cycles.json, tables of them, with the area of the kept measurements, between the
markers of that page, and a picture in docs/images/gather-break-even.png. With --draw nothing is
measured again.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("hw", "sim", "boards")]
mpl.use("Agg")

from matplotlib import pyplot  # noqa: E402

from sluice.array import Matmul  # noqa: E402
from sluice.array.driver import plan_product  # noqa: E402
from sluice.compression import CentroidMatmul  # noqa: E402
from sluice.files import keep_json, replace_between, replaced_file  # noqa: E402
from sluice.tensors import beats_of, rows_of  # noqa: E402
from sluice_sim.play import play, play_product  # noqa: E402

JSON_FILE = ROOT / "docs/data/gather-cycles.json"
PICTURE = ROOT / "docs/images/gather-break-even.png"
PAGE = ROOT / "docs/compression-gather.md"
RECORDS = ROOT / "boards/sluice_boards/results"

INNER, COLUMNS, VECTORS = (16, 32, 64, 128, 256, 512, 1024), 16, 8
# Bits of an index; lanes; size of the array.
TABLES, LANES, SIZE = (2, 4, 6), 8, 4
# Of the table whose area is kept.
KEPT = 4


def words(array: Any) -> Any:
    """Return the bit patterns of int8."""
    return (array & 0xFF).astype(np.uint64)


def measure_gather(bits: int) -> dict[str, int]:
    """Return the cycles of eight vectors, by the inner dimension, with all centroids in use."""
    engine = engine_of(bits)
    rng = np.random.default_rng(bits)
    streams: dict[str, list[int]] = {name: [] for name in ("x", "indices", "table", "command")}
    expected: list[Any] = []
    for inner in INNER:
        table = rng.integers(-128, 128, 1 << bits)
        # Every column has as many centroids as can be.
        columns = [np.resize(rng.permutation(1 << bits), inner) for _ in range(COLUMNS)]
        indices = rng.permuted(np.array(columns).T, axis=0)
        x = rng.integers(-128, 128, (2 * VECTORS, inner))
        arrays = {"x": words(x), "indices": indices.astype(np.uint64), "table": words(table)[None]}
        driven = engine.drive(arrays, {})
        beats = {"x": engine.x_beat, "indices": engine.indices_beat, "table": engine.table_beat}
        for name, beat in beats.items():
            streams[name] += [word for row in driven.rows[name] for word in beats_of(row, beat)]
        streams["command"] += driven.words["command"]
        expected.append(x @ table[indices])
    count = 2 * VECTORS * COLUMNS
    limit = 100000 + 2 * count * sum(INNER)
    played = play(engine, streams, {"o": count * len(INNER)}, limit=limit)
    rows = rows_of(played.words["o"], engine.dot.o.payload.shape())
    if not np.array_equal(np.array(rows), np.concatenate(expected).astype(np.uint64) & 0xFFFFFFFF):
        raise SystemExit(f"{engine.spelled}: a product is wrong")
    at = played["o"].reshape(len(INNER), 2 * VECTORS, COLUMNS)[:, :, -1]
    found = {k: int(n) for k, n in zip(INNER, at[:, -1] - at[:, VECTORS - 1], strict=True)}
    for inner, cycles in found.items():
        said = promised(engine, inner) * VECTORS * COLUMNS
        if cycles != said:
            raise SystemExit(f"{engine.spelled}: K = {inner} takes {cycles} cycles, not {said}")
    return {str(k): n for k, n in found.items()}


def promised(engine: CentroidMatmul, inner: int) -> float:
    """Return the cycles of a result by the formula of the page, where all centroids are in use."""
    beats, centroids = -(-inner // LANES), min(inner, 1 << engine.index_bits)
    return max(
        beats,
        (beats + centroids + engine.gap) / 2,
        centroids + 1,
        (beats + centroids + engine.dot.latency - 1) / 4,
    )


def enough(engine: CentroidMatmul) -> int:
    """Return from which K on there is a beat per cycle, by the formula."""
    return LANES * ((1 << engine.index_bits) + engine.gap)


def measure_array() -> dict[str, int]:
    """Return by how many cycles a product takes longer with eight vectors more."""
    found: dict[str, int] = {}
    rng = np.random.default_rng(1)
    for inner in INNER:
        engine = Matmul(
            size=SIZE,
            columns=SIZE,
            a_blocks=2 * VECTORS // SIZE * inner // SIZE,
            b_blocks=COLUMNS // SIZE * inner // SIZE * 2,
        )
        a = rng.integers(-128, 128, (2 * VECTORS, inner))
        b = rng.integers(-128, 128, (inner, COLUMNS))
        cycles: list[int] = []
        for vectors in (2 * VECTORS, VECTORS):
            product = plan_product(engine, words(a[:vectors]), words(b))
            y, at = play_product(engine, product)
            if not np.array_equal(y, (a[:vectors] @ b).astype(np.uint64) & 0xFFFFFFFF):
                raise SystemExit(f"{engine.spelled}: a product is wrong")
            cycles.append(at["ends"] - at["begins"])
        found[str(inner)] = cycles[0] - cycles[1]
    return found


def cycles_table(results: Mapping[str, Mapping[str, int]]) -> str:
    """Return the cycles, and how many products there are in one, as a table in Markdown."""
    names = [gather_name(bits) for bits in TABLES]
    lines = [
        "| K | " + " | ".join(f"{n} | products per cycle" for n in (*names, array_name())) + " |",
        "| --- |" + " --- | --- |" * (len(names) + 1),
    ]
    for inner in INNER:
        cells: list[str] = []
        for name in (*names, array_name()):
            cycles = results[name][str(inner)]
            cells += [str(cycles), f"{products(inner) / cycles:.2f}"]
        lines.append(f"| {inner} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def area_table(results: Mapping[str, Mapping[str, int]]) -> str:
    """Return the area, and products per cycle of the longest sums by it, as a table."""
    lines = [
        "| | multipliers | LUT4 | MHz | products per cycle | per multiplier | per 1000 LUT4 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, block in ((array_name(), "matmul"), (gather_name(KEPT), "centroid_matmul")):
        record = json.loads((RECORDS / f"{block}.json").read_text())[0]
        luts = record["area"]["TRELLIS_COMB"] - record["harness"]["tables"]
        multipliers = record["area"]["MULT18X18D"]
        rate = products(max(INNER)) / results[name][str(max(INNER))]
        lines.append(
            f"| {name} | {multipliers} | {luts} | {record['worst_mhz']} | {rate:.2f} "
            f"| {rate / multipliers:.2f} | {1000 * rate / luts:.2f} |"
        )
    return "\n".join(lines)


def from_table(results: Mapping[str, Mapping[str, int]]) -> str:
    """Return from which K on there is a beat per cycle, as a table, if so it was measured."""
    lines = ["| table | a beat per cycle from K |", "| --- | --- |"]
    for bits in TABLES:
        name, least = gather_name(bits), enough(engine_of(bits))
        full = [k for k in INNER if products(k) == LANES * results[name][str(k)]]
        if full != [k for k in INNER if k >= least]:
            raise SystemExit(f"{name}: a beat per cycle with K of {full}, and not from {least} on")
        lines.append(f"| {name} | {least} |")
    return "\n".join(lines)


def draw(results: Mapping[str, Mapping[str, int]]) -> None:
    """Draw products per cycle against the inner dimension: measured, and by the formula."""
    figure, axes = pyplot.subplots(figsize=(7.0, 4.2), layout="constrained")
    rates = [products(k) / results[array_name()][str(k)] for k in INNER]
    axes.plot(INNER, rates, color="0.4", linewidth=1, marker="v", label=f"array, {array_name()}")
    fine = range(min(INNER), max(INNER) + 1, LANES)
    for bits, marker in zip(TABLES, "os^", strict=True):
        name, engine = gather_name(bits), engine_of(bits)
        rates = [products(k) / results[name][str(k)] for k in INNER]
        (line,) = axes.plot(INNER, rates, marker, label=f"{name}, {LANES} lanes")
        color = line.get_color()
        axes.plot(fine, [k / promised(engine, k) for k in fine], color=color, linewidth=1)
        least = enough(engine)
        axes.plot([least] * 2, [0, LANES], color=color, linewidth=1, linestyle=":")
        axes.annotate(
            f"K = {least}",
            (least, 0.4),
            (4, 0),
            textcoords="offset points",
            color=color,
            fontsize=8,
        )
    axes.set(
        xscale="log", xlabel="length of a sum, K", ylabel="products per cycle", ylim=(0, 17),
        title="Netlists (marks) and formula (lines); dotted: a beat per cycle from there",
    )  # fmt: skip
    axes.set_xticks(INNER, [str(k) for k in INNER])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(0.0, 0.72))
    with replaced_file(PICTURE) as partial:
        figure.savefig(partial, dpi=150, metadata={"Software": None})
    pyplot.close(figure)


def engine_of(bits: int) -> CentroidMatmul:
    """Return what multiplies with a table of so many bits of an index."""
    engine = CentroidMatmul(lanes=LANES, index_bits=bits, beats=max(INNER) // LANES)
    # One that is only asked for its figures is no mistake.
    engine._MustUse__silence = True
    return engine


def products(inner: int) -> int:
    """Return how many products of elements and weights eight vectors have."""
    return inner * COLUMNS * VECTORS


def gather_name(bits: int) -> str:
    """Return how the file calls a table."""
    return f"{1 << bits} centroids"


def array_name() -> str:
    """Return how the file calls the array."""
    return f"matmul {SIZE}x{SIZE}"


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--draw", action="store_true", help="measure nothing again")
    if not parser.parse_args().draw:
        results = {gather_name(bits): measure_gather(bits) for bits in TABLES}
        keep_json(JSON_FILE, {**results, array_name(): measure_array()})
    results = json.loads(JSON_FILE.read_text())
    text = PAGE.read_text()
    tables = {"cycles": cycles_table, "full": from_table, "area": area_table}
    for what, table in tables.items():
        shown = table(results)
        print(shown)
        begin, end = (f"<!-- gather {what}: {word} -->" for word in ("begin", "end"))
        text = replace_between(text, begin, end, shown)
    with replaced_file(PAGE) as partial:
        partial.write_text(text)
    draw(results)


if __name__ == "__main__":
    main()
