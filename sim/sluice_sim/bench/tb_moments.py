"""One port at a time: it is held up while all others move, or it moves when reset comes.

The bench says by ``moments`` after which beats of which streams there is a reset, and gives in
``brief`` what is played after it. ``check_held`` fails unless so many beats were taken of each
stream while one output was held up as the block promises.
"""

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_among_beats(dut):
    """Reset while beats follow each other without a gap, so that all registers have something."""
    run = Run(dut, active=1.0)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    for name, beats in run.bench.moments:
        moved = run.ports[name].moved
        moved.clear()
        run.begin(scenario)
        while len(moved) < beats:
            await RisingEdge(dut.clk)
        await run.reset(scenario)
        await run.check(run.bench.brief(run.gen))


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def one_held_up(dut):
    """Hold up one output for a while, when the others take everything."""
    run = Run(dut, active=1.0)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)

    async def look(name: str) -> None:
        await ClockCycles(dut.clk, run.bench.hold)
        run.bench.check_held(name, {n: len(port.moved) for n, port in run.ports.items()})

    for name in scenario.expected:
        run.ports[name].pause = (0, run.bench.hold)
        looks = cocotb.start_soon(look(name))
        await run.check(scenario)
        await looks
