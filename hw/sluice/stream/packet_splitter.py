"""Long packets into short ones."""

from typing import Any

from amaranth import Module, Signal
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
        splits = settings.beats.any()
        count, count_next = Signal.like(self.config.beats), Signal.like(self.config.beats)
        m.d.comb += [
            count_next.eq(count + 1),
            self.o.valid.eq(self.i.valid),
            self.o.payload.eq(self.i.payload),
            self.o.payload.last.eq(self.i.payload.last | (splits & (count_next == settings.beats))),
            self.i.ready.eq(self.o.ready),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += count.eq(count_next)
            with m.If(self.o.payload.last):
                m.d.sync += count.eq(0)
        return m
