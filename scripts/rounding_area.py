"""Measure what rounding costs beside its adder: python scripts/rounding_area.py.

Prints the area of eight lanes fp32 to bf16 in the harness, less the harness: an adder alone, the
mode own_bits, and what each further mode and option adds to it. The datasheet takes it from
boards/sluice_boards/results/parts.
"""

import sys
from pathlib import Path
from typing import Any

from amaranth import Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("hw", "sim", "boards")]

from sluice.block import Block  # noqa: E402
from sluice.catalogue import find_block  # noqa: E402
from sluice.datasheet import LUT4, REGISTERS, fingerprint, net_area  # noqa: E402
from sluice.files import keep_json  # noqa: E402
from sluice.rounding import Rounding  # noqa: E402
from sluice_boards.measure import find_device, measure  # noqa: E402

LANES, WORD, BITS, KEPT = 8, 32, 8, 15
SMALL: dict[str, Any] = {"modes": "own_bits", "saturation": False, "status_bits": False}


class BareAdders(Block):
    """Eight 23-bit adders between registers: the kept bits of each word, and the R below them."""

    i: Any
    o: Any

    def __init__(self) -> None:
        super().__init__(
            {"i": In(data.ArrayLayout(WORD, LANES)), "o": Out(data.ArrayLayout(KEPT, LANES))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for k in range(LANES):
            word = Signal(WORD, name=f"word_{k}", reset_less=True)
            total = word[BITS:-1] + word[:BITS]
            m.d.sync += [word.eq(self.i[k]), self.o[k].eq(total[BITS : BITS + KEPT])]
        return m


def variants() -> dict[str, Block]:
    """Return what is measured, in the order of the table."""
    every = "nearest_even,towards_zero,own_bits,generator"
    return {
        "bare adders": BareAdders(),
        "own_bits": Rounding(**SMALL),
        "+ towards_zero": Rounding(**{**SMALL, "modes": "own_bits,towards_zero"}),
        "+ nearest_even": Rounding(**{**SMALL, "modes": "own_bits,nearest_even"}),
        "+ generator (lfsr)": Rounding(**{**SMALL, "modes": "own_bits,generator"}),
        "+ generator (xoroshiro)": Rounding(
            **{**SMALL, "modes": "own_bits,generator", "generator": "xoroshiro"}
        ),
        "+ saturation": Rounding(**{**SMALL, "saturation": True}),
        "+ status_bits": Rounding(**{**SMALL, "status_bits": True}),
        "all modes": Rounding(**{**SMALL, "modes": every}),
        "all modes and options": Rounding(),
    }


def main() -> None:
    """Measure with one seed, on which the area does not depend; print a table and keep it."""
    rows: list[list[Any]] = []
    print(f"{'':26}{'COMB':>6}{'FF':>7}{'of bare':>9}{'adds':>7}")
    for name, block in variants().items():
        found = net_area(measure(block, find_device("ecp5-85k"), seeds=(1,)))
        comb, ff = found[LUT4], found[REGISTERS]
        ratio = comb / rows[0][1] if rows else 1.0
        added = comb - rows[1][1] if len(rows) > 1 else 0
        rows.append([name, comb, ff, f"{ratio:.2f}", added])
        print(f"{name:26}{comb:6}{ff:7}{ratio:9.2f}{added:7}", flush=True)
    facts = {
        "script": "scripts/rounding_area.py",
        "note": "Eight lanes of fp32 to bf16 with 8 random bits on the ECP5, less the harness. The "
        "bare adders are what own_bits cannot do without.",
        "netlist": fingerprint(find_block("rounding"), {}),
        "columns": ["what is built", "LUT4", "registers", "of bare adders", "adds to own_bits"],
        "rows": rows,
    }
    path = ROOT / "boards/sluice_boards/results/parts/rounding.json"
    keep_json(path, facts)


if __name__ == "__main__":
    main()
