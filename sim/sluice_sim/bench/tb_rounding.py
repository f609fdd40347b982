"""Rounding: every word of a 16-bit source, where a beat is wide enough to make that short."""

import cocotb
import numpy as np

from sluice_sim.bench.tb import Run

# Words; fewer lanes would take too long.
ALL, LANES = 1 << 16, 16


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_word(dut):
    """All 65,536 words of the source, in a mode that changes from packet to packet."""
    run = Run(dut, active=1.0)
    bench = run.bench
    if bench.source.width != 16 or bench.block.lanes != LANES:
        return
    words = run.gen.permutation(np.arange(ALL)).reshape(-1, ALL // 64)
    packets = (
        (part, bench.settings(run.gen, bench.modes[k % len(bench.modes)]))
        for k, part in enumerate(words)
    )
    scenario = bench.scenario_of(packets)
    await run.start(scenario)
    bench.compare(await run.play(scenario), scenario)
    run.compare_signals(scenario)
