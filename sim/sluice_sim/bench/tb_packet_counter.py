"""PacketCounter: the counts themselves, and the clear input."""

import cocotb
from cocotb.triggers import RisingEdge

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(active=[1.0, 0.5])
async def counts(dut, active):
    """Beats, packets and stalls equal what a monitor saw, modulo the width, and clear to zero."""
    run = Run(dut, active=active)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    seen = {"stalls": 0}

    async def count_stalls():
        while True:
            await RisingEdge(dut.clk)
            seen["stalls"] += bool(dut.i__valid.value) and not dut.i__ready.value

    cocotb.start_soon(count_stalls())
    run.bench.compare(await run.play(scenario), scenario)
    expected = {"beats": run.bench.beats, "packets": run.bench.packets, **seen}
    shape = run.block.counts.shape()
    mask = (1 << run.block.width) - 1
    got = shape.from_bits(int(dut.counts.value))
    assert {n: got[n] for n in expected} == {n: v & mask for n, v in expected.items()}
    dut.clear.value = 1
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert not int(dut.counts.value)
