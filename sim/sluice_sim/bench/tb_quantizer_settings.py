"""QuantizerSettings: settings change between packets, all at once, and before their reply."""

import cocotb
from cocotb.triggers import RisingEdge

from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(active=[1.0, 0.6])
async def between_packets(dut, active):
    """Look at the settings in every cycle."""
    run = Run(dut, active=active)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    beat = run.block.shape
    last_bit = beat.data_bits + beat.lanes
    replies = 0

    async def watch() -> None:
        nonlocal replies
        shown, inside, first = run.bench.pack(UNSET), False, True
        seen, held = [shown], shown
        while True:
            await RisingEdge(dut.clk)
            shown = int(dut.settings.value)
            if shown != held:
                assert not inside, "settings change while a packet is under way"
                seen.append(shown)
                held = shown
            if dut.i__valid.value:
                ends = dut.i__ready.value and int(dut.i__payload.value) >> last_bit & 1
                inside = not ends
            if dut.reply__valid.value and first:
                # They are in force when the reply begins.
                assert shown == run.bench.shown[replies], f"reply {replies} comes too early"
                replies += 1
            if dut.reply__valid.value and dut.reply__ready.value:
                first = bool(int(dut.reply__payload.value) >> 9 & 1)
            elif dut.reply__valid.value:
                first = False

    task = cocotb.start_soon(watch())
    await run.check(scenario)
    task.cancel()
    assert replies == len(run.bench.shown)


UNSET = {"bypass": 1}
