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
from cocotb.triggers import Timer

from sluice.files import replaced_file
from sluice_sim.bench.line import Line
from sluice_sim.transactor import CHUNK

# Cycles between two looks, and looks without a byte after which the simulation sleeps.
LOOK, AWAKE = 32, 64
SLEEP = 0.05


@cocotb.test()
async def serve(dut):
    """Serve one host after another."""
    parent = int(os.environ["SLUICE_PARENT"])
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    line = Line(dut)
    await line.begin()
    with replaced_file(Path(os.environ["SLUICE_PORT_FILE"])) as path:
        path.write_text(os.ttyname(theirs))
    quiet = 0
    to_link = to_host = b""
    while os.getppid() != 1 and _lives(parent):
        await Timer(10 * LOOK, unit="ns")
        quiet += 1
        if len(to_link) < CHUNK:
            with contextlib.suppress(BlockingIOError):
                to_link += os.read(ours, 4096)
        waiting = len(to_link)
        to_link = line.send(to_link)
        if not to_host:
            to_host = line.receive()
        if to_host or len(to_link) < waiting:
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
