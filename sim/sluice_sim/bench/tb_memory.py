"""Optimizer steps on a memory that answers late, and shows what was written later still."""

from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from sluice_sim.bench.spec import Scenario, Word
from sluice_sim.bench.streamed_optimizer import Layers
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
                yield sum(w << 32 * n for n, w in enumerate(row))

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


async def _train(dut: Any, *, active: float, slow: int | None = None) -> None:
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
    for turn in range(4):
        # The same tiny layer again and again, alone and between others.
        for count, at in ((1, few), (1, few), (size, some), (min(3, room), other), (1, few)):
            layers.add(count, at, options=run.bench.options(run.gen, more) | {"step": 1 + turn})
    scenario = run.bench.made(layers)
    await run.start(scenario)
    memory = Memory(run, initial)
    if slow is not None:
        run.ports[f"g__{slow % block.workers}"].active = 0.05
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
async def a_worker_is_slow(dut):
    """Let one worker be slow: the others wait, and nothing is lost."""
    await _train(dut, active=1.0, slow=0)
