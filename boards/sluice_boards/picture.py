"""Pictures of a build: what is used, and where it lies."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

__all__ = ["draw_report"]

_PARTS = (
    ("block", "#0072b2", re.compile(r"^link\.link\.carrier\.inner\.")),
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
    from matplotlib.collections import PatchCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

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
    tiles: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    for name, cell in placed["modules"]["top"]["cells"].items():
        found = re.match(r"X(\d+)/Y(\d+)", cell["attributes"].get("NEXTPNR_BEL", ""))
        if found:
            part = next(part for part, _, pattern in _PARTS if pattern.match(name))
            tiles[int(found[1]), int(found[2])][part] += 1
    totals = sum(tiles.values(), Counter())
    for part, colour, _ in _PARTS:
        # A tile holds several cells; most of them give it its colour.
        mine = [place for place, count in tiles.items() if count.most_common(1)[0][0] == part]
        squares = PatchCollection([Rectangle(place, 1, 1) for place in mine], color=colour)
        floor.add_collection(squares)
    floor.autoscale_view()
    floor.set_aspect("equal")
    floor.set_xlabel("column")
    floor.set_ylabel("row")
    floor.set_title("where the cells lie", fontsize=10)
    floor.legend(
        handles=[
            Rectangle((0, 0), 1, 1, color=colour, label=f"{part} ({totals[part]} cells)")
            for part, colour, _ in _PARTS
        ],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.12),
        ncols=3,
        fontsize=8,
    )
    figure.savefig(path, dpi=110)
