"""How much went by."""

from typing import Any

from amaranth import Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Int
from sluice.stream.beat import Payload

__all__ = ["PacketCounter"]


class PacketCounter(Block):
    """Pass a stream on and count its beats, packets and stalled cycles.

    Parameters
    ----------
    shape : Beat
        Payload of both streams.
    width : int, 1..64
        Bits per counter; a counter wraps.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    clear : In(1)
        Sets every counter to zero; what moves in that cycle is not counted.
    counts : Out(StructLayout({"beats": width, "packets": width, "stalls": width}))
        ``stalls`` counts the cycles with a beat offered and not taken.

    Attributes
    ----------
    latency : 0 cycles
    interval : 1 cycle

    Notes
    -----
    The stream passes combinationally in both directions.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    clear: Any
    counts: Any
    latency = 0
    interval = 1

    PARAMETERS = (
        Payload("shape", "payload of both streams", beats_only=True),
        Int("width", "bits per counter", 1, 64, "bits"),
    )

    def __init__(self, *, shape: Any = "bf16x8", width: int = 32):
        self.check(shape=shape, width=width)
        self.shape: Any
        self.width: int
        counters = data.StructLayout(dict.fromkeys(("beats", "packets", "stalls"), self.width))
        super().__init__(
            {
                "i": In(stream.Signature(self.shape)),
                "o": Out(stream.Signature(self.shape)),
                "clear": In(1),
                "counts": Out(counters),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.o.payload.eq(self.i.payload),
            self.i.ready.eq(self.o.ready),
        ]
        moves, last = self.i.valid & self.i.ready, self.i.payload.last
        with m.If(self.clear):
            m.d.sync += self.counts.as_value().eq(0)
        with m.Else():
            m.d.sync += [
                self.counts.beats.eq(self.counts.beats + moves),
                self.counts.packets.eq(self.counts.packets + (moves & last)),
                self.counts.stalls.eq(self.counts.stalls + (self.i.valid & ~self.i.ready)),
            ]
        return m
