"""Consistent overhead byte stuffing: frames between zero bytes."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block

__all__ = ["CobsDecoder", "CobsEncoder", "DecodedByte", "FrameByte"]

# A group of this code carries as many bytes as fit, and no zero follows it.
FULL = 0xFF


class DecodedByte(data.StructLayout):
    """A byte of a frame, or its end.

    Members
    -------
    data : unsigned(8)
    end : 1 bit
        The frame is over; ``data`` carries nothing.
    broken : 1 bit
        With ``end``: the frame was cut inside a group.
    """

    def __init__(self) -> None:
        super().__init__({"data": 8, "end": 1, "broken": 1})


class FrameByte(data.StructLayout):
    """A byte of a frame.

    Members
    -------
    data : unsigned(8)
    last : 1 bit
        The frame ends with this byte.
    """

    def __init__(self) -> None:
        super().__init__({"data": 8, "last": 1})


class CobsDecoder(Block):
    """Undo the byte stuffing of frames that a zero byte ends.

    Members
    -------
    i : In(stream.Signature(8))
    o : Out(stream.Signature(DecodedByte()))
        The bytes of each frame, then its end. Zero bytes that follow one another give nothing
        after the first.

    Attributes
    ----------
    latency : 0 cycles
    interval : 1 cycle

    Notes
    -----
    The stream passes combinationally in both directions. Reset forgets a frame that has begun.
    """

    i: stream.Interface
    o: stream.Interface
    latency = 0
    interval = 1

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(DecodedByte()))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left = Signal(8)
        begun, zero_due, gives = Signal(), Signal(), Signal()
        ends, at_code = Signal(), Signal()
        m.d.comb += [
            ends.eq(self.i.payload == 0),
            at_code.eq(left == 0),
            # A group's zero is due only when another group follows.
            gives.eq(Mux(ends, begun, ~at_code | zero_due)),
            self.o.valid.eq(self.i.valid & gives),
            self.o.payload.data.eq(Mux(at_code, 0, self.i.payload)),
            self.o.payload.end.eq(ends),
            self.o.payload.broken.eq(ends & ~at_code),
            self.i.ready.eq(self.o.ready | ~gives),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += left.eq(left - 1)
            with m.If(ends):
                m.d.sync += [left.eq(0), begun.eq(0), zero_due.eq(0)]
            with m.Elif(at_code):
                m.d.sync += [
                    left.eq(self.i.payload - 1),
                    begun.eq(1),
                    zero_due.eq(self.i.payload != FULL),
                ]
        return m


class CobsEncoder(Block):
    """Stuff the bytes of frames so that none is zero, and end each frame with a zero byte.

    Members
    -------
    i : In(stream.Signature(FrameByte()))
    o : Out(stream.Signature(8))

    Attributes
    ----------
    latency : 2 cycles
        From the byte that completes a group to the group's code.
    interval : 2 cycles
        Between bytes: groups of up to 254 are gathered in a memory before they are sent.

    Notes
    -----
    ``o.payload`` is a multiplexer behind a memory's output register; no path joins the two
    sides. Reset forgets a frame that has begun.
    """

    i: stream.Interface
    o: stream.Interface
    latency = 2
    interval = 2

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(FrameByte())), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.group = group = memory.Memory(shape=8, depth=256, init=[])
        write, read = group.write_port(), group.read_port()
        # ``place`` is the byte to send; ``code`` is one more than the bytes held.
        place, code = Signal(8, init=1), Signal(8, init=1)
        i, o = self.i.payload, self.o
        # The group ends the frame; a zero at the frame's end is due an empty group of its own.
        final, zero_last = Signal(), Signal()
        m.d.comb += [
            write.addr.eq(code),
            write.data.eq(i.data),
            read.addr.eq(place),
        ]

        def leave() -> None:
            m.d.sync += [code.eq(1), place.eq(1), zero_last.eq(0)]
            m.next = "GATHER"
            with m.If(final):
                m.next = "END"
            with m.If(zero_last):
                m.next = "CODE"

        with m.FSM():
            with m.State("GATHER"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.comb += write.en.eq(1)
                    m.d.sync += [final.eq(i.last), zero_last.eq(i.last & (i.data == 0))]
                    with m.If(i.data != 0):
                        m.d.sync += code.eq(code + 1)
                    with m.If((i.data == 0) | (code == FULL - 1) | i.last):
                        m.next = "CODE"
            with m.State("CODE"):
                m.d.comb += [o.valid.eq(1), o.payload.eq(code)]
                with m.If(o.ready):
                    m.d.sync += code.eq(code - 1)
                    m.next = "BYTE"
                    with m.If(code == 1):
                        leave()
            with m.State("BYTE"):
                m.d.comb += [o.valid.eq(1), o.payload.eq(read.data)]
                with m.If(o.ready):
                    m.d.comb += read.addr.eq(place + 1)
                    m.d.sync += [place.eq(place + 1), code.eq(code - 1)]
                    with m.If(code == 1):
                        leave()
            with m.State("END"):
                m.d.comb += o.valid.eq(1)
                with m.If(o.ready):
                    m.next = "GATHER"
        return m
