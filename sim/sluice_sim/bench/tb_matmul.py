"""Matrix products: how many cycles those take that follow each other, and many of one tile."""

import cocotb

from sluice_sim.bench.tb import Run

# Products, one after the other.
PRODUCTS = 5


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def no_gaps(dut):
    """While a product is computed the next one's operand is loaded, so that no cycle is lost."""
    run = Run(dut, active=1.0)
    scenario = run.bench.chain(run.gen, PRODUCTS)
    if scenario is None:
        return
    await run.start(scenario)
    run.bench.compare(await run.play(scenario), scenario)
    # The first product waits for what is loaded before it: both matrices.
    begins = run.ports["command"].moved[2]
    vectors, before = len(scenario.expected["o"]), 4
    took = run.ports["o"].moved[-1] - begins
    assert took == vectors + run.block.latency - before, f"{took} cycles for {vectors} vectors"


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(active=[1.0, 0.5])
async def counts(dut, active):
    """As many vectors and tiles as a command can count."""
    await Run(dut, active=active).run("counts")


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(name=["a", "b", "map"])
async def one_is_slow(dut, name):
    """Nothing begins before all that it needs is there, whatever comes last."""
    run = Run(dut, active=1.0)
    scenario = run.bench.scenario("extremes", run.gen)
    if name not in scenario.inputs:
        return
    await run.start(scenario)
    run.ports[name].active = 0.05
    await run.check(scenario)
