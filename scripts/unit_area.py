"""Measure arithmetic units beside others' designs: python scripts/unit_area.py [--only NAME]...

Places and routes each unit alone in the harness with three seeds, which takes a minute or two each;
keeps the results in boards/sluice_boards/results/arrays and writes the table of docs/comparison.md,
with the arrays. With ``--table`` it only does the latter.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import array_area

from sluice.arith.add_unit import AddUnit
from sluice.arith.dot_unit import DotUnit
from sluice.arith.multiply_add_unit import MultiplyAddUnit
from sluice.arith.multiply_unit import MultiplyUnit
from sluice.files import replace_between
from sluice.formats import FORMATS
from sluice_boards.records import keep_record, load_records, record

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "boards/sluice_boards/results/arrays/units.json"
DOCS = ROOT / "docs/comparison.md"
START = "<!-- measured: written by scripts/unit_area.py -->"
END = "<!-- end of measured -->"


class Other(NamedTuple):
    """Somebody else's design, as it comes out of the same flow."""

    design: str
    mhz: float
    comb: int
    ff: int
    multipliers: int


class Group(NamedTuple):
    """Designs that compute the same: ours by the name of its record, and others."""

    operation: str
    ours: str
    others: tuple[Other, ...]


def _made(
    unit: Callable[..., Any], source: str, target: str, stages: int, **more: Any
) -> Callable[[], Any]:
    return lambda: unit(source=FORMATS[source], target=FORMATS[target], stages=stages, **more)


UNITS: dict[str, Callable[[], Any]] = {
    "bf16 x bf16 + fp32": _made(MultiplyAddUnit, "bf16", "fp32", 16),
    "the same, stochastic with 7 bits": _made(MultiplyAddUnit, "bf16", "fp32", 16, random_bits=7),
    "bf16 multiply-add": _made(MultiplyAddUnit, "bf16", "bf16", 16),
    "fp16 multiply-add": _made(MultiplyAddUnit, "fp16", "fp16", 16),
    "fp8_e5m2 multiply-add": _made(MultiplyAddUnit, "fp8_e5m2", "fp8_e5m2", 16),
    "fp32 multiply-add": _made(MultiplyAddUnit, "fp32", "fp32", 20),
    "bf16 dot product of 2, to fp32": _made(DotUnit, "bf16", "fp32", 20, terms=2),
    "fp8_e5m2 dot product of 2, to fp16": _made(DotUnit, "fp8_e5m2", "fp16", 20, terms=2),
    "fp32 add": _made(AddUnit, "fp32", "fp32", 16),
    "bf16 add": _made(AddUnit, "bf16", "bf16", 16),
    "bf16 multiply": _made(MultiplyUnit, "bf16", "bf16", 16),
    "bf16 multiply, subnormals flushed": _made(MultiplyUnit, "bf16", "bf16", 16, flush=True),
}
# Placing one takes over ten minutes for a seed, so that only its area is known.
PACKED = ("bf16 dot product of 2, to fp32",)
FLUSHES = "amaranth-fp (subnormals flushed, own number format)"
GROUPS = (
    Group("bf16 x bf16 + fp32", "bf16 x bf16 + fp32", (Other("SIGMA", 38, 2056, 80, 1),)),
    Group(
        "bf16 multiply-add",
        "bf16 multiply-add",
        (
            Other("CVFPU, 3 registers", 41, 1079, 209, 1),
            Other("CVFPU, 6 registers", 42, 1006, 353, 1),
            Other("HardFloat", 20, 1207, 67, 1),
            Other("HardFloat, recoded in and out", 26, 812, 68, 1),
            Other(FLUSHES, 71, 893, 368, 1),
        ),
    ),
    Group(
        "fp16 multiply-add",
        "fp16 multiply-add",
        (
            Other("CVFPU, no registers", 22, 1112, 67, 1),
            Other("HardFloat", 18, 1683, 67, 1),
            Other("RedMulE, 3 registers", 39, 1082, 201, 1),
        ),
    ),
    Group(
        "fp8 multiply-add",
        "fp8_e5m2 multiply-add",
        (Other("CVFPU, no registers", 30, 515, 35, 1),),
    ),
    Group(
        "fp32 multiply-add",
        "fp32 multiply-add",
        (
            Other("CVFPU, no registers", 18, 2697, 131, 4),
            Other("CVFPU, 3 registers", 34, 2963, 387, 4),
            Other("HardFloat", 16, 3826, 131, 4),
            Other("HardFloat, recoded in and out", 21, 2181, 132, 4),
            Other(FLUSHES, 54, 2614, 725, 4),
        ),
    ),
    Group(
        "dot product of 2, bf16 to fp32",
        "bf16 dot product of 2, to fp32",
        (Other("CVFPU SDOTP", 14, 3740, 131, 2),),
    ),
    Group(
        "dot product of 2, fp8 to fp16",
        "fp8_e5m2 dot product of 2, to fp16",
        (Other("CVFPU SDOTP", 17, 1329, 67, 2),),
    ),
    Group(
        "fp32 addition",
        "fp32 add",
        (Other("SIGMA", 38, 1921, 96, 0), Other(FLUSHES, 92, 755, 580, 0)),
    ),
    Group("bf16 addition", "bf16 add", (Other(FLUSHES, 135, 381, 319, 0),)),
    Group("bf16 multiplication", "bf16 multiply", (Other(FLUSHES, 133, 88, 146, 1),)),
    Group(
        "bf16 multiplication, subnormals flushed",
        "bf16 multiply, subnormals flushed",
        (Other(FLUSHES, 133, 88, 146, 1),),
    ),
    Group(
        "int8 array of 4x4",
        "int8 4x4",
        (
            Other("CFU-Playground gen2 (no skew, no flow control)", 140, 1090, 1488, 16),
            Other("an AXI-Stream array", 131, 1653, 1606, 16),
            Other("another generator, output-stationary", 88, 2298, 1796, 16),
        ),
    ),
    Group(
        "int8 array of 8x8",
        "int8 8x8",
        (
            Other("CFU-Playground gen2 (no skew, no flow control)", 117, 4354, 6048, 64),
            Other("an AXI-Stream array", 95, 6515, 6546, 64),
            Other("another generator, output-stationary", 63, 9074, 7432, 64),
        ),
    ),
)


