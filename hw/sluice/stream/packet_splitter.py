"""Long packets into short ones."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Int
from sluice.stream.beat import Payload
from sluice.stream.settings import sample_settings

__all__ = ["PacketSplitter"]


class PacketSplitter(Block):
    """End a packet after every ``beats`` beats, and where it ended anyway.

    Parameters
    ----------
    shape : Beat
        Payload of both streams.
    max_beats : int, 1..65536
        Largest value of the setting.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    config : In(StructLayout({"beats": range(max_beats + 1)}))
        Sampled at the first beat of an input packet; zero splits nothing.

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
    config: Any
    same_packets = False
    latency = 0
    interval = 1

    PARAMETERS = (
        Payload("shape", "payload of both streams", beats_only=True),
        Int("max_beats", "largest packet that can be asked for", 1, 65536, "beats"),
    )

    def __init__(self, *, shape: Any = "bf16x8", max_beats: int = 256):
        self.check(shape=shape, max_beats=max_beats)
        self.shape: Any
        self.max_beats: int
        super().__init__(
            {
                "i": In(stream.Signature(self.shape)),
                "o": Out(stream.Signature(self.shape)),
                "config": In(data.StructLayout({"beats": range(self.max_beats + 1)})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        settings = sample_settings(m, self.config, self.i)
        under_way = Signal()
        # Beats of this piece from here on, and whether it is one; at the first beat of a packet the
        # settings say so.
        left, one_left = Signal.like(self.config.beats), Signal()
        now, one_now = Signal.like(left), Signal()
        m.d.comb += [
            now.eq(Mux(under_way, left, settings.beats)),
            one_now.eq(Mux(under_way, one_left, settings.beats == 1)),
            self.o.valid.eq(self.i.valid),
            self.o.payload.eq(self.i.payload),
            self.o.payload.last.eq(self.i.payload.last | one_now),
            self.i.ready.eq(self.o.ready),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [under_way.eq(~self.i.payload.last), one_left.eq(now == 2)]
            # Zero stays zero: the packet is not cut.
            with m.If(now.any()):
                m.d.sync += left.eq(now - 1)
            with m.Else():
                m.d.sync += left.eq(0)
            with m.If(one_now):
                m.d.sync += [left.eq(settings.beats), one_left.eq(settings.beats == 1)]
        return m
