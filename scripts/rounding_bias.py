"""Measure the bias of stochastic rounding: python scripts/rounding_bias.py.

Writes docs/data/rounding-bias.json, docs/images/rounding-bias.png and the tables between the
markers in docs/numerics.md. Everything is seeded; two runs give the same numbers.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import ml_dtypes
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "sim"))

from sluice_sim.golden.formats import FloatFormat, decode, find_format  # noqa: E402
from sluice_sim.golden.random import Lfsr32, lane_seeds  # noqa: E402
from sluice_sim.golden.rounding import round_bits  # noqa: E402

JSON_FILE = ROOT / "docs/data/rounding-bias.json"
IMAGE_FILE = ROOT / "docs/images/rounding-bias.png"
PAGE = ROOT / "docs/numerics.md"
BEGIN, END = "<!-- rounding-bias tables: begin -->", "<!-- rounding-bias tables: end -->"

SEED = 1
COUNT = 1 << 18
TERMS = 64
LANES = 64
STEPS = 2000
STEP_SIZE = 1e-4

# Label, and the arguments of round_bits.
METHODS: dict[str, dict[str, Any]] = {
    "own bits 0..7": {"mode": "own_bits", "random_bits": 8, "position": 0},
    "own bits 4..11": {"mode": "own_bits", "random_bits": 8, "position": 4},
    "own bits 0..4": {"mode": "own_bits", "random_bits": 5, "position": 0},
    "own bits 8..15": {"mode": "own_bits", "random_bits": 8, "position": 8},
    "generator, 8 bits": {"mode": "generator", "random_bits": 8},
    "nearest even": {"mode": "nearest_even"},
    "towards zero": {"mode": "towards_zero"},
}

TRAJECTORIES: tuple[tuple[str, str, int, float], ...] = (
    ("generator, 8 bits", "generator", 8, STEP_SIZE),
    ("own bits 0..7", "own_bits", 8, STEP_SIZE),
    ("own bits 0..3", "own_bits", 4, STEP_SIZE),
    ("own bits 0..7, constant update", "own_bits", 8, 0.0),
    ("nearest even", "nearest_even", 8, STEP_SIZE),
)


def draw(count: int, random_bits: int) -> NDArray[np.uint64]:
    """Return ``count`` random integers from the unit's own generator."""
    lfsr = Lfsr32(lane_seeds(SEED, LANES, 32), random_bits=random_bits)
    return np.concatenate([lfsr.next() for _ in range(-(-count // LANES))])[:count]


def errors(values: NDArray[np.float32], target: str, **how: Any) -> NDArray[np.float64]:
    """Return the change of magnitude by rounding fp32 ``values``, in ulps of the target."""
    fmt = find_format(target)
    assert isinstance(fmt, FloatFormat)
    values = values[values != 0]
    if how["mode"] == "generator":
        how = how | {"random": draw(values.size, how["random_bits"])}
    rounded = decode(
        round_bits(values.view(np.uint32), source="fp32", target=target, **how), target
    )
    exact = np.abs(values.astype(np.float64))
    ulp = np.exp2(np.floor(np.log2(exact)) - fmt.mantissa_bits)
    return (np.abs(rounded) - exact) / ulp


def summary(values: NDArray[np.float32], target: str, **how: Any) -> dict[str, float]:
    """Return mean and root mean square of :func:`errors`."""
    e = errors(values, target, **how)
    return {"mean": round(float(e.mean()), 5), "rms": round(float(np.sqrt((e**2).mean())), 4)}


def uniform() -> list[dict[str, Any]]:
    """Round every pattern of dropped bits once: exact means, no sampling."""
    rows = []
    for target, dropped, random_bits in [
        ("bf16", 16, 2),
        ("bf16", 16, 4),
        ("bf16", 16, 5),
        ("bf16", 16, 8),
        ("fp16", 13, 4),
        ("fp16", 13, 5),
    ]:
        values = (np.arange(1 << dropped, dtype=np.uint32) | 0x3F800000).view(np.float32)
        found = summary(values, target, mode="own_bits", random_bits=random_bits)
        expected = round(2.0 ** -(dropped + 1) - 2.0 ** -(random_bits + 1), 5)
        rows.append(
            {"target": target, "D": dropped, "R": random_bits, "expected": expected} | found
        )
    return rows


def ensembles() -> dict[str, NDArray[np.float32]]:
    """Return fp32 values as they arise in a network, all of them exact products or their sums."""
    rng = np.random.default_rng(SEED)

    def operand(dtype: type) -> NDArray[np.float32]:
        return rng.standard_normal(COUNT).astype(dtype).astype(np.float32)

    def products(dtype: type) -> NDArray[np.float32]:
        return operand(dtype) * operand(dtype)

    def total(dtype: type) -> NDArray[np.float32]:
        accumulator = np.zeros(COUNT, np.float32)
        for _ in range(TERMS):
            accumulator += products(dtype)
        return accumulator

    words = rng.integers(0, 1 << 23, COUNT, dtype=np.uint32) | np.uint32(0x3F800000)
    integers = rng.integers(-127, 128, (2, COUNT))
    return {
        "uniform mantissa": words.view(np.float32),
        "BF16 product": products(ml_dtypes.bfloat16),
        "FP16 product": products(np.float16),
        "int8 product": (integers[0] * integers[1]).astype(np.float32),
        f"sum of {TERMS} BF16 products": total(ml_dtypes.bfloat16),
        f"sum of {TERMS} FP16 products": total(np.float16),
    }


def trajectory(mode: str, random_bits: int, noise: float) -> list[float]:
    """Return a BF16 weight, averaged over lanes, under ``STEPS`` additions of ``STEP_SIZE``."""
    rng = np.random.default_rng(SEED)
    lfsr = Lfsr32(lane_seeds(SEED, LANES, 32), random_bits=random_bits)
    weight = np.full(LANES, 0x3F80, np.uint64)
    course = [1.0]
    for _ in range(STEPS):
        update = (STEP_SIZE + noise * rng.standard_normal(LANES)).astype(np.float32)
        moved = decode(weight, "bf16").astype(np.float32) + update
        weight = round_bits(
            moved.view(np.uint32),
            source="fp32",
            target="bf16",
            mode=mode,
            random_bits=random_bits,
            random=lfsr.next(),
        )
        course.append(float(decode(weight, "bf16").mean()))
    return course


def tables(result: dict[str, Any]) -> str:
    """Return the Markdown tables of the page."""
    lines = [
        "Every pattern of the D dropped bits once, `own_bits` at position 0 (exact):",
        "",
        "| target | D | R | mean error, ulp | `2^-(D+1) - 2^-(R+1)` | rms, ulp |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['target']} | {r['D']} | {r['R']} | {r['mean']:.4f} | {r['expected']:.4f} "
        f"| {r['rms']:.3f} |"
        for r in result["uniform"]
    ]
    methods = list(METHODS)
    lines += [
        "",
        f"Mean error in ulps of BF16, FP32 values of six kinds ({result['count']} of each):",
        "",
        "| source values | " + " | ".join(methods) + " |",
        "| --- |" + " --- |" * len(methods),
    ]
    for kind, found in result["ensembles"].items():
        cells = " | ".join(f"{found[method]['mean']:z.4f}" for method in methods)
        lines.append(f"| {kind} | {cells} |")
    lines += [
        "",
        (
            f"A BF16 weight of 1.0 after {STEPS} additions of {STEP_SIZE:g} (exact: "
            f"{1 + STEPS * STEP_SIZE:.1f}), mean of {LANES} lanes; the update is constant or has "
            f"Gaussian noise of standard deviation {STEP_SIZE:g}:"
        ),
        "",
        "| rounding | update | weight |",
        "| --- | --- | --- |",
    ]
    for row in result["weights"]:
        kind = "noisy" if row["noise"] else "constant"
        lines.append(
            f"| {row['label'].removesuffix(', constant update')} | {kind} | {row['final']:.3f} |"
        )
    return "\n".join(lines)


def picture(result: dict[str, Any], courses: dict[str, list[float]]) -> None:
    """Draw the bias of each kind of value, and the weight that it moves."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.2), width_ratios=(1.15, 1))
    shown = ("own bits 0..7", "own bits 4..11", "generator, 8 bits")
    colours = ("#c44e52", "#dd8452", "#4c72b0")
    kinds = list(result["ensembles"])
    rows = np.arange(len(kinds))[::-1]
    for offset, method, colour in zip((0.27, 0, -0.27), shown, colours, strict=True):
        means = [result["ensembles"][kind][method]["mean"] for kind in kinds]
        left.barh(rows + offset, means, 0.25, color=colour, label=method)
        for row, mean in zip(rows + offset, means, strict=True):
            left.text(min(mean, 0) - 0.006, row, f"{mean:z.3f}", ha="right", va="center", size=8)
    left.set_yticks(rows, kinds)
    left.set_xlim(-0.58, 0.03)
    left.axvline(0, color="black", lw=0.8)
    left.set_xlabel("mean error in ulps of BF16 (-0.5: always truncated)")
    left.set_title("Bare products leave no low bits to round with", loc="left")
    left.legend(loc="lower left", frameon=False)

    styles = ("#4c72b0", "#c44e52", "#8c564b", "#55a868", "black")
    for (label, course), colour in zip(courses.items(), styles, strict=True):
        dashes = (0, (2, 3)) if label.startswith("nearest") else "-"
        right.plot(course, color=colour, ls=dashes, lw=1.6, label=f"{label}: {course[-1]:.3f}")
    right.plot([0, STEPS], [1, 1 + STEPS * STEP_SIZE], color="grey", lw=1, ls=":", label="exact")
    right.set_xlabel(f"step (each adds {STEP_SIZE:g}, with noise of the same size)")
    right.set_ylabel("BF16 weight, mean of lanes")
    right.set_ylim(0.94, 1.33)
    right.set_title("Small updates need enough random bits", loc="left")
    right.legend(loc="upper left", frameon=False)
    figure.tight_layout()
    IMAGE_FILE.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of the library, the same numbers give the same file.
    figure.savefig(IMAGE_FILE, dpi=130, metadata={"Software": None})


def main() -> None:
    """Measure, print, write."""
    found = {
        kind: {method: summary(values, "bf16", **how) for method, how in METHODS.items()}
        for kind, values in ensembles().items()
    }
    courses = {label: trajectory(mode, bits, noise) for label, mode, bits, noise in TRAJECTORIES}
    result = {
        "made_by": "scripts/rounding_bias.py",
        "seed": SEED,
        "count": COUNT,
        "uniform": uniform(),
        "ensembles": found,
        "weights": [
            {
                "label": label,
                "mode": mode,
                "random_bits": random_bits,
                "noise": noise,
                "final": round(courses[label][-1], 4),
            }
            for label, mode, random_bits, noise in TRAJECTORIES
        ],
    }
    JSON_FILE.parent.mkdir(parents=True, exist_ok=True)
    JSON_FILE.write_text(json.dumps(result, indent=1) + "\n")
    text = tables(result)
    print(text)
    picture(result, courses)
    page = PAGE.read_text() if PAGE.exists() else ""
    if BEGIN in page:
        head, rest = page.split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
