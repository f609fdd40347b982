"""Tour of the generator on real data: simulate, compare, write Verilog, build a bitstream.

Values of a small network trained on handwritten digits pass the simulated rounding unit and
masking circuit, and come back equal, bit for bit, to what gfloat, ml_dtypes and the mask
conventions of PyTorch give. Everything is done by commands that are shown as they run.
"""

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from sluice.datasheet import LUT4, REGISTERS, net_area
from sluice_sim.golden.random import Lfsr32, lane_seeds

ROOT = Path(__file__).resolve().parents[1]
DIGITS = ROOT / "tests/data/digits"
OUT = ROOT / "build/demo"
BOARD = "ulx3s-85f"
SEED, LANES, BITS = 2026, 8, 8
console = Console()


def sluice(*arguments: str) -> None:
    """Show and run one command; end the tour if it fails."""
    shown = [str(Path(a).relative_to(ROOT)) if a.startswith(str(ROOT)) else a for a in arguments]
    console.print(f"[dim]$ sluice {shlex.join(shown)}[/dim]", highlight=False, soft_wrap=True)
    done = subprocess.run([sys.executable, "-m", "sluice.cli", *arguments], cwd=ROOT)
    if done.returncode:
        sys.exit(done.returncode)


def data(name: str) -> NDArray[np.float32]:
    """Return an array of the training run."""
    return np.load(DIGITS / f"{name}.npy")


def through(block: str, source: Path, *options: str, name: str) -> NDArray[Any]:
    """Send a file through a block on the simulator and return what came out."""
    target = OUT / f"{name}.npy"
    sluice("run", block, "--input", str(source), "--output", str(target), *options)
    return np.load(target)


