"""The stuffing of frames, both ways, against its definition.

``SLUICE_COBS`` says which way the design goes: ``decode`` or ``encode``.
"""

import os
import random

import cocotb
from cocotb.triggers import ClockCycles

from sluice_sim.bench.ports import StreamPort, attend, start_clock_and_reset
from sluice_sim.bench.spec import Word
from sluice_sim.golden.link import decode, encode

END, BROKEN = 1 << 8, 1 << 9


def contents(rng: random.Random) -> list[bytes]:
    """Return frames around every length that the stuffing treats in a way of its own."""
    found = [bytes(n) for n in (1, 2, 5)]
    for n in (1, 2, 253, 254, 255, 256, 508, 509, 510):
        run = bytes(rng.randrange(1, 256) for _ in range(n))
        found += [run, run + b"\0", b"\0" + run, run + b"\0\0" + run[:3]]
    zeros = [bytes(rng.choice([0, 0, 1, 255]) for _ in range(rng.randrange(1, 40)))]
    return found + zeros * 3 + [rng.randbytes(rng.randrange(1, 600)) for _ in range(5)]


async def run(dut, active: float, words: list[int]) -> list[int]:
    """Send ``words`` and return what comes."""
    rng = random.Random(cocotb.RANDOM_SEED)
    i = StreamPort(dut, "i", rng=rng, active=active, sends=True)
    o = StreamPort(dut, "o", rng=rng, active=active)
    i.valid.value = o.ready.value = 0
    i.drive(0)
    await start_clock_and_reset(dut)
    cocotb.start_soon(attend((i, o), dut.rst))
    o.receive()
    await i.send([Word(word) for word in words])
    before = -1
    while before != len(o.words):
        before = len(o.words)
        await ClockCycles(dut.clk, 1000)
    return o.words


@cocotb.test(skip=os.environ.get("SLUICE_COBS") != "encode")
@cocotb.parametrize(active=[1.0, 0.6])
async def encodes(dut, active):
    """Every byte is as the definition has it."""
    frames = contents(random.Random(cocotb.RANDOM_SEED))
    words = [b | (n == len(f) - 1) << 8 for f in frames for n, b in enumerate(f)]
    got = await run(dut, active, words)
    assert bytes(got) == b"".join(encode(f) for f in frames)


@cocotb.test(skip=os.environ.get("SLUICE_COBS") != "decode")
@cocotb.parametrize(active=[1.0, 0.6])
async def decodes(dut, active):
    """Each frame comes out and ends, whole or cut; zeros that follow a zero give nothing."""
    rng = random.Random(cocotb.RANDOM_SEED)
    sent = b"\0"
    for content in contents(rng):
        stuffed = encode(content)
        cut = rng.random() < 0.3
        sent += (stuffed[: rng.randrange(len(stuffed))] if cut else stuffed[:-1]) + b"\0"
        sent += bytes(rng.randrange(2) * rng.randrange(3))
    # A full last group that claims a zero after it, and an empty frame that is stuffed.
    sent += b"\xff" + bytes(range(1, 255)) + b"\x01\0" + b"\x01\0" + rng.randbytes(300) + b"\0\0"
    expected: list[int] = []
    for stuffed in filter(None, sent.split(b"\0")):
        content = decode(stuffed)
        whole = partial(stuffed) if content is None else content
        expected += [*whole, END | (BROKEN if content is None else 0)]
    got = await run(dut, active, list(sent))
    assert [w & ~0xFF or w for w in got] == expected


def partial(stuffed: bytes) -> bytes:
    """Return what a cut frame gives before it is known to be cut: missing bytes filled up."""
    for more in range(255):
        content = decode(stuffed + b"\1" * more)
        if content is not None:
            return content[: len(content) - more]
    raise AssertionError
