"""Blocks whose outputs are slow to be taken, one after the other."""

import cocotb

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(which=[0, 1, 2, 3])
async def one_is_held_up(dut, which):
    """Full for most of the time, and never for long, the block loses nothing."""
    run = Run(dut, active=1.0)
    scenario = run.bench.scenario("random", run.gen)
    names = [*scenario.expected]
    if which >= len(names):
        return
    await run.start(scenario)
    run.ports[names[which]].active = 0.3
    await run.check(scenario)
