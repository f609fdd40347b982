"""Two places between two streams, with every output registered."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.stream.beat import Payload

__all__ = ["SkidBuffer"]


class SkidBuffer(Block):
    """Register all signals of a stream, ``ready`` too, at full rate.

    Parameters
    ----------
    shape : shape
        Payload of both streams.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))

    Attributes
    ----------
    latency : 1 cycle
    interval : 1 cycle

    Notes
    -----
    No combinational path joins the two sides. Reset drops both held beats.

    Raises
    ------
    TypeError, ValueError
        If ``shape`` is not a shape.
    """

    i: stream.Interface
    o: stream.Interface
    latency = 1
    interval = 1

    PARAMETERS = (Payload("shape", "payload of both streams"),)

    def __init__(self, *, shape: Any = "bf16x8"):
        self.check(shape=shape)
        self.shape: Any
        super().__init__(
            {"i": In(stream.Signature(self.shape)), "o": Out(stream.Signature(self.shape))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        full = Signal()
        spare = Signal(self.shape)
        moving = Signal()
        m.d.comb += [self.i.ready.eq(~full), moving.eq(~self.o.valid | self.o.ready)]
        with m.If(~full):
            m.d.sync += spare.eq(self.i.payload)
        with m.If(moving):
            m.d.sync += [
                self.o.valid.eq(full | self.i.valid),
                self.o.payload.eq(self.i.payload),
                full.eq(0),
            ]
            with m.If(full):
                m.d.sync += self.o.payload.eq(spare)
        with m.Elif(self.i.valid & ~full):
            m.d.sync += full.eq(1)
        return m
