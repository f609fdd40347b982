"""Blocks with several inputs, of which one is slow."""

import cocotb

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(which=[0, 1, 2, 3])
async def one_is_slow(dut, which):
    """Whatever comes last, nothing begins before it, and nothing is taken twice."""
    await Run(dut, active=1.0).run_slow("inputs", which, 0.1)
