"""Uart: a line that is off in rate, jitters, breaks or never pauses; made and read by Python.

``SLUICE_DIVISOR`` is the divisor the design was made with.
"""

import itertools
import os
import random

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, Timer
from cocotb.utils import get_sim_time

from sluice_sim.bench.ports import StreamPort, attend, start_clock_and_reset
from sluice_sim.bench.spec import Word

DIVISOR = int(os.environ.get("SLUICE_DIVISOR", "16"))
BIT = 10.0 * DIVISOR


async def until(time: float) -> None:
    """Wait for an absolute time, in nanoseconds."""
    left = round((time - get_sim_time("ns")) * 1000)
    if left > 0:
        await Timer(left, unit="ps")


class Line:
    """The other side of the line: its bits last ``1 + error``, its edges move by ``jitter``."""

    def __init__(self, dut, *, error: float = 0.0, jitter: float = 0.0):
        self.dut, self.rng = dut, random.Random(cocotb.RANDOM_SEED)
        self.bit, self.jitter = BIT * (1 + error), BIT * jitter

    async def put(self, byte: int, *, stop: int = 1, pause: float = 0.0) -> None:
        start = get_sim_time("ns")
        for k, level in enumerate([0, *(byte >> n & 1 for n in range(8)), stop]):
            shift = self.rng.uniform(-self.jitter, self.jitter) if k else 0.0
            await until(start + k * self.bit + shift)
            self.dut.rx.value = level
        await until(start + (10 + pause) * self.bit)
        self.dut.rx.value = 1

    async def get(self) -> tuple[int, float]:
        """Return the next byte on ``tx`` and the time of its start bit."""
        await FallingEdge(self.dut.tx)
        start = get_sim_time("ns")
        levels = []
        for k in range(10):
            await until(start + (k + 0.5) * BIT)
            levels.append(int(self.dut.tx.value))
        assert (levels[0], levels[9]) == (0, 1)
        return sum(level << n for n, level in enumerate(levels[1:9])), start


async def start(dut, *, active: float = 1.0) -> tuple[StreamPort, StreamPort]:
    """Reset, and take what comes; return the ports that send and receive."""
    rng = random.Random(cocotb.RANDOM_SEED)
    i = StreamPort(dut, "i", rng=rng, active=active, sends=True)
    o = StreamPort(dut, "o", rng=rng, active=active)
    dut.rx.value = 1
    i.valid.value = o.ready.value = 0
    i.drive(0)
    await start_clock_and_reset(dut)
    cocotb.start_soon(attend((i, o), dut.rst))
    if active:
        o.receive()
    # Away from the clock's edges.
    await Timer(3700, unit="ps")
    return i, o


@cocotb.test()
@cocotb.parametrize(error=[-0.02, 0.0, 0.02], jitter=[0.0, 0.1])
async def receives(dut, error, jitter):
    """Every byte arrives, back to back or with pauses of any length."""
    _, o = await start(dut)
    line = Line(dut, error=error, jitter=jitter)
    data = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80] + [line.rng.randrange(256) for _ in range(40)]
    for n, byte in enumerate(data):
        await line.put(byte, pause=0 if n < 30 else line.rng.uniform(0, 2))
    await ClockCycles(dut.clk, DIVISOR)
    assert o.words == data


@cocotb.test()
async def tolerates_errors(dut):
    """Lose the byte that a low stop bit, a break or a glitch hits, and no other."""
    _, o = await start(dut)
    line = Line(dut)
    await line.put(0x11)
    await line.put(0x22, stop=0, pause=1.0)
    await Timer(round(2 * BIT), unit="ns")
    await line.put(0x33)
    dut.rx.value = 0
    await Timer(round(25 * BIT), unit="ns")
    dut.rx.value = 1
    await Timer(round(BIT), unit="ns")
    await line.put(0x44)
    dut.rx.value = 0
    await Timer(round(0.3 * BIT), unit="ns")
    dut.rx.value = 1
    await Timer(round(BIT), unit="ns")
    await line.put(0x55)
    await ClockCycles(dut.clk, DIVISOR)
    assert o.words == [0x11, 0x33, 0x44, 0x55]


@cocotb.test()
async def keeps_what_waits(dut):
    """Hold a byte that nobody takes as it is, and lose those after it."""
    _, o = await start(dut, active=0)
    line = Line(dut)
    for byte in (1, 2, 3):
        await line.put(byte)
    o.active = 1.0
    o.receive()
    await ClockCycles(dut.clk, 4)
    await line.put(4)
    await ClockCycles(dut.clk, DIVISOR)
    assert o.words == [1, 4]


@cocotb.test()
@cocotb.parametrize(active=[1.0, 0.02])
async def sends(dut, active):
    """Every byte is sent; offered without pause, they follow one another without one."""
    i, _ = await start(dut, active=active)
    line = Line(dut)
    data = [0x00, 0xFF, 0x55, 0xAA] + [line.rng.randrange(256) for _ in range(16)]
    sender = cocotb.start_soon(i.send([Word(byte) for byte in data]))
    starts = []
    for byte in data:
        got, at = await line.get()
        assert got == byte
        starts.append(at)
    await sender
    gaps = {round(b - a) for a, b in itertools.pairwise(starts)}
    assert active < 1 or gaps == {round(10 * BIT)}, gaps
    await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 2 * DIVISOR)
    assert dut.tx.value == 1
