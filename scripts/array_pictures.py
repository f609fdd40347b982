"""Draw how data goes through a systolic array: python scripts/array_pictures.py.

Writes docs/images/array.svg and docs/images/array-timing.svg. Latency and order come from
the array itself.
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.patches import Rectangle

from sluice.array import SystolicArray, make_mac
from sluice.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs/images"
X_COLOUR, W_COLOUR, SUM_COLOUR, GREY = "#cfe3f5", "#fde7c4", "#d9efe0", "#888888"
BUS = "#b8860b"
TILES = ("#fde7c4", "#e6d5f0")


def prepare() -> Any:
    """Return pyplot, set up so that the same picture is the same file."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "array", "font.family": "sans"}
    )
    return plt


def box(ax: Any, x: float, y: float, w: float, h: float, text: str = "", colour: str = "w") -> None:
    """Draw a box, its left lower corner at (x, y)."""
    ax.add_patch(Rectangle((x, y), w, h, fc=colour, ec="#333333", lw=0.8))
    ax.text(x + w / 2, y + h / 2, text, ha="center", va="center")


def arrow(ax: Any, x: float, y: float, to_x: float, to_y: float) -> None:
    """Draw an arrow."""
    style = {"arrowstyle": "-|>", "lw": 0.9, "color": "#333333", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (to_x, to_y), (x, y), arrowprops=style)


def draw_array(plt: Any, size: int = 3) -> Any:
    """Draw skew, elements and de-skew; and one element."""
    figure, ax = plt.subplots(figsize=(9.6, 4.6))
    pitch, left = 1.5, 2.6
    for r in range(size):
        y = (size - 1 - r) * pitch + 1.2
        ax.text(0.0, y + 0.75, f"x[{r}]", ha="right", va="center")
        ax.text(0.0, y + 0.25, f"w[{r}]", ha="right", va="center")
        for k in range(r):
            box(ax, 0.3 + 0.45 * k, y, 0.4, 1.0, "", "#eeeeee")
        for height in (0.75, 0.25):
            arrow(ax, 0.05, y + height, 0.3 + 0.45 * r if not r else 0.3, y + height)
        end = 0.3 + 0.45 * max(r, 0)
        arrow(ax, end, y + 0.75, left, y + 0.75)
        bus = left - 0.4
        ax.plot([bus, left + (size - 1) * pitch + 0.2], [y - 0.12, y - 0.12], color=BUS, lw=1)
        ax.plot([end, bus, bus], [y + 0.25, y + 0.25, y - 0.12], color=BUS, lw=1)
        for c in range(size):
            x = left + c * pitch
            box(ax, x, y, 1.0, 1.0, f"{r},{c}", "#ffffff")
            ax.plot([x + 0.2, x + 0.2], [y - 0.12, y], color=BUS, lw=1)
            if c < size - 1:
                arrow(ax, x + 1.0, y + 0.75, x + pitch, y + 0.75)
            arrow(ax, x + 0.7, y, x + 0.7, y - (0.5 if r < size - 1 else 0.25))
    for c in range(size):
        x = left + c * pitch
        for k in range(size - 1 - c):
            box(ax, x + 0.5, 0.95 - 0.3 * (k + 1), 0.4, 0.25, "", "#eeeeee")
        arrow(ax, x + 0.7, 0.95 - 0.3 * (size - 1 - c), x + 0.7, 0.0)
        box(ax, x + 0.45, -0.42, 0.5, 0.42, "+", SUM_COLOUR)
        arrow(ax, x + 0.7, -0.42, x + 0.7, -0.9)
        ax.text(x + 0.7, -1.0, f"o[{c}]", ha="center", va="top")
        ax.text(x + 0.36, -0.21, "p", ha="right", va="center")
    ax.text(0.3, size * pitch + 1.0, "skew", color=GREY)
    ax.text(left, size * pitch + 1.0, "elements: x to the right, sums down", color=GREY)
    ax.text(left - 0.2, 0.55, "de-skew", color=GREY, ha="right")
    ax.text(left - 0.2, -0.3, "integers; floats add p\nabove row 0", color=GREY, ha="right")
    draw_element(ax, left + size * pitch + 1.1, 0.6)
    ax.set_xlim(-0.6, 14.4)
    ax.set_ylim(-1.5, size * pitch + 1.5)
    ax.axis("off")
    return figure


