"""A host link against its golden model, over frames of every kind of damage.

The toplevel is a :class:`sluice_sim.transactor.Transactor` with a clock of its own.
``SLUICE_FRAMES`` says how many frames.
"""

import os

import cocotb
from cocotb.triggers import Timer

from sluice_sim.bench.line import Line
from sluice_sim.bench.link import Fuzzer, fuzzed_link, model_of
from sluice_sim.transactor import CHUNK

LOOK = 16
# Looks without a byte after which no more comes.
QUIET = 64


@cocotb.test()
async def fuzz(dut):
    """Every answer, to the last byte, is the golden model's; nothing else is sent."""
    fuzzer = Fuzzer(model_of(fuzzed_link()), cocotb.RANDOM_SEED)
    frames = int(os.environ["SLUICE_FRAMES"])
    line = Line(dut)
    await line.begin()
    to_link = expected = b""
    quiet = made = 0
    while quiet < QUIET:
        while len(to_link) < CHUNK and made <= frames:
            sent, answer = fuzzer.next() if made < frames else fuzzer.recovery()
            to_link, expected, made = to_link + sent, expected + answer, made + 1
        await Timer(10 * LOOK, unit="ns")
        quiet += 1
        waiting = len(to_link)
        to_link = line.send(to_link)
        got = line.receive()
        said, expected = expected[: len(got)], expected[len(got) :]
        assert got == said, f"frame {made}: {got.hex()}, {said.hex()}"
        if got or len(to_link) < waiting:
            quiet = 0
    assert not expected, f"{len(expected)} bytes of answers did not come"
    assert set(fuzzer.seen) == set(range(8)), f"not every code was met: {fuzzer.seen}"
    dut._log.info("answers by code: %s", dict(sorted(fuzzer.seen.items())))
