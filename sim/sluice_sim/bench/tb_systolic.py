"""A systolic array against its golden model: tiles one after the other, as close as may be.

``SLUICE_ARRAY`` (JSON) has the parameters of :func:`sluice_sim.bench.array.make_array`. If
``SLUICE_TOGGLES`` names a file, it gets how many bits changed in the multipliers' operands.
"""

import json
import os
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from sluice_sim.bench.array import make_array, matrix_words
from sluice_sim.golden.array import multiply_sparse_tile, multiply_tile
from sluice_sim.golden.formats import FloatFormat, find_format

PARAMETERS = json.loads(os.environ.get("SLUICE_ARRAY", "{}"))
TOGGLES = os.environ.get("SLUICE_TOGGLES")
OPERAND, TOTAL = PARAMETERS.get("operand", "int8"), PARAMETERS.get("total", "int32")
FLUSH, GROUP = PARAMETERS.get("flush", False), PARAMETERS.get("group", 1)
GATING = PARAMETERS.get("gating", False)


@dataclass(frozen=True)
class Cycle:
    """What is on the array's inputs in one cycle."""

    x: int = 0
    swap: int = 0
    first: int = 0
    w: int = 0
    tag: int = 0
    used: int = 0
    p: int = 0


@dataclass(frozen=True)
class Plan:
    """What is driven in each cycle, and what is due in which."""

    drive: list[Cycle]
    due: dict[int, int]


def packed(values: np.ndarray, width: int) -> int:
    """Return the vector as one number, the first value lowest."""
    return sum(int(v) << (k * width) for k, v in enumerate(values.reshape(-1)))


def noise(rng: np.random.Generator, bits: int) -> int:
    """Return any number of so many bits."""
    return int.from_bytes(rng.bytes(bits // 8 + 1), "little") & ((1 << bits) - 1)


def sums_of(
    x: np.ndarray, w: np.ndarray, tags: np.ndarray, used: np.ndarray, p: np.ndarray
) -> np.ndarray:
    """Return the golden sums of a tile."""
    # A negative zero adds nothing, not even to a negative zero, and neither does an integer zero.
    number = find_format(OPERAND)
    nothing = 1 << number.width - 1 if isinstance(number, FloatFormat) else 0
    x = np.where(used[None, :, None], x, np.uint64(nothing))
    w = np.where(used[:, None], w, np.uint64(0))
    formats = {"operand": OPERAND, "total": TOTAL, "flush": FLUSH}
    if GROUP == 1:
        sums = multiply_tile(x[:, :, 0], w, p, **formats)
    else:
        sums = multiply_sparse_tile(x, w, tags, p, **formats)
    if not used.any():
        _check_unchanged(sums, p)
    return sums


def _check_unchanged(sums: np.ndarray, p: np.ndarray) -> None:
    """Numbers pass as they are; a NaN, or what is flushed, is never left in a sum."""
    total = find_format(TOTAL)
    if isinstance(total, FloatFormat):
        size = p & np.uint64((1 << total.width - 1) - 1)
        normal = (size == 0) | (size >> np.uint64(total.mantissa_bits) > 0)
        number = size <= np.uint64(total.inf_code if total.has_inf else total.max_code)
        same = number & (normal if FLUSH else True)
        assert (sums == p)[same].all()
        assert (sums == total.nan_code)[~number].all()
    else:
        assert (sums == p).all()


def plan(array, rng: np.random.Generator, *, tight: bool) -> Plan:
    """Return tiles that follow one another at once, or that wait now and then."""
    rows, columns = array.rows, array.columns
    width, wide = array.mac.operand.width, array.mac.total.width
    tag_bits = (GROUP - 1).bit_length()
    zeros = 0.4 if GATING or TOGGLES else 0.0
    at: dict[int, dict[str, int]] = defaultdict(dict)
    due: dict[int, int] = {}
    load = swap = end = 0
    for tile in range(8):
        late = [0, 0, 0] if tight else rng.integers(0, columns + 1, 3).tolist()
        # A tile is loaded behind the one before it, whose first vector is there; and may be used
        # before all of it is.
        load = max(load, swap) + late[0]
        swap = max(load + array.w_lead, end) + late[1]
        w = matrix_words(OPERAND, rng, (rows, columns), zeros)
        tags = rng.integers(0, GROUP, (rows, columns))
        # All rows, none, the upper ones, and any.
        used = np.full(rows, True)
        if GATING and not TOGGLES:
            some = (np.full(rows, False), np.arange(rows) < (rows + 1) // 2, rng.random(rows) < 0.5)
            used = (used, *some)[tile % 4]
        for c in range(columns):
            at[load + c] |= {
                "first": int(c == 0),
                "w": packed(w[:, c], width),
                "tag": packed(tags[:, c], tag_bits),
                "used": packed(used, 1),
            }
        load += columns
        count = (1, columns)[tile % 2] if tight else int(rng.integers(1, 3 * columns + 3))
        x = matrix_words(OPERAND, rng, (count, rows, GROUP), zeros)
        p = matrix_words(TOTAL, rng, (count, columns), zeros)
        sums = sums_of(x, w, tags, used, p)
        for k in range(count):
            at[swap + k] |= {"x": packed(x[k], width), "swap": int(k == 0)}
            at[swap + k + array.p_lag]["p"] = packed(p[k], wide)
            due[swap + k + array.latency] = packed(sums[k], wide)
        end = swap + count
    # Anything, where nothing is said.
    bits = {"w": rows * width, "tag": rows * tag_bits, "used": rows, "p": columns * wide}
    for cycle in range(max(due) + 1):
        at[cycle] = {n: noise(rng, b) for n, b in bits.items() if n not in at[cycle]} | at[cycle]
    drive = [Cycle(**at[cycle]) for cycle in range(max(due) + 1)]
    return Plan(drive, due)


def operands(dut, array):
    """Return the operand registers of all multipliers."""
    found = []
    for r in range(array.rows):
        for c in range(array.columns):
            element = getattr(dut.block, f"element_{r}_{c}")
            unit = getattr(element, "unit", element)
            found += [unit.multiplier.a_taken, unit.multiplier.b_taken]
    return found


@cocotb.test()
@cocotb.parametrize(tight=[True, False])
async def tiles(dut, tight):
    """Every sum of every tile, in its cycle; loads begin with the swap, or some time later."""
    array = make_array(**PARAMETERS)
    rng = np.random.default_rng(cocotb.RANDOM_SEED + tight)
    todo = plan(array, rng, tight=tight)
    ports = [f.name for f in fields(Cycle) if hasattr(array, f.name)]
    watched = operands(dut, array) if TOGGLES else []
    before, toggled = [0] * len(watched), 0

    dut.rst.value = 0
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    await RisingEdge(dut.clk)
    for at, now in enumerate(todo.drive):
        for name in ports:
            getattr(dut, name).value = getattr(now, name)
        await ReadOnly()
        if at in todo.due:
            got = int(dut.o.value)
            assert got == todo.due[at], f"cycle {at}: {got:x}, expected {todo.due[at]:x}"
        # Registers before the first weight are unknown.
        seen = [int(s.value) if s.value.is_resolvable else 0 for s in watched]
        toggled += sum((a ^ b).bit_count() for a, b in zip(before, seen, strict=True))
        before = seen
        await RisingEdge(dut.clk)
    if TOGGLES:
        Path(TOGGLES).write_text(json.dumps(toggled))