def draw_element(ax: Any, x: float, y: float) -> None:
    """Draw what one element of integers is made of."""
    ax.add_patch(Rectangle((x, y), 3.9, 4.2, fc="none", ec=GREY, lw=0.8, ls="--"))
    ax.text(x + 0.1, y + 4.3, "an element", color=GREY)
    box(ax, x + 0.4, y + 3.4, 0.7, 0.5, "x", X_COLOUR)
    arrow(ax, x - 0.4, y + 3.65, x + 0.4, y + 3.65)
    arrow(ax, x + 1.1, y + 3.65, x + 4.3, y + 3.65)
    box(ax, x + 0.3, y + 2.0, 2.2, 0.6, "multiplier", "#f7f7f7")
    ax.plot([x + 1.25, x + 1.25, x + 0.75], [y + 3.65, y + 3.0, y + 3.0], color="#333333", lw=0.9)
    arrow(ax, x + 0.75, y + 3.0, x + 0.75, y + 2.6)
    box(ax, x + 1.55, y + 2.9, 1.1, 0.4, "weight", W_COLOUR)
    arrow(ax, x + 2.1, y + 2.9, x + 2.1, y + 2.6)
    box(ax, x + 0.6, y + 0.3, 1.7, 0.4, "next weight", W_COLOUR)
    ax.plot([x - 0.4, x + 0.3, x + 0.3], [y - 0.2, y - 0.2, y + 0.5], color=BUS, lw=1)
    arrow(ax, x + 0.3, y + 0.5, x + 0.6, y + 0.5)
    ax.plot([x + 2.3, x + 2.65, x + 2.65], [y + 0.5, y + 0.5, y + 2.75], color=BUS, lw=1)
    ax.plot([x + 2.65, x + 2.85, x + 2.85], [y + 2.75, y + 2.75, y + 3.1], color=BUS, lw=1)
    arrow(ax, x + 2.85, y + 3.1, x + 2.65, y + 3.1)
    box(ax, x + 0.9, y + 1.2, 1.2, 0.5, "product", SUM_COLOUR)
    arrow(ax, x + 1.4, y + 2.0, x + 1.4, y + 1.7)
    box(ax, x + 2.95, y + 1.25, 0.5, 0.5, "+", "#ffffff")
    arrow(ax, x + 2.1, y + 1.5, x + 2.95, y + 1.5)
    arrow(ax, x + 3.2, y + 4.5, x + 3.2, y + 1.75)
    ax.text(x + 3.3, y + 2.8, "from above", ha="left", va="center", rotation=90, fontsize=7)
    box(ax, x + 2.85, y + 0.6, 0.7, 0.5, "sum", SUM_COLOUR)
    arrow(ax, x + 3.2, y + 1.25, x + 3.2, y + 1.1)
    arrow(ax, x + 3.2, y + 0.6, x + 3.2, y - 0.3)


def draw_timing(plt: Any, size: int = 3) -> Any:
    """Draw two tiles that follow one another without a gap, in cycles."""
    mac = make_mac(FORMATS["int8"], FORMATS["int32"], stages=4)
    array = SystolicArray(rows=size, columns=size, mac=mac)
    figure, ax = plt.subplots(figsize=(9.6, 4.0))
    names = ["first", "w", "swap", "x"]
    names += [f"weight of 0,{c}" for c in range(size)]
    names += [f"weight of {size - 1},{size - 1}", "o"]
    height = {name: len(names) - k for k, name in enumerate(names)}
    vectors = size + 1
    last = array.w_lead + 2 * vectors + array.latency

    def cell(name: str, at: int, cycles: int, text: str, colour: str) -> None:
        box(ax, at, height[name] + 0.1, cycles, 0.75, text, colour)

    for tile, colour in enumerate(TILES):
        # The second tile is loaded while the first is in use.
        load, swap = tile * size, array.w_lead + tile * vectors
        letter = "AB"[tile]
        cell("first", load, 1, "", colour)
        for k in range(size):
            cell("w", load + k, 1, f"{letter}:{k}", colour)
        cell("swap", swap, 1, "", colour)
        for k in range(vectors):
            cell("x", swap + k, 1, f"{letter.lower()}{k}", colour)
            cell("o", swap + k + array.latency, 1, f"{letter.lower()}{k}", colour)
        for row, column in [*((0, c) for c in range(size)), (size - 1, size - 1)]:
            begin = swap + row * mac.step + column + 1
            name = f"weight of {row},{column}"
            end = begin + vectors if tile == 0 else last
            cell(name, begin, end - begin, f"{letter}[{row},{column}]", colour)
    start = array.w_lead
    ax.annotate(
        "",
        (start + array.latency, 0.75),
        (start, 0.75),
        arrowprops={"arrowstyle": "<|-|>", "lw": 0.8, "color": GREY},
    )
    ax.text(start + array.latency / 2, 0.3, f"latency {array.latency}", ha="center", color=GREY)
    for at in range(last + 1):
        ax.axvline(at, ymin=0.02, color="#dddddd", lw=0.5, zorder=0)
        if at < last:
            ax.text(at + 0.5, len(names) + 1.3, str(at), ha="center", color=GREY, fontsize=7)
    for name in names:
        ax.text(-0.3, height[name] + 0.45, name, ha="right", va="center")
    ax.set_xlim(-3.4, last)
    ax.set_ylim(0.0, len(names) + 1.7)
    ax.axis("off")
    return figure


def main() -> None:
    """Draw both."""
    plt = prepare()
    for name, draw in (("array", draw_array), ("array-timing", draw_timing)):
        figure = draw(plt)
        figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    main()