def make(name: str) -> Any:
    """Return the unit called ``name``."""
    return UNITS[name]()


def table(units: dict[str, Any], arrays: dict[str, Any]) -> list[str]:
    """Return the rows of a Markdown table; ratios above one are in our favour."""
    head = ["operation, and whose", "Fmax in MHz", "COMB", "FF", "multipliers"]
    head += ["our speed by theirs", "their COMB by ours"]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    found = {**arrays, **units}
    for group in (g for g in GROUPS if g.ours in found):
        ours = found[group.ours]
        used = ours["area"].get("MULT18X18D", 0)
        speed = ours.get("worst_mhz")
        cells = [f"**{group.operation}**", speed or "-", ours["comb"], ours["ff"], used]
        lines.append(f"| {' | '.join(map(str, cells))} | | |")
        for other in group.others:
            faster = f"{speed / other.mhz:.2f}" if speed else "-"
            cells = [*other, faster, f"{other.comb / ours['comb']:.2f}"]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def docs_text(units: dict[str, Any], arrays: dict[str, Any]) -> str:
    """Return docs/comparison.md with the table as it must be."""
    base, random = (
        units.get(n) for n in ("bf16 x bf16 + fp32", "the same, stochastic with 7 bits")
    )
    body = table(units, arrays)
    if base and random:
        more = random["comb"] - base["comb"]
        text = (
            f"Stochastic rounding with 7 random bits adds {more} COMB to the multiply-add of bf16"
        )
        body += ["", f"{text} and fp32, which then reaches {random['worst_mhz']} MHz."]
    return replace_between(DOCS.read_text(), START, END, "\n".join(body))


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=list(UNITS), default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="only write the table")
    options = parser.parse_args()
    for name in [] if options.table else options.only or UNITS:
        known = load_records(KEPT).get(name)
        seeds = 0 if name in PACKED else options.seeds
        found = record(make(name), seeds=seeds, known=known)
        speeds = found.get("fmax_mhz", "-")
        print(name, speeds, "MHz", found["comb"], "COMB", found["ff"], "FF", flush=True)
        keep_record(KEPT, name, found, UNITS)
    records = load_records(KEPT), load_records(array_area.KEPT)
    print("\n".join(table(*records)))
    DOCS.write_text(docs_text(*records))


if __name__ == "__main__":
    main()
