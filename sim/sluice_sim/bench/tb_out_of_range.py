"""How many indices were out of range, up to more than can be counted.

The bench gives in ``flood`` payloads to send, then those to offer for ever, each of which counts
in every cycle, and up to how many.
"""

import cocotb
from cocotb.triggers import RisingEdge, Timer

from sluice_sim.bench.spec import Scenario
from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def counts_to_the_end(dut):
    """Count exactly until all bits are set, and no further."""
    run = Run(dut, active=1.0)
    before, offered, most = run.bench.flood()
    status = run.block.status.shape()
    end = (1 << status["count"].width) - 1
    # What watches a port takes time in every cycle.
    await run.start(Scenario(before, {}), watched=False)
    senders = run.begin(Scenario(before, {}))
    while not all(task.done() for task in senders):
        await RisingEdge(dut.clk)
    for name, word in offered.items():
        run.ports[name].drive(word)
    # Each bit is set when others are, and is not.
    steps = [1 << k for k in range(end.bit_length())]
    steps += [3, 9, 70]
    total = 0
    for step in sorted(steps):
        total += step
        if total > most:
            break
        for name in offered:
            run.ports[name].valid.value = 1
        # Without a trigger per cycle; it ends between two edges of the clock.
        await Timer(10 * step - 5, unit="ns")
        await RisingEdge(dut.clk)
        for name in offered:
            run.ports[name].valid.value = 0
        for edge in range(20):
            await RisingEdge(dut.clk)
            got = status.from_bits(int(dut.status.value))
            # Twice, since what changes in every cycle is the same after some.
            if edge >= 18:
                assert got["count"] == min(total, end), f"count is {got['count']}, not {total}"
                assert got["out_of_range"]
