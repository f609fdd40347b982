"""Arbiter: who comes next, cycle by cycle."""

import cocotb
from cocotb.triggers import RisingEdge

from sluice_sim.bench.spec import pack
from sluice_sim.bench.tb import Run


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(active=[1.0, 0.6, 0.4, 0.2], kind=["random", "extremes"])
async def takes_turns(dut, active, kind):
    """Choose the next input behind the last one, or the first of all."""
    run = Run(dut, active=active)
    scenario = run.bench.scenario(kind, run.gen)
    await run.start(scenario)
    inputs, beat = [run.ports[name] for name in scenario.inputs], run.block.shape
    last_bit = beat.element_width * beat.lanes + beat.lanes

    async def check() -> None:
        owner, after = None, 0
        count = len(inputs)
        while True:
            await RisingEdge(dut.clk)
            asking = [bool(port.valid.value) for port in inputs]
            if owner is None and any(asking):
                start = after if run.block.policy == "round_robin" else 0
                owner = next(k % count for k in range(start, start + count) if asking[k % count])
            if owner is None or not asking[owner]:
                assert not dut.o__valid.value
                continue
            assert int(dut.source.value) == owner, f"{asking}: not {owner}'s turn"
            assert dut.o__valid.value
            assert int(dut.o__payload.value) == inputs[owner].sample()
            if dut.o__ready.value:
                after = owner + 1
                if not run.block.packets or int(dut.o__payload.value) >> last_bit:
                    owner = None

    checking = cocotb.start_soon(check())
    run.bench.compare(await run.play(scenario), scenario)
    checking.cancel()


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0, 1, 2, 3])
async def takes_turns_after_a_pause(dut, idle):
    """Go on behind the last input when all ask at once, however long nobody did."""
    run = Run(dut, active=1.0)
    scenario = run.bench.scenario("rate", run.gen)
    await run.start(scenario)
    inputs = [run.ports[name] for name in scenario.inputs]
    dut.o__ready.value = 1
    for port in inputs:
        port.drive(pack(run.block.shape, [1], last=True))
    for k, port in enumerate(inputs):
        port.valid.value = 1
        await RisingEdge(dut.clk)
        port.valid.value = 0
        for _ in range(idle):
            await RisingEdge(dut.clk)
        for other in inputs:
            other.valid.value = 1
        start = k + 1 if run.block.policy == "round_robin" else 0
        for turn in range(start, start + len(inputs)):
            await RisingEdge(dut.clk)
            assert int(dut.source.value) == turn % len(inputs)
            inputs[turn % len(inputs)].valid.value = 0
