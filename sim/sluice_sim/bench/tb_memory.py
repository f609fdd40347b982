"""Optimizer steps on a memory that answers late, and shows what was written later still."""

from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sluice_sim.bench.spec import Scenario, Word
from sluice_sim.bench.streamed_optimizer import Layers, row_bits
from sluice_sim.bench.tb import Run


class Memory:
    """Reads and writes in the order in which they are asked for, each after random times."""

    def __init__(self, run: Run, contents: dict[int, list[int]]):
        self.run, self.contents = run, contents
        self.reads: deque[int] = deque()
        self.writes: deque[tuple[int, list[tuple[int, int]]]] = deque()

    def data(self) -> Any:
        """Yield the beats that are read."""
        block, ports = self.run.block, self.run.ports
        seen = 0
        while True:
            while seen == len(ports["read"].words):
                yield None
            word = ports["read"].words[seen]
            seen += 1
            at = word & (1 << block.address_bits) - 1
            for k in range((word >> block.address_bits) + 1):
                row = self.contents.get(at + k) or [0] * block.lanes
                yield row_bits(row)

    def written(self) -> Any:
        """Write burst by burst, and yield a confirmation for each."""
        block, ports = self.run.block, self.run.ports
        seen, beats = 0, 0
        lanes = block.lanes
        while True:
            while seen == len(ports["write"].words):
                yield None
            word = ports["write"].words[seen]
            seen += 1
            at, length = word & (1 << block.address_bits) - 1, (word >> block.address_bits) + 1
            while len(ports["write_data"].words) < beats + length:
                yield None
            # It is seen in memory when it is confirmed, and not before.
            for _ in range(self.run.rng.randrange(20)):
                yield None
            for k in range(length):
                payload = ports["write_data"].words[beats + k]
                row = self.contents.setdefault(at + k, [0] * lanes)
                for n in range(lanes):
                    if payload >> 32 * lanes + n & 1:
                        row[n] = payload >> 32 * n & 0xFFFFFFFF
            beats += length
            yield 0

    async def serve(self, name: str, answers: Any) -> None:
        """Send what is to be sent on a stream."""
        port = self.run.ports[name]
        for answer in answers:
            if answer is None:
                await RisingEdge(self.run.dut.clk)
            else:
                await port.send([Word(answer)])


async def _train(dut: Any, *, active: float, slow: str | None = None) -> None:
    run = Run(dut, active=active)
    block = run.block
    layers = Layers(block, run.gen)
    room = (1 << block.count_bits) - 1
    few = run.bench.arrays(0)
    some, other = run.bench.arrays(1), run.bench.arrays(2)
    size = min(2 * block.burst * block.lanes + 1, room)
    initial: dict[int, list[int]] = {}
    for count, at in ((1, few), (size, some), (min(3, room), other)):
        for one in at:
            layers.place(one, layers.numbers(count))
    initial |= {at: list(row) for at, row in layers.memory.items()}
    more = block.moments
    for turn in range(2):
        # The same tiny layer again and again, alone and between others.
        for count, at in ((1, few), (1, few), (size, some), (min(3, room), other), (1, few)):
            layers.add(count, at, options=run.bench.options(run.gen, more) | {"step": 1 + turn})
    scenario = run.bench.made(layers)
    await run.start(scenario)
    memory = Memory(run, initial)
    if slow is not None:
        run.ports[slow].active = 0.1
    served = {
        "read_data": memory.serve("read_data", memory.data()),
        "written": memory.serve("written", memory.written()),
    }
    tasks = [cocotb.start_soon(task) for task in served.values()]
    inputs = {name: words for name, words in scenario.inputs.items() if name not in served}
    sent = Scenario(inputs, scenario.expected)
    run.bench.compare(await run.play(sent), scenario)
    for task in tasks:
        task.cancel()
    for at, row in layers.memory.items():
        assert memory.contents[at] == row, f"memory at {at:#x} is {memory.contents[at]}, not {row}"


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(active=[1.0, 0.5])
async def what_is_read_was_written(dut, active):
    """Layers that come again before they are written, from a memory that is slow."""
    await _train(dut, active=active)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(name=["g__0", "command", "weights", "report"])
async def one_is_slow(dut, name):
    """Let a worker be slow, or who takes what comes: the others wait, and nothing is lost."""
    await _train(dut, active=1.0, slow=name)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_worker_is_late(dut):
    """Say who is waited for, and in the report who was; and go on when it comes."""
    run = Run(dut, active=1.0)
    block = run.block
    wait = 1 << block.patience_bits
    if wait > run.bench.quiet or block.workers == 1:
        return
    layers = Layers(block, run.gen)
    for k in range(2):
        layers.add(2 * block.lanes, run.bench.arrays(k), late=int(k == 0))
    scenario = run.bench.made(layers)
    await run.start(scenario)
    run.ports["g__0"].active = 0

    async def come() -> None:
        # The command takes some cycles to begin, and the others' gradients to be there.
        await ClockCycles(dut.clk, wait)
        assert not int(dut.status.value)
        await ClockCycles(dut.clk, 40)
        assert int(dut.status.value) == 1
        run.ports["g__0"].active = 1.0

    coming = cocotb.start_soon(come())
    received = await run.play(scenario)
    await coming
    assert received["report"] == layers.report
    assert received["weights"] == layers.weights
    assert not int(dut.status.value)
