"""Fifo: how much it says it holds, cycle by cycle."""

import cocotb
from cocotb.triggers import RisingEdge

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(active=[1.0, 0.5], slow=["", "i", "o"])
async def level(dut, active, slow):
    """Count what went in less what came out, also where the queue stays empty or full."""
    run = Run(dut, active=active)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    if slow:
        run.ports[slow].active = 0.1

    async def check() -> None:
        held = 0
        while True:
            await RisingEdge(dut.clk)
            assert int(dut.level.value) == held
            held += bool(dut.i__valid.value) and bool(dut.i__ready.value)
            held -= bool(dut.o__valid.value) and bool(dut.o__ready.value)

    checking = cocotb.start_soon(check())
    run.bench.compare(await run.play(scenario), scenario)
    checking.cancel()
