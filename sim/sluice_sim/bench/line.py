"""The Python side of a :class:`sluice_sim.transactor.Transactor`."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer

from sluice_sim.transactor import CHUNK

__all__ = ["Line"]


class Line:
    """Bytes to and from a simulated host link.

    Look at a time between clock edges, where what is read holds still.
    """

    def __init__(self, dut):
        self.dut = dut
        self.put_turn = self.got_turn = 0

    async def begin(self) -> None:
        """Reset the device; leaves at a time between clock edges."""
        for name in ("put", "put_count", "put_turn", "got_turn"):
            getattr(self.dut, name).value = 0
        self.dut.rst.value = 1
        # On Icarus the clock is in the toplevel.
        if hasattr(self.dut, "clk"):
            cocotb.start_soon(Clock(self.dut.clk, 10, unit="ns").start())
        await Timer(28, unit="ns")
        self.dut.rst.value = 0

    def send(self, data: bytes) -> bytes:
        """Return what of ``data`` is left to send."""
        if not data or int(self.dut.put_seen.value) != self.put_turn:
            return data
        chunk = data[:CHUNK]
        self.put_turn ^= 1
        self.dut.put.value = int.from_bytes(chunk, "little")
        self.dut.put_count.value = len(chunk)
        self.dut.put_turn.value = self.put_turn
        return data[CHUNK:]

    def receive(self) -> bytes:
        """Return what has come, if anything has."""
        if not int(self.dut.got_valid.value):
            return b""
        count = int(self.dut.got_count.value)
        self.got_turn ^= 1
        self.dut.got_turn.value = self.got_turn
        return int(self.dut.got.value).to_bytes(CHUNK, "little")[CHUNK - count :]
