"""Mistakes of a block's neighbours, each alone.

The bench gives by ``mistakes`` scenarios in which one thing or nothing is wrong.
"""

import cocotb

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def one_mistake(dut):
    """Each mistake is reported on its own, and nothing else is."""
    run = Run(dut, active=1.0)
    for k, scenario in enumerate(run.bench.mistakes(run.gen)):
        if k:
            await run.reset(scenario)
        else:
            await run.start(scenario)
        await run.check(scenario)
