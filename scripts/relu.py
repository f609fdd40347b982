"""Sizes and costs of compressed zeros: python scripts/relu.py.

Writes the tables of docs/sparsity-relu.md and docs/images/relu-ratio.png: how small the golden
model makes random tensors and those of the digits network, and what the kept measurements of
boards/sluice_boards/results say of the blocks' area.
"""

import json
import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from sluice.datasheet import LUT4, REGISTERS, net_area
from sluice.files import replace_between, replaced_file
from sluice.formats import FORMATS, to_words
from sluice_sim.golden.sparsity import relu_compress

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/sparsity-relu.md"
PICTURE = ROOT / "docs/images/relu-ratio.png"
DIGITS = ROOT / "tests/data/digits"
# Of the default presets.
BLOCK, LANES = 256, 16
SIZES = (4, 8, 16, 32)
WIDTHS = (8, 16, 32)
DENSITIES = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def ratio_of(words: NDArray[np.uint64], width: int) -> float:
    """Return how many times smaller words get."""
    stored, bits, counts = relu_compress(words, block=BLOCK, width=width)
    return words.size * width / (stored.size * width + bits.size + 16 * counts.size)


def formula(density: float, width: int) -> float:
    """Return the same for elements of which that many are not zero, everywhere alike."""
    return 1 / (min(1, density + 1 / width) + 16 / BLOCK / width)


def random_ratio(density: float, width: int) -> float:
    """Return the ratio of a random tensor of 64 blocks."""
    rng = np.random.default_rng(round(1000 * density) + width)
    words = rng.integers(1, 1 << width, 64 * BLOCK, dtype=np.uint64)
    return ratio_of(np.where(rng.random(words.size) < density, words, np.uint64(0)), width)


def ratios() -> list[str]:
    """Return the table of ratios."""
    head = ["tensor", "density", *(f"{w} bits: measured, formula" for w in WIDTHS)]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for density in DENSITIES:
        cells = [f"{random_ratio(density, w):.2f}, {formula(density, w):.2f}" for w in WIDTHS]
        lines.append(f"| random | {density} | {' | '.join(cells)} |")
    hidden = np.load(DIGITS / "hidden.npy")
    gradient = np.where(hidden > 0, np.load(DIGITS / "dhidden.npy"), np.float32(0))
    formats = {8: "fp8_e5m2", 16: "bf16", 32: "fp32"}
    for name, array in (("digits, activations", hidden), ("digits, gradients", gradient)):
        cells, density = [], np.count_nonzero(array) / array.size
        for width in WIDTHS:
            number = FORMATS[formats[width]]
            words = to_words(array.astype(number.dtype), number).reshape(-1)
            there = np.count_nonzero(words) / words.size
            cells.append(f"{ratio_of(words, width):.2f}, {formula(there, width):.2f}")
        lines.append(f"| {name} | {density:.3f} | {' | '.join(cells)} |")
    return lines


def areas() -> list[str]:
    """Return the table of areas, and what there is for each lane and level of switches."""
    head = ("block", "lanes", "LUT4 per lane", "of these per level", "registers per lane", "Fmax")
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for name in ("compact", "expand", "relu_compress", "relu_decompress"):
        path = ROOT / f"boards/sluice_boards/results/{name}.json"
        kept = {(r["preset"], r["device"]): r for r in json.loads(path.read_text())}
        for lanes in SIZES:
            preset = "default" if lanes == LANES else str(lanes)
            found = kept.get((preset, "ecp5-85k")) or kept[preset, "ecp5-85k-packed"]
            tables, registers = (net_area(found)[kind] / lanes for kind in (LUT4, REGISTERS))
            cells = [f"{tables:.0f}", f"{tables / math.log2(lanes):.0f}", f"{registers:.0f}"]
            speed = f"{found['worst_mhz']} MHz" if "worst_mhz" in found else "-"
            lines.append(f"| {name} | {lanes} | {' | '.join(cells)} | {speed} |")
    return lines


def draw(path: Path) -> None:
    """Draw the ratio against density."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    dense = np.linspace(0.02, 1, 200)
    points = np.linspace(0.05, 1, 20)
    for width, colour in zip(WIDTHS, ("tab:blue", "tab:orange", "tab:green"), strict=True):
        axes.plot(dense, [formula(d, width) for d in dense], color=colour, lw=1)
        found = [random_ratio(d, width) for d in points]
        axes.plot(points, found, "o", ms=3.5, color=colour, label=f"{width} bits")
    axes.plot(dense, 1 / dense, color="0.5", ls="--", lw=1, label="limit: non-zeros alone")
    axes.set(xlabel="density", ylabel="size before / after", yscale="log", ylim=(0.8, 30))
    axes.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(title="points: measured, lines: formula")
    with replaced_file(path) as partial:
        figure.savefig(partial, dpi=120, format="png", metadata={"Software": None})


def main() -> None:
    """Print the tables, and write them and the picture."""
    text = PAGE.read_text()
    for name, lines in {"area": areas(), "ratio": ratios()}.items():
        body = "\n".join(lines)
        print(body, end="\n\n")
        begin, end = f"<!-- {name}: written by scripts/relu.py -->", f"<!-- end of {name} -->"
        text = replace_between(text, begin, end, body)
    draw(PICTURE)
    with replaced_file(PAGE) as partial:
        partial.write_text(text)


if __name__ == "__main__":
    main()
