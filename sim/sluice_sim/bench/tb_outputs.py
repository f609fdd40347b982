"""Blocks whose outputs are slow to be taken, one after the other."""

import cocotb

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(which=[0, 1, 2, 3])
async def one_is_held_up(dut, which):
    """Full for most of the time, and never for long, the block loses nothing."""
    await Run(dut, active=1.0).run_slow("expected", which, 0.3)
