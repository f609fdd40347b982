"""Few lanes to many."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Int
from sluice.stream.beat import Beat, Payload

__all__ = ["Widen"]


class Widen(Block):
    """Gather ``ratio`` beats into one that is ``ratio`` times as wide.

    Parameters
    ----------
    shape : Beat
        Payload of the input.
    ratio : int, 1..64
        Input beats per full output beat.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(Beat(element, lanes * ratio)))
        The last beat of a packet keeps the lanes that were filled.

    Attributes
    ----------
    latency : 1 cycle
        From the input beat that completes an output beat.
    interval : 1 cycle
        Between input beats.

    Notes
    -----
    ``i.ready`` depends on ``o.ready`` in the same cycle. Reset drops a beat that is being filled.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    latency = 1
    interval = 1

    PARAMETERS = (
        Payload("shape", "payload of the input", beats_only=True),
        Int("ratio", "input beats per output beat", 1, 64),
    )

    def __init__(self, *, shape: Any = "bf16x2", ratio: int = 4):
        self.check(shape=shape, ratio=ratio)
        self.shape: Beat
        self.ratio: int
        wide = Beat(self.shape.number or self.shape.element, self.shape.lanes * self.ratio)
        super().__init__({"i": In(stream.Signature(self.shape)), "o": Out(stream.Signature(wide))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        place = Signal(range(max(2, self.ratio)))
        lanes = self.shape.lanes
        i, o = self.i.payload, self.o.payload
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            for k in range(self.ratio):
                with m.If(place == k):
                    m.d.sync += o.keep[k * lanes : (k + 1) * lanes].eq(i.keep)
                    m.d.sync += [o.data[k * lanes + n].eq(i.data[n]) for n in range(lanes)]
                with m.Elif(place == 0):
                    m.d.sync += o.keep[k * lanes : (k + 1) * lanes].eq(0)
            m.d.sync += [place.eq(place + 1), o.last.eq(i.last)]
            with m.If(i.last | (place == self.ratio - 1)):
                m.d.sync += [place.eq(0), self.o.valid.eq(1)]
        return m
