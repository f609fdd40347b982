"""Blocks that find pairs without a zero: their cycles, and what reset undoes."""

import cocotb
from cocotb.triggers import RisingEdge

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def cycles_of_pairs(dut):
    """Packets take the cycles of their pairs, and no more, while no queue is full."""
    run = Run(dut, active=1.0)
    for k in range(run.bench.rounds):
        scenario, ends = run.bench.timed(run.gen, k)
        if not k:
            await run.start(scenario)
        await run.check(scenario)
        run.bench.check_ends(dut, {name: port.moved for name, port in run.ports.items()}, ends)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def status_is_reset(dut):
    """Reset clears what the ends of the ranges have left behind."""
    run = Run(dut, active=1.0)
    await run.run("extremes")
    scenario = run.bench.scenario("random", run.gen)
    await run.cut_off(scenario, 5)
    await run.check(scenario)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def fills_up_again(dut):
    """Held up until it can take no more, time after time, the block loses nothing."""
    run = Run(dut, active=1.0)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    port = run.ports["o"]

    async def hold_up() -> None:
        for _ in range(4):
            port.pause = (len(port.moved) + run.rng.randint(1, 8), run.bench.hold)
            while port.pause:
                await RisingEdge(dut.clk)

    cocotb.start_soon(hold_up())
    await run.check(scenario)
