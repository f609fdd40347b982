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
    shape, beat = run.block.counts.shape(), run.block.shape
    mask = (1 << run.block.width) - 1
    last_bit = beat.element_width * beat.lanes + beat.lanes

    async def check() -> None:
        beats = packets = stalls = 0
        while True:
            await RisingEdge(dut.clk)
            got = shape.from_bits(int(dut.counts.value))
            seen = {"beats": beats, "packets": packets, "stalls": stalls}
            assert {n: got[n] for n in seen} == {n: v & mask for n, v in seen.items()}
            if dut.clear.value:
                beats = packets = stalls = 0
            elif dut.i__valid.value and dut.i__ready.value:
                beats += 1
                packets += int(dut.i__payload.value) >> last_bit
            else:
                stalls += bool(dut.i__valid.value)

    async def clear() -> None:
        while True:
            for _ in range(run.rng.randrange(150)):
                await RisingEdge(dut.clk)
            dut.clear.value = 1
            await RisingEdge(dut.clk)
            dut.clear.value = 0

    tasks = [cocotb.start_soon(check()), cocotb.start_soon(clear())]
    run.bench.compare(await run.play(scenario), scenario)
    for task in tasks:
        task.cancel()
