"""One register between two streams."""

from typing import Any

from amaranth import Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.stream.beat import Payload

__all__ = ["RegisterSlice"]


class RegisterSlice(Block):
    """Register ``valid`` and the payload of a stream; ``ready`` passes through.

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
        Also with stalls: a beat is taken in the cycle in which the one before it leaves.

    Notes
    -----
    ``i.ready`` depends on ``o.ready`` in the same cycle; :class:`SkidBuffer` breaks that path.
    Reset drops a held beat.

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
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m
