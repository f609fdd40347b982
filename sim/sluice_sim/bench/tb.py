"""The cocotb bench of every block: its :class:`sluice_sim.bench.Bench` supplies the contents.

``SLUICE_BLOCK`` names the block and ``SLUICE_PARAMETERS`` (JSON) how it was made.
"""

import functools
import json
import os
import random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from sluice.catalogue import find_block, load
from sluice.export import ports_of
from sluice_sim.bench.ports import StreamPort, attend, start_clock_and_reset
from sluice_sim.bench.spec import Scenario


@functools.cache
def block_of() -> Any:
    """Return the block that all tests of this run are about."""
    entry = find_block(os.environ["SLUICE_BLOCK"])
    return entry.cls(**json.loads(os.environ["SLUICE_PARAMETERS"]))


class Run:
    """The design with a port object per stream."""

    def __init__(self, dut, *, active: float, seed_shift: int = 0):
        self.dut = dut
        self.block = block_of()
        self.bench = load(find_block(os.environ["SLUICE_BLOCK"]).bench)(self.block)
        self.rng = random.Random(cocotb.RANDOM_SEED + seed_shift)
        self.gen = np.random.default_rng(self.rng.getrandbits(32))
        self.active = active
        self.ports: dict[str, StreamPort] = {}
        self.config_width = 0
        self.senders: list[Any] = []

    async def start(self, scenario: Scenario, *, watched: bool = True) -> None:
        """Drive every input low, reset, and watch every stream."""
        dut = self.dut
        for names, sends in ((scenario.inputs, True), (scenario.expected, False)):
            for name in names:
                self.ports[name] = StreamPort(
                    dut, name, rng=self.rng, active=self.active, sends=sends
                )
        for port in ports_of(self.block):
            if port.is_input and port.width:
                getattr(dut, port.name).value = 0
            if port.is_input and port.name == "config":
                self.config_width = port.width
        await start_clock_and_reset(dut)
        if watched:
            cocotb.start_soon(attend(list(self.ports.values()), dut.rst))

    def settings(self, value: int | None) -> None:
        """Show the settings of a packet, or noise where no packet may look at them."""
        if self.config_width:
            noise = self.rng.getrandbits(self.config_width)
            self.dut.config.value = noise if value is None else value

    def begin(self, scenario: Scenario) -> list[Any]:
        """Begin to receive and to send; return the tasks that send."""
        for name in scenario.expected:
            self.ports[name].receive()
        self.senders = []
        for k, (name, words) in enumerate(scenario.inputs.items()):
            hook = (self.settings,) if k == 0 else ()
            self.senders.append(cocotb.start_soon(self.ports[name].send(words, *hook)))
        return self.senders

    async def play(self, scenario: Scenario) -> dict[str, list[int]]:
        """Send everything, receive everything, and wait for what must not come."""
        self.end()
        ports = list(self.ports.values())
        for port in ports:
            port.words.clear()
            port.moved.clear()
        senders = self.begin(scenario)
        quiet, moved = 0, -1
        while quiet < self.bench.quiet or not all(task.done() for task in senders):
            await RisingEdge(self.dut.clk)
            before, moved = moved, sum(len(port.moved) for port in ports)
            if moved == before:
                quiet += 1
                assert quiet < self.bench.patience, (
                    "a beat is offered, and none has moved for too long"
                )
                continue
            quiet = 0
            for name, words in scenario.expected.items():
                got = len(self.ports[name].words)
                assert got <= len(words), f"{name}: more words than the {len(words)} expected"
        return {name: self.ports[name].words for name in scenario.expected}

    async def cut_off(self, scenario: Scenario, cycles: int) -> None:
        """Begin to send and receive, and reset after so many cycles."""
        self.begin(scenario)
        await ClockCycles(self.dut.clk, cycles)
        await self.reset(scenario)

    def end(self) -> None:
        """Stop to send and receive."""
        for task in self.senders:
            task.cancel()
        for port in self.ports.values():
            port.stop()

    async def reset(self, scenario: Scenario) -> None:
        """Stop to send and receive, and reset."""
        self.end()
        # One cycle, in which the neighbours still offer what they did: they are reset at its end.
        self.dut.rst.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        for name in scenario.inputs:
            self.ports[name].valid.value = 0

    def compare_signals(self, scenario: Scenario) -> None:
        for name, expected in scenario.signals.items():
            got = int(getattr(self.dut, name).value)
            assert got == expected, f"{name} is {got:#x}, expected {expected:#x}"

    async def run(self, kind: str) -> Scenario:
        scenario = self.bench.scenario(kind, self.gen)
        await self.start(scenario)
        await self.check(scenario)
        return scenario

    async def run_slow(self, side: str, which: int, active: float) -> None:
        """Play with the input or the output of that number slow, if there are as many."""
        scenario = self.bench.scenario("random", self.gen)
        names = [*getattr(scenario, side)]
        if which < len(names):
            await self.start(scenario)
            self.ports[names[which]].active = active
            await self.check(scenario)

    async def check(self, scenario: Scenario) -> None:
        """Play ``scenario``, and compare all that comes of it."""
        self.bench.compare(await self.play(scenario), scenario)
        self.compare_signals(scenario)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(active=[1.0, 0.5])
