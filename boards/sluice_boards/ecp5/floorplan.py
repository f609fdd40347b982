"""Where the multipliers of a systolic array lie in an ECP5."""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

__all__ = ["SITES", "pin_multipliers", "sites_of"]

# Of each device, by nextpnr's option: rows of multipliers, and where groups of four begin in them.
_LARGE = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
_SMALL = (4, 13, 22, 33, 42, 51, 60)
_GROUP = ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5"))
SITES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "--12k": ((13,), _SMALL),
    "--25k": ((13,), _SMALL),
    "--45k": ((22, 46), (4, 13, 22, 31, 42, 51, 60, 69, 78)),
    "--85k": ((10, 34, 58), _LARGE),
}
# Look-up tables or registers of an element that find a place around its multiplier. Larger ones, of
# floats, spread so far that nextpnr does better by placing the multipliers with them.
_ROOM = 300


def sites_of(option: str) -> list[list[str]]:
    """Return the places of a device's multipliers, row by row, or none if they are not known."""
    rows, groups = SITES.get(option, ((), ()))
    return [[f"X{x + dx}/Y{y}/{bel}" for x in groups for dx, bel in _GROUP] for y in rows]


def pin_multipliers(netlist: Path, option: str) -> int:
    """Give the multipliers of an array their places, in the JSON netlist that nextpnr reads.

    Rows of multipliers lie far apart in the FPGA, and a placer that looks for the nearest free
    place of each puts some at the wrong end of a row, with 5 ns of wire behind them. Here rows of
    the array share a row of multipliers, and its columns lie side by side.

    Parameters
    ----------
    netlist : Path
        It is changed only if there is one array, of elements that are small and have a multiplier
        each, that fits.
    option : str
        Of nextpnr, for the device, as in :data:`SITES`.

    Returns
    -------
    int
        Multipliers that have a place.
    """
    sites = sites_of(option)
    if not sites:
        return 0
    design = json.loads(netlist.read_text())
    cells = design["modules"]["top"]["cells"]
    found: dict[tuple[int, int], dict[str, Any]] = {}
    arrays: set[str] = set()
    logic: Counter[tuple[int, int]] = Counter()
    for name, cell in cells.items():
        match = re.match(r"(.*)\belement_(\d+)_(\d+)\.", name)
        if not match:
            continue
        at = int(match[2]), int(match[3])
        logic[at] += cell["type"] in ("TRELLIS_FF", "LUT4")
        if cell["type"] == "MULT18X18D":
            if at in found:
                return 0
            found[at] = cell
            arrays.add(match[1])
    if len(arrays) != 1:
        return 0
    rows, columns = (1 + max(at[k] for at in found) for k in range(2))
    # Rows of the array in a row of multipliers.
    together = math.ceil(rows / len(sites))
    first = (len(sites[0]) - together * columns) // 2
    if first < 0 or max(logic.values()) > _ROOM:
        return 0
    for (r, c), cell in found.items():
        place = first + c * together + r % together
        cell["attributes"]["BEL"] = sites[r // together][place]
    netlist.write_text(json.dumps(design))
    return len(found)