def agree(what: str, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    """Say that all bits are equal, or end with status 1."""
    theirs = theirs.astype(np.float32)
    same = np.array_equal(ours.view(np.uint32), theirs.view(np.uint32))
    console.print(
        f"  {'[green]equal' if same else '[red]DIFFERENT'}[/]: {ours.size} values, {what}"
    )
    if not same:
        sys.exit(1)


def by_gfloat(values: NDArray[Any], fmt: Any, mode: Any, r: Any = None) -> NDArray[Any]:
    """Return values rounded by gfloat, an implementation that is not ours."""
    random = {} if r is None else {"srbits": r, "srnumbits": BITS}
    return gfloat.round_ndarray(fmt, values.astype(np.float64), mode, **random)


def generated_bits(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the random bits of each element: one per lane and beat, rows beginning a beat."""
    generator = Lfsr32([1] * LANES, random_bits=BITS)
    for lane, seed in enumerate(lane_seeds(SEED, LANES, 32)):
        # Seeds arrive with empty packets, one per lane, and every packet draws.
        generator.state[lane] = seed
        generator.next()
    rows, columns = shape
    beats = -(-columns // LANES)
    drawn = [
        np.concatenate([generator.next() for _ in range(beats)])[:columns] for _ in range(rows)
    ]
    return np.array(drawn, np.int64)


def round_tensors() -> None:
    """Round weights, activations and gradients, in each mode."""
    console.rule("rounding: fp32 to bf16 and fp8, five ways")
    bf16 = gfloat.formats.format_info_bfloat16
    nearest: Callable[[NDArray], NDArray] = lambda x: x.astype(ml_dtypes.bfloat16)  # noqa: E731
    for name, mode, reference, expected in (
        ("w1", "nearest_even", "ml_dtypes", nearest),
        (
            "hidden",
            "towards_zero",
            "gfloat",
            lambda x: by_gfloat(x, bf16, gfloat.RoundMode.TowardZero),
        ),
        (
            "dw1",
            "own_bits",
            "gfloat",
            lambda x: by_gfloat(
                x,
                bf16,
                gfloat.RoundMode.StochasticFastest,
                x.view(np.uint32).astype(np.int64) & 255,
            ),
        ),
        (
            "dhidden",
            "generator",
            "gfloat",
            lambda x: by_gfloat(
                x, bf16, gfloat.RoundMode.StochasticFastest, generated_bits(x.shape)
            ),
        ),
    ):
        seed = ["--config", f"seed={SEED}"] if mode == "generator" else []
        options = ("--config", f"mode={mode}", *seed)
        ours = through("rounding", DIGITS / f"{name}.npy", *options, name=f"{name}_{mode}")
        agree(f"{name} by {mode} as {reference} rounds them", ours, expected(data(name)))
    options = ("--preset", "fp8_e4m3", "--config", "mode=nearest_even", "--config", "saturate=true")
    ours = through("rounding", DIGITS / "dw2.npy", *options, name="dw2_fp8")
    agree(
        "dw2 to fp8 E4M3 as ml_dtypes casts them", ours, data("dw2").astype(ml_dtypes.float8_e4m3fn)
    )


def mask_tensors() -> None:
    """Mask attention scores as transformers do."""
    console.rule("masking: scores of 64 samples, generated masks")
    scores = OUT / "scores.npy"
    np.save(scores, data("scores").astype(ml_dtypes.bfloat16).astype(np.float32))
    x = np.load(scores)
    lowest = float(ml_dtypes.finfo(ml_dtypes.bfloat16).min)
    rows, columns = np.indices(x.shape)
    # In PyTorch's masked_fill a true bit masks, in its attention masks a true bit passes.
    for name, mask, alternative, fill, masked in (
        ("causal", "lower(0)", "minus_infinity", -np.inf, columns > rows),
        ("padded", "lower(0) & columns(50)", "lowest", lowest, (columns > rows) | (columns >= 50)),
        ("banded", "band(8)", "zero", 0.0, abs(rows - columns) >= 8),
    ):
        options = ("--config", f"mask={mask}", "--config", f"alternative={alternative}")
        ours = through("masking", scores, *options, name=f"scores_{name}")
        agree(f"{name}, as masked_fill({fill:g})", ours, np.where(masked, np.float32(fill), x))


def build() -> dict[str, Any]:
    """Write the Verilog of both blocks and the bitstream of one."""
    console.rule("Verilog and bitstream")
    for block in ("rounding", "masking"):
        sluice("generate", block, "-o", str(OUT / block))
    sluice("build", "rounding", "--board", BOARD, "-o", str(OUT / BOARD))
    return json.loads((OUT / BOARD / "build.json").read_text())


def report(built: dict[str, Any]) -> None:
    """Print what was measured of each block, and of the bitstream just built."""
    console.rule("area, Fmax and throughput")
    table = Table(header_style="bold")
    for column in ("block", "preset", "on", "LUT4", "registers", "Fmax MHz", "elements/s"):
        table.add_column(column, justify="left" if column in ("block", "preset", "on") else "right")
    for block in ("rounding", "masking"):
        kept = json.loads((ROOT / f"boards/sluice_boards/results/{block}.json").read_text())
        lanes = {"default": 8, "own_bits": 8, "fp8_e4m3": 4, "full": 8}
        for m in kept:
            if m["device"] == "ecp5-85k":
                area = net_area(m)
                rate = f"{m['worst_mhz'] * lanes[m['preset']] / 1000:.2f} G"
                numbers = (area[LUT4], area[REGISTERS], m["worst_mhz"], rate)
                table.add_row(block, m["preset"], m["device"], *map(str, numbers))
    used = {name: u["used"] for name, u in built["utilisation"].items()}
    cells = (used["TRELLIS_COMB"], used["TRELLIS_FF"], built["fmax_mhz"])
    table.add_row(
        "rounding, host link",
        "default",
        BOARD,
        *map(str, cells),
        f"{built['clock_mhz'] * 8 / 1000:.2f} G",
    )
    console.print(table)
    console.print(
        "Blocks: worst of three seeds in the harness, from scripts/measure. Board: at its clock; "
        "the serial line is slower."
    )


def main() -> None:
    """Do all of it, into a fresh build/demo."""
    start = time.monotonic()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    round_tensors()
    mask_tensors()
    report(build())
    console.print(f"Everything is in {OUT.relative_to(ROOT)}; {time.monotonic() - start:.0f} s.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