async def random_packets(dut, active):
    """Random packets, with and without stalls on all sides, equal the golden model."""
    await Run(dut, active=active).run("random")


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def valid_before_ready(dut):
    """No output waits for its neighbour to be ready before it offers a beat."""
    run = Run(dut, active=1.0)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    for name in scenario.expected:
        run.ports[name].shy = True
    await run.check(scenario)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def fills_up(dut):
    """Held up until it can take no more, the block loses nothing."""
    run = Run(dut, active=1.0)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    for name in scenario.expected:
        run.ports[name].pause = (0, run.bench.hold)
    await run.check(scenario)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def fills_up_midway(dut):
    """Held up when what the block holds has gone up and down for a while, it loses nothing."""
    run = Run(dut, active=0.8)
    scenario = run.bench.scenario("random", run.gen)
    await run.start(scenario)
    for name, words in scenario.expected.items():
        run.ports[name].pause = (len(words) // 2, run.bench.quiet // 2)
    await run.check(scenario)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def extremes(dut):
    """Compare the ends of every range with the golden model, with stalls on all sides."""
    await Run(dut, active=0.7).run("extremes")


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def latency_and_interval(dut):
    """Without stalls the block keeps its promises of latency and interval."""
    run = Run(dut, active=1.0)
    scenario = await run.run("rate")
    i = run.ports[next(iter(scenario.inputs))].moved
    o = run.ports[next(iter(scenario.expected))].moved
    pairs = list(run.bench.latency_pairs(len(i), len(o)))
    waits = {o[b] - i[a] for a, b in pairs[:1]}
    assert waits == {run.block.latency}, f"latency {waits}, promised {run.block.latency}"
    if len(i) > 8:
        # The first beats fill the buffers faster than the steady state drains them.
        half = len(i) // 2
        interval = (i[-1] - i[half]) / (len(i) - 1 - half)
        promised = run.block.interval
        assert abs(interval - promised) < 1 / (len(i) - half), (
            f"interval {interval}, promised {promised}"
        )
    run.bench.check_cycles({name: port.moved for name, port in run.ports.items()})


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_midway(dut):
    """Reset among beats on the way, which must leave nothing behind."""
    run = Run(dut, active=0.6)
    first = run.bench.scenario("random", run.gen)
    await run.start(first)
    for cycles in run.bench.resets or (run.rng.randrange(5, 40),):
        await run.cut_off(first, cycles)
    second = run.bench.scenario("random", run.gen)
    await run.check(second)
