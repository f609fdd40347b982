"""A host link against its golden model, over frames of every kind of damage.

The toplevel is a :class:`sluice_sim.transactor.Transactor` with a clock of its own.
``SLUICE_FRAMES`` says how many frames.
"""

import os

import cocotb
from cocotb.triggers import Timer

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
    for name in ("put", "put_count", "put_turn", "got_turn"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    await Timer(28, unit="ns")
    dut.rst.value = 0
    to_link = expected = b""
    put_turn = got_turn = quiet = made = 0
    while quiet < QUIET:
        while len(to_link) < CHUNK and made <= frames:
            sent, answer = fuzzer.next() if made < frames else fuzzer.recovery()
            to_link, expected, made = to_link + sent, expected + answer, made + 1
        await Timer(10 * LOOK, unit="ns")
        quiet += 1
        if to_link and int(dut.put_seen.value) == put_turn:
            chunk, to_link = to_link[:CHUNK], to_link[CHUNK:]
            put_turn ^= 1
            dut.put.value = int.from_bytes(chunk, "little")
            dut.put_count.value = len(chunk)
            dut.put_turn.value = put_turn
            quiet = 0
        if int(dut.got_valid.value):
            count = int(dut.got_count.value)
            got = int(dut.got.value).to_bytes(CHUNK, "little")[CHUNK - count :]
            assert got == expected[:count], f"frame {made}: {got.hex()}, {expected[:count].hex()}"
            expected = expected[count:]
            got_turn ^= 1
            dut.got_turn.value = got_turn
            quiet = 0
    assert not expected, f"{len(expected)} bytes of answers did not come"
    assert set(fuzzer.seen) == set(range(8)), f"not every code was met: {fuzzer.seen}"
    dut._log.info("answers by code: %s", dict(sorted(fuzzer.seen.items())))
