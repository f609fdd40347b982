"""Many lanes to few."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Int
from sluice.stream.beat import Beat, Payload

__all__ = ["Narrow"]


class Narrow(Block):
    """Send a beat as up to ``ratio`` narrower ones; parts without an element are left out.

    Parameters
    ----------
    shape : Beat
        Payload of the output.
    ratio : int, 1..64
        Output beats per full input beat.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes * ratio)))
    o : Out(stream.Signature(shape))

    Attributes
    ----------
    latency : 1 cycle
        To the first output beat of an input beat.
    interval : ``ratio`` cycles
        Between full input beats; one cycle between output beats.

    Notes
    -----
    ``i.ready`` depends on ``o.ready`` in the same cycle. Reset drops a held beat.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    latency = 1

    PARAMETERS = (
        Payload("shape", "payload of the output", beats_only=True),
        Int("ratio", "output beats per input beat", 1, 64),
    )

    def __init__(self, *, shape: Any = "bf16x2", ratio: int = 4):
        self.check(shape=shape, ratio=ratio)
        self.shape: Beat
        self.ratio: int
        self.interval = self.ratio
        wide = Beat(self.shape.number or self.shape.element, self.shape.lanes * self.ratio)
        super().__init__({"i": In(stream.Signature(wide)), "o": Out(stream.Signature(self.shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes = self.shape.lanes
        held: Any = Signal(self.i.payload.shape())
        place = Signal(range(max(2, self.ratio)))
        more = Signal()
        o = self.o.payload
        with m.Switch(place):
            for k in range(self.ratio):
                with m.Case(k):
                    m.d.comb += [
                        Cat(o.data).eq(Cat(held.data[k * lanes + n] for n in range(lanes))),
                        o.keep.eq(held.keep[k * lanes : (k + 1) * lanes]),
                    ]
                    if k + 1 < self.ratio:
                        m.d.comb += more.eq(held.keep[(k + 1) * lanes])
        m.d.comb += [
            o.last.eq(held.last & ~more),
            self.i.ready.eq(~self.o.valid | (self.o.ready & ~more)),
        ]
        with m.If(self.i.ready):
            m.d.sync += [held.eq(self.i.payload), self.o.valid.eq(self.i.valid), place.eq(0)]
        with m.Elif(self.o.ready):
            m.d.sync += place.eq(place + 1)
        return m
