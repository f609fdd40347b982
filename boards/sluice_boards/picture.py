"""Pictures of a build: what is used, and where it lies."""

import re
from pathlib import Path
from typing import Any

__all__ = ["draw_report"]

_PARTS = (
    ("block", "#0072b2", re.compile(r"^link\.(?:link\.)?inner\.")),
    ("host link", "#e69f00", re.compile(r"^link\.")),
    ("clock and pins", "#7f7f7f", re.compile("")),
)


def draw_report(result: dict[str, Any], placed: dict[str, Any], path: Path) -> None:
    """Draw shares of each resource beside the places of all cells.

    Parameters
    ----------
    result : dict
        As :func:`sluice_boards.build.build_bitstream` returns it.
    placed : dict
        nextpnr's netlist, whose cells carry the place they got.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    bars, floor = figure.subplots(1, 2, width_ratios=(2, 3))
    used = {n: u for n, u in result["utilisation"].items() if u["available"] > 1}
    names = list(used)[::-1]
    shares = [100 * used[n]["used"] / used[n]["available"] for n in names]
    bars.barh(names, shares, color="#0072b2")
    for k, n in enumerate(names):
        text = f" {used[n]['used']} of {used[n]['available']}"
        bars.text(shares[k], k, text, va="center", fontsize=8)
    bars.set_xlim(0, max(100, *shares))
    bars.set_xlabel("used (%)")
    bars.set_title(
        f"{result['block']} on {result['board']}: "
        f"{result['fmax_mhz']} MHz, clock {result['clock_mhz']:g} MHz",
        fontsize=10,
    )
    places: dict[str, list[tuple[int, int]]] = {name: [] for name, _, _ in _PARTS}
    for name, cell in placed["modules"]["top"]["cells"].items():
        found = re.match(r"X(\d+)/Y(\d+)", cell["attributes"].get("NEXTPNR_BEL", ""))
        if found:
            part = next(part for part, _, pattern in _PARTS if pattern.match(name))
            places[part].append((int(found[1]), int(found[2])))
    for part, colour, _ in _PARTS:
        if places[part]:
            x, y = zip(*places[part], strict=True)
            floor.scatter(x, y, s=4, marker="s", color=colour, label=f"{part} ({len(x)} cells)")
    floor.set_aspect("equal")
    floor.set_xlabel("column")
    floor.set_ylabel("row")
    floor.set_title("where the cells lie", fontsize=10)
    floor.legend(loc="upper right", fontsize=8)
    figure.savefig(path, dpi=110)
