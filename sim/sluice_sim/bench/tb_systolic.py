"""A systolic array against its golden model: tiles one after the other, as close as may be.

``SLUICE_ARRAY`` (JSON) has the parameters of :func:`sluice_sim.bench.array.make_array`.
"""

import json
import os
from dataclasses import dataclass, replace

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from sluice_sim.bench.arith import float_words
from sluice_sim.bench.array import make_array
from sluice_sim.golden.array import multiply_tile
from sluice_sim.golden.formats import FloatFormat, find_format

PARAMETERS = json.loads(os.environ.get("SLUICE_ARRAY", "{}"))
FLUSH = PARAMETERS.get("flush", False)


@dataclass(frozen=True)
class Cycle:
    """What is on the array's inputs in one cycle."""

    x: int = 0
    swap: int = 0
    load: int = 0
    first: int = 0
    w: int = 0
    p: int = 0


def words(name: str, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return words of all kinds, most of them such that sums stay numbers."""
    number = find_format(name)
    count = int(np.prod(shape))
    if isinstance(number, FloatFormat):
        found = float_words(number, rng, count)
        # Sums of anything are soon NaN, which hides what came before.
        tame = rng.integers(-4, 4, count) + number.bias << number.mantissa_bits
        tame |= rng.integers(0, 1 << number.mantissa_bits, count)
        tame |= rng.integers(0, 2, count) << number.width - 1
        found = np.where(rng.random(count) < 0.9, tame.astype(np.uint64), found)
    else:
        found = rng.integers(0, 1 << number.width, count, dtype=np.uint64)
        least = np.uint64(1 << number.width - 1)
        found = np.where(rng.random(count) < 0.2, least, found)
    return found.reshape(shape)


def packed(values: np.ndarray, width: int) -> int:
    """Return the vector as one number."""
    return sum(int(v) << (k * width) for k, v in enumerate(values))


@cocotb.test()
@cocotb.parametrize(tight=[True, False])
async def tiles(dut, tight):
    """Every sum of every tile, in its cycle; loads begin with the swap, or some time later."""
    array = make_array(**PARAMETERS)
    rows, columns = array.rows, array.columns
    operand, total = PARAMETERS["operand"], PARAMETERS["total"]
    width, wide = array.mac.operand.width, array.mac.total.width
    rng = np.random.default_rng(cocotb.RANDOM_SEED + tight)
    # What is driven in each cycle: x, swap, load, w, p; and what is due.
    drive: list[Cycle] = []
    due: dict[int, int] = {}
    tiles = [words(operand, rng, (rows, columns)) for _ in range(6)]
    loads: dict[int, tuple[int, int]] = {}
    start = 0
    for w in tiles:
        for c in range(columns):
            loads[start + c] = (packed(w[:, columns - 1 - c], width), int(c == 0))
        start += columns if tight else columns + int(rng.integers(0, 4))
        count = columns if tight else columns + int(rng.integers(0, 2 * columns + 3))
        x, p = words(operand, rng, (count, rows)), words(total, rng, (count, columns))
        sums = multiply_tile(x, w, p, operand=operand, total=total, flush=FLUSH)
        for k in range(count):
            drive += [Cycle()] * (start + k + 1 - len(drive))
            noise = int.from_bytes(rng.bytes(rows * 8), "little") & ((1 << rows * width) - 1)
            drive[start + k] = Cycle(
                x=packed(x[k], width), swap=int(k == 0), w=noise, p=packed(p[k], wide)
            )
            due[start + k + array.latency] = packed(sums[k], wide)
        late = 0 if tight else int(rng.integers(0, columns + 1))
        start = max(start + late, start + count - columns)
    for at, (w, first) in loads.items():
        drive += [Cycle()] * (at + 1 - len(drive))
        drive[at] = replace(drive[at], load=1, first=first, w=w)
    assert len(due) >= 6 * columns

    dut.rst.value = 0
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    await RisingEdge(dut.clk)
    for at in range(len(drive) + array.latency + 1):
        for name, value in vars(drive[at] if at < len(drive) else Cycle()).items():
            getattr(dut, name).value = value
        await ReadOnly()
        if at in due:
            got = int(dut.o.value)
            assert got == due[at], f"cycle {at}: {got:x}, expected {due[at]:x}"
        await RisingEdge(dut.clk)
