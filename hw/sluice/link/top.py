"""What a board instantiates."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.link.host_link import HostLink
from sluice.link.uart import Uart
from sluice.params import Int
from sluice.stream import Fifo

__all__ = ["LinkTop"]

# A request that ends a broken one comes while the link still answers that one.
HELD_BYTES = 64
# A byte is ten bits, of which the last is sampled in its middle: half a bit is 5 % of 9.5 bits.
# What the line and the other side need is left over.
WORST = 0.02


class LinkTop(Block):
    """A block on a serial line.

    Parameters
    ----------
    inner : Block
        See :class:`HostLink`.
    clock_hz : int
        Frequency of the clock.
    baud : int
        Bits per second on the line.
    queue_depth, frame_bytes : int
        See :class:`HostLink`.

    Members
    -------
    rx : In(1)
    tx : Out(1)

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or the clock makes no bit that is
        within 2 % of ``baud``.
    """

    rx: Signal
    tx: Signal

    PARAMETERS = (
        Int("clock_hz", "frequency of the clock", 1, None, "Hz"),
        Int("baud", "bits per second", 1, None),
    )

    def __init__(
        self,
        inner: Block,
        *,
        clock_hz: int,
        baud: int = 115200,
        queue_depth: int = 256,
        frame_bytes: int = 512,
    ):
        self.check(clock_hz=clock_hz, baud=baud)
        self.clock_hz: int
        self.baud: int
        divisor = round(self.clock_hz / self.baud)
        if divisor < 8 or abs(divisor * self.baud / self.clock_hz - 1) > WORST:
            raise ValueError(
                f"baud must be at most clock_hz / 8 and near a whole fraction of it, not {baud}"
            )
        self.link = HostLink(inner, queue_depth=queue_depth, frame_bytes=frame_bytes)
        self.uart = Uart(divisor=divisor)
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.uart, m.submodules.link = self.uart, self.link
        m.submodules.held = held = Fifo(shape=8, depth=HELD_BYTES)
        wiring.connect(m, self.uart.o, held.i)
        wiring.connect(m, held.o, self.link.i)
        wiring.connect(m, self.link.o, self.uart.i)
        m.d.comb += [self.uart.rx.eq(self.rx), self.tx.eq(self.uart.tx)]
        return m
