"""Multipliers of many shapes, side by side, against whole numbers, in every cycle.

``SLUICE_UNITS`` are the parameters of each, as JSON; those of the n-th are at ports that begin with
``u<n>__``. Parameters without ``signed`` are those of a packed one.
"""

import itertools
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import Timer

UNITS = json.loads(os.environ.get("SLUICE_UNITS", "[]"))
EVERYTHING = 8

# The bits of the first operands, those of `b`, and whether it is taken.
Operands = tuple[tuple[int, ...], int, int]


def ends(width: int) -> list[int]:
    """Return the bits of the numbers at the ends of the range, and around zero and the sign."""
    ones, top = (1 << width) - 1, 1 << (width - 1)
    return sorted({0, 1, ones, ones - 1, top, top - 1, (top + 1) & ones, 0x55555555 & ones})


class Unit:
    """One multiplier: what it is given, and what it must give."""

    def __init__(self, dut: Any, index: int, parameters: dict[str, Any]):
        packed = "signed" not in parameters
        self.parameters = parameters
        self.a_width, self.b_width = parameters["a_width"], parameters["b_width"]
        self.signed, self.stages = parameters.get("signed", False), parameters["stages"]
        ports = [getattr(dut, f"u{index}__{name}") for name in (("a0", "a1") if packed else ("a",))]
        self.first, self.b = ports, getattr(dut, f"u{index}__b")
        self.enable = getattr(dut, f"u{index}__b_en") if self.stages else None
        names = ("p0", "p1") if packed else ("p",)
        self.products = [getattr(dut, f"u{index}__{name}") for name in names]
        self.held = 0
        self.due: list[list[int]] = [[0] * len(names)] * self.stages

    def number(self, bits: int, width: int) -> int:
        """Return the number that ``bits`` stand for."""
        return bits - (1 << width) if self.signed and bits >> (width - 1) else bits

    def drive(self, operands: Operands) -> None:
        first, b, enable = operands
        for port, bits in zip(self.first, first, strict=True):
            port.value = bits
        self.b.value = b
        if self.enable is not None:
            self.enable.value = enable
        if enable or not self.stages:
            self.held = b
        held, mask = self.number(self.held, self.b_width), (1 << self.a_width + self.b_width) - 1
        self.due.append([self.number(a, self.a_width) * held & mask for a in first])

    def check(self) -> None:
        """Compare the product that is due just before the edge that takes the operands."""
        got, expected = [int(port.value) for port in self.products], self.due.pop(0)
        assert got == expected, f"{self.parameters}: {got}, not {expected}"

    def extremes(self) -> Iterator[Operands]:
        """Yield every extreme with every other; first operands are equal, then opposed."""
        values = ends(self.a_width)
        for a, other in [
            *zip(values, values, strict=True),
            *zip(values, values[::-1], strict=True),
        ]:
            yield from (((a, other)[: len(self.first)], b, 1) for b in ends(self.b_width))

    def everything(self) -> Iterator[Operands]:
        """Yield all operands, in an order in which neighbours differ in all of them."""
        widths = [self.a_width] * len(self.first) + [self.b_width]
        total = 1 << sum(widths)
        for k in range(total):
            bits, fields = k * 0x9E3779B1 % total, []
            for width in widths:
                fields.append(bits & ((1 << width) - 1))
                bits >>= width
            yield tuple(fields[:-1]), fields[-1], 1

    def chances(self, rng: random.Random, count: int) -> Iterator[Operands]:
        """Yield random operands; ``b`` changes also while the one before it is held."""

        def pick(width: int) -> int:
            return rng.choice([rng.getrandbits(width), rng.choice(ends(width))])

        for _ in range(count):
            first = tuple(pick(self.a_width) for _ in self.first)
            yield first, pick(self.b_width), rng.randrange(2)


async def run(dut: Any, units: list[Unit], operands: list[Iterator[Operands]]) -> int:
    """Settle at zero, give each unit its operands, and return after how many cycles all ended."""
    dut.clk.value, dut.rst.value, cycles = 0, 0, 0
    idle = [((0,) * len(unit.first), 0, 1) for unit in units]
    before = [[zero] * 4 for zero in idle]
    streams = [itertools.chain(first, rest) for first, rest in zip(before, operands, strict=True)]
    left = 4
    while left:
        given = [next(stream, None) for stream in streams]
        # What was given last comes out some cycles later.
        left = 4 if any(given) else left - 1
        for unit, zero, values in zip(units, idle, given, strict=True):
            unit.drive(values or zero)
        await Timer(5, unit="ns")
        for unit in units:
            if cycles < 4:
                unit.due.pop(0)
            else:
                unit.check()
        dut.clk.value = 1
        await Timer(5, unit="ns")
        dut.clk.value = 0
        cycles += 1
    return cycles


def all_units(dut: Any) -> list[Unit]:
    """Return the units of the design, in order."""
    return [Unit(dut, n, parameters) for n, parameters in enumerate(UNITS)]


@cocotb.test()
async def multiplies_extremes(dut):
    """Every combination of extreme operands."""
    units = all_units(dut)
    assert await run(dut, units, [unit.extremes() for unit in units]) > 8


@cocotb.test()
async def multiplies_everything(dut):
    """Every combination of operands, where there are few."""
    units = [unit for unit in all_units(dut) if unit.a_width + unit.b_width <= EVERYTHING]
    assert await run(dut, units, [unit.everything() for unit in units]) > 1 << EVERYTHING


@cocotb.test()
async def multiplies_and_holds(dut):
    """Random operands, with ``b`` taken and held at random."""
    units, rng = all_units(dut), random.Random(cocotb.RANDOM_SEED)
    await run(dut, units, [unit.chances(rng, 120) for unit in units])
