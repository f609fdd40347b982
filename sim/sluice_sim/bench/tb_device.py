"""Move bytes between a pseudo-terminal and a simulated host link, until the process is ended.

``SLUICE_PORT_FILE`` is where the terminal's path is written, ``SLUICE_PARENT`` the process whose
end ends this one.
"""

import contextlib
import os
import select
import tty
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer

from sluice_sim.transactor import CHUNK

# Cycles between two looks, and looks without a byte after which the simulation sleeps.
LOOK, AWAKE = 32, 64
SLEEP = 0.05


async def begin(dut) -> None:
    """Reset the device; leaves at a time between clock edges, where what is read holds still."""
    for name in ("put", "put_count", "put_turn", "got_turn"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    if hasattr(dut, "clk"):
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    await Timer(28, unit="ns")
    dut.rst.value = 0


@cocotb.test()
async def serve(dut):
    """Serve one host after another."""
    parent = int(os.environ["SLUICE_PARENT"])
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    await begin(dut)
    path = Path(os.environ["SLUICE_PORT_FILE"])
    partial = path.with_suffix(".part")
    partial.write_text(os.ttyname(theirs))
    partial.replace(path)
    put_turn = got_turn = quiet = 0
    to_link = to_host = b""
    while os.getppid() != 1 and _lives(parent):
        await Timer(10 * LOOK, unit="ns")
        quiet += 1
        if len(to_link) < CHUNK:
            with contextlib.suppress(BlockingIOError):
                to_link += os.read(ours, 4096)
        if to_link and int(dut.put_seen.value) == put_turn:
            chunk, to_link = to_link[:CHUNK], to_link[CHUNK:]
            put_turn ^= 1
            dut.put.value = int.from_bytes(chunk, "little")
            dut.put_count.value = len(chunk)
            dut.put_turn.value = put_turn
            quiet = 0
        if not to_host and int(dut.got_valid.value):
            count = int(dut.got_count.value)
            to_host = int(dut.got.value).to_bytes(CHUNK, "little")[CHUNK - count :]
            got_turn ^= 1
            dut.got_turn.value = got_turn
            quiet = 0
        if to_host:
            with contextlib.suppress(BlockingIOError):
                to_host = to_host[os.write(ours, to_host) :]
        if quiet > AWAKE:
            select.select([ours], [], [], SLEEP)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
