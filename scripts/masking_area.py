"""Measure what masking costs: python scripts/masking_area.py.

The masking multiplexer in look-up tables per bit of data, and what each generator adds per lane,
in the harness less the harness. The datasheet takes it from boards/sluice_boards/results/parts.
``--check`` fails unless the multiplexer takes at most 1.2 tables per bit.
"""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("hw", "sim", "boards")]

from sluice.catalogue import find_block  # noqa: E402
from sluice.datasheet import LUT4, REGISTERS, fingerprint, net_area  # noqa: E402
from sluice.files import keep_json  # noqa: E402
from sluice.masking import Masking  # noqa: E402
from sluice_boards.measure import find_device, measure  # noqa: E402

OUT = ROOT / "boards/sluice_boards/results/parts/masking.json"
ELEMENT, LANES, INDEX_BITS, LIMIT = "bf16", 8, 16, 1.2
ONE: dict[str, Any] = {
    "element": ELEMENT,
    "lanes": LANES,
    "index_bits": INDEX_BITS,
    "terms": 1,
    "kinds": "",
}


def variants() -> dict[str, dict[str, Any]]:
    """Return what is measured, in the order of the table; the first is what the others add to."""
    one = {name: {**ONE, "kinds": name} for name in ("lower", "upper", "band", "columns", "rows")}
    return {
        "no generator": ONE,
        **one,
        "segments (8)": {**ONE, "segments": 8},
        "external": {**ONE, "external": True},
        "all but segments and external": {**ONE, "kinds": ",".join(one)},
        "the same, two terms": {**ONE, "kinds": ",".join(one), "terms": 2},
    }


def cost(parameters: dict[str, Any]) -> dict[str, int]:
    """Return the area, with one seed, on which it does not depend."""
    return net_area(measure(Masking(**parameters), find_device("ecp5-85k"), seeds=(1,)))


def multiplexer() -> dict[str, Any]:
    """Return tables per bit of data: what 16 bits more per lane add, without a generator.

    The other parts of the circuit are the same in both, so that only the data path is left.
    """
    narrow, wide = ({**ONE, "element": name} for name in ("bf16", "fp32"))
    bits = LANES * 16
    added = cost(wide)[LUT4] - cost(narrow)[LUT4]
    return {"tables": added, "bits": bits, "tables_per_bit": round(added / bits, 3)}


def main() -> None:
    """Measure, print a table and keep it."""
    path = multiplexer()
    print(f"multiplexer: {path['tables']} COMB for {path['bits']} bits, {path['tables_per_bit']}")
    rows: list[list[Any]] = []
    print(f"{'':32}{'COMB':>6}{'FF':>7}{'adds':>7}{'per lane':>10}")
    for name, parameters in variants().items():
        found = cost(parameters)
        luts, registers = found[LUT4], found[REGISTERS]
        added = luts - (rows[0][1] if rows else luts)
        rows.append([name, luts, registers, added, f"{added / LANES:.1f}"])
        print(f"{name:32}{luts:6}{registers:7}{added:7}{added / LANES:10.1f}", flush=True)
    facts = {
        "script": "scripts/masking_area.py",
        "note": f"{LANES} lanes of {ELEMENT} with one term on the ECP5, less the harness. The path "
        f"of the data, multiplexer and alternative value, takes {path['tables_per_bit']} LUT4 per "
        "bit.",
        "netlist": fingerprint(find_block("masking"), {}),
        "columns": ["generators built", "LUT4", "registers", "adds LUT4", "per lane"],
        "rows": rows,
    }
    keep_json(OUT, facts)
    if "--check" in sys.argv and path["tables_per_bit"] > LIMIT:
        sys.exit(f"the multiplexer takes {path['tables_per_bit']} tables per bit, above {LIMIT}")


if __name__ == "__main__":
    main()
