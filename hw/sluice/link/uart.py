"""Bytes on two wires."""

from typing import Any

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Int

__all__ = ["Uart"]

DATA_BITS = 8


class Uart(Block):
    """Asynchronous serial line: 8 data bits, least significant first, no parity, one stop bit.

    Parameters
    ----------
    divisor : int, 8..65535
        Clock cycles per bit.

    Members
    -------
    rx : In(1)
        From the line, not synchronous to the clock.
    tx : Out(1)
        To the line; high at rest and in reset.
    i : In(stream.Signature(8))
        To send.
    o : Out(stream.Signature(8))
        Received. A byte that nobody has taken when the next one is complete is lost.

    Attributes
    ----------
    latency : 1 cycle
        From an accepted byte to its start bit.
    interval : ``10 * divisor`` cycles
        Between accepted bytes.

    Notes
    -----
    Bits are sampled once, in their middle, which starts from the edge of the start bit: the other
    side's clock may be up to 4 % off at a divisor of 16 or more. A start bit that is gone by its
    middle is ignored; a byte whose stop bit is low is dropped, and the line must go high before
    the next one. ``o`` holds a byte until it is taken, and drops those that come meanwhile.

    Raises
    ------
    TypeError, ValueError
        If ``divisor`` is not of its type or out of its range.
    """

    rx: Signal
    tx: Signal
    i: stream.Interface
    o: stream.Interface
    latency = 1

    PARAMETERS = (Int("divisor", "clock cycles per bit", 8, 65535, "cycles"),)

    def __init__(self, *, divisor: int = 104):
        self.check(divisor=divisor)
        self.divisor: int
        self.interval = (DATA_BITS + 2) * self.divisor
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._send(m)
        self._receive(m)
        return m

    def _send(self, m: Module) -> None:
        # The bits that are still to be sent, above them ones, as on a line at rest.
        shift = Signal(DATA_BITS + 1, init=-1)
        left, wait = Signal(range(DATA_BITS + 3)), Signal(range(self.divisor))
        idle = left == 0
        m.d.comb += [self.i.ready.eq(idle), self.tx.eq(shift[0])]
        with m.If(idle):
            m.d.sync += wait.eq(self.divisor - 1)
            with m.If(self.i.valid):
                m.d.sync += [shift.eq(Cat(Const(0, 1), self.i.payload)), left.eq(DATA_BITS + 2)]
        with m.Elif(wait == 0):
            m.d.sync += [shift.eq(Cat(shift[1:], Const(1, 1))), left.eq(left - 1)]
            m.d.sync += wait.eq(self.divisor - 1)
            # The cycle in which the next byte is accepted is part of this stop bit.
            with m.If(left == 2):
                m.d.sync += wait.eq(self.divisor - 2)
        with m.Else():
            m.d.sync += wait.eq(wait - 1)

    def _receive(self, m: Module) -> None:
        # Two registers before anything looks at the line; it is at rest after reset.
        line = Signal(2, init=-1)
        m.d.sync += line.eq(Cat(self.rx, line))
        level = line[1]
        shift = Signal(DATA_BITS)
        left, wait = Signal(range(DATA_BITS + 2)), Signal(range(self.divisor))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("REST"):
                # Half a bit from the edge, of which some went by in the registers.
                m.d.sync += [wait.eq(self.divisor // 2 - 2), left.eq(DATA_BITS + 1)]
                with m.If(~level):
                    m.next = "BIT"
            with m.State("BIT"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += [wait.eq(self.divisor - 1), left.eq(left - 1)]
                    m.d.sync += shift.eq(Cat(shift[1:], level))
                    with m.If((left == DATA_BITS + 1) & level):
                        m.next = "REST"
                    with m.If(left == 0):
                        m.next = "END"
                        with m.If(level & (~self.o.valid | self.o.ready)):
                            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(shift)]
            # A line that is low here was never at rest: it must be before a byte can begin.
            with m.State("END"), m.If(level):
                m.next = "REST"
