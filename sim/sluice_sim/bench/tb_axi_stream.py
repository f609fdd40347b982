"""AXI4-Stream ports against the bus models of cocotbext-axi, which are not ours."""

import itertools
import logging
import os
import random
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from sluice.stream import element_bytes
from sluice_sim.bench.spec import Word, beats, elements, random_packets
from sluice_sim.bench.tb import Run


def pauses(rng: random.Random):
    """Return a pause generator for cocotbext-axi that stalls 40 % of the cycles."""
    return (rng.random() < 0.4 for _ in itertools.count())


def as_bytes(beat, packet: list[int], *, is_signed: bool) -> bytes:
    """Return a packet as the bytes of its frame."""
    size, width = element_bytes(beat), beat.element_width
    raw = bytearray()
    for value in packet:
        number = value - (1 << width) if is_signed and value >> (width - 1) else value
        raw += (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return bytes(raw)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def against_cocotbext_axi(dut):
    """Frames of all lengths pass, with pauses on both sides."""
    run = Run(dut, active=0.6)
    block: Any = run.block
    beat = block.shape
    packets = [p for p in random_packets(beat, run.gen, count=20) if p]
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
    is_signed = getattr(beat.number, "is_signed", False)
    if os.environ["SLUICE_BLOCK"] == "axi_stream_slave":
        bus = AxiStreamBus.from_prefix(dut, "s_axis")
        source = AxiStreamSource(bus, dut.clk, dut.rst)
        source.set_pause_generator(pauses(run.rng))
        run.ports["o"].receive()
        for packet in packets:
            await source.send(AxiStreamFrame(as_bytes(beat, packet, is_signed=False)))
        await source.wait()
        await ClockCycles(dut.clk, 40)
        assert elements(beat, run.ports["o"].words) == packets
    else:
        bus = AxiStreamBus.from_prefix(dut, "m_axis")
        sink = AxiStreamSink(bus, dut.clk, dut.rst)
        sink.set_pause_generator(pauses(run.rng))
        words = [Word(w) for p in packets for w in beats(beat, p)]
        cocotb.start_soon(run.ports["i"].send(words))
        for packet in packets:
            frame = await sink.recv()
            assert bytes(frame.tdata) == as_bytes(beat, packet, is_signed=is_signed)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def bad_keep_is_reported(dut):
    """Report a hole in ``tkeep``, part of an element, and a partial transfer before the last."""
    if os.environ["SLUICE_BLOCK"] != "axi_stream_slave":
        return
    run = Run(dut, active=1.0)
    block: Any = run.block
    beat = block.shape
    size = element_bytes(beat)
    count = size * beat.lanes
    full = (1 << count) - 1
    good = {(((1 << k * size) - 1), 1) for k in range(beat.lanes + 1)} | {(full, 0)}
    keeps = {full, 0, 1, full >> 1, full & ~1, full & ~2, 5 & full, (1 << size) - 1}
    await run.start(run.bench.scenario("rate", run.gen))
    dut.o__ready.value = 1
    for keep, last in itertools.product(sorted(keeps), (0, 1)):
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        # What was seen once stays, whatever comes after it.
        for sent in (keep | last << count, full):
            await run.ports["s_axis"].send([Word(sent << (8 * count))])
            await RisingEdge(dut.clk)
            found = int(dut.status.value)
            assert found == ((keep, last) not in good), f"keep {keep:b} last {last}"
