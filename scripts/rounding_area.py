"""Measure what rounding costs beside its adder: python scripts/rounding_area.py.

Prints the area of eight lanes fp32 to bf16 in the harness, less the harness: an adder alone, the
mode own_bits, and what each further mode and option adds to it. ``--json`` prints the same as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

from amaranth import Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("hw", "sim", "boards")]

from sluice.block import Block  # noqa: E402
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
    """Measure with one seed, on which the area does not depend, and print a table."""
    rows: list[dict[str, Any]] = []
    for name, block in variants().items():
        found = measure(block, find_device("ecp5-85k"), seeds=(1,))
        comb = found["area"]["TRELLIS_COMB"] - found["harness"]["tables"]
        ff = found["area"]["TRELLIS_FF"] - found["harness"]["registers"]
        rows.append(
            {
                "what": name,
                "comb": comb,
                "ff": ff,
                "ratio": comb / (rows or [{"comb": comb}])[0]["comb"],
            }
        )
        if "--json" not in sys.argv:
            if len(rows) == 1:
                print(f"{'':26}{'COMB':>6}{'FF':>7}{'of bare':>9}{'adds':>7}")
            added = comb - rows[min(1, len(rows) - 1)]["comb"]
            print(f"{name:26}{comb:6}{ff:7}{rows[-1]['ratio']:9.2f}{added:7}", flush=True)
    if "--json" in sys.argv:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
