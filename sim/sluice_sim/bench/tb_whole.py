"""Products that begin when all activations are there, and those that begin at once."""

import cocotb

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(whole=[False, True])
async def waits_for_all(dut, whole):
    """With ``whole``, slow rows begin when the last one has come, and then go on without a gap."""
    run = Run(dut, active=1.0)
    made = run.bench.slow_rows(run.gen, whole=whole)
    if made is None:
        return
    scenario, ends = made
    await run.start(scenario)
    run.ports["a"].active = 0.05
    await run.check(scenario)
    a, o = run.ports["a"].moved, run.ports["o"].moved
    if whole:
        assert o[0] - a[-1] >= run.block.latency, "a row came out before all had come"
        assert [cycle - o[0] for cycle in o] == [end - ends[0] for end in ends.values()]
    else:
        assert o[0] < a[-1], "the first row waited for the last one"
