"""What a block asks for before anything comes.

The bench gives by ``asks`` a scenario, and how many beats of which outputs that is at least.
"""

import cocotb
from cocotb.triggers import ClockCycles

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def asks_ahead(dut):
    """Ask for as much as promised, when what was asked for is late; then take it all."""
    run = Run(dut, active=1.0)
    scenario, least = run.bench.asks(run.gen)
    await run.start(scenario)
    late = [port for name, port in run.ports.items() if port.sends and name != "counts"]
    for port in late:
        port.active = 0
    playing = cocotb.start_soon(run.check(scenario))
    await ClockCycles(dut.clk, 2 * max(least.values()) + run.bench.quiet)
    got = {name: len(run.ports[name].moved) for name in least}
    assert all(got[name] >= count for name, count in least.items()), f"{got}, promised {least}"
    for port in late:
        port.active = 1.0
    await playing
