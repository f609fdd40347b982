"""One stream to one of several, packet by packet."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Int
from sluice.stream.beat import Payload
from sluice.stream.settings import sample_settings

__all__ = ["Demux"]


class Demux(Block):
    """Send each packet to the output that the settings name.

    Parameters
    ----------
    shape : Beat
        Payload of all streams.
    outputs : int, 1..32

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape)).array(outputs)
    config : In(StructLayout({"select": range(outputs)}))
        Sampled at the first beat of a packet.
    status : Out(StructLayout({"bad_select": 1}))
        Sticky: a packet was for an output that does not exist, and was discarded.

    Attributes
    ----------
    latency : 0 cycles
    interval : 1 cycle

    Notes
    -----
    ``o[k].valid`` depends on ``i.valid``, and ``i.ready`` on ``o[k].ready``, in the same cycle.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: Any
    config: Any
    status: Any
    same_packets = False
    latency = 0
    interval = 1

    PARAMETERS = (
        Payload("shape", "payload of all streams", beats_only=True),
        Int("outputs", "streams to choose from", 1, 32),
    )

    def __init__(self, *, shape: Any = "bf16x8", outputs: int = 2):
        self.check(shape=shape, outputs=outputs)
        self.shape: Any
        self.outputs: int
        signature = stream.Signature(self.shape)
        super().__init__(
            {
                "i": In(signature),
                "o": Out(signature).array(self.outputs),
                "config": In(data.StructLayout({"select": range(max(2, self.outputs))})),
                "status": Out(data.StructLayout({"bad_select": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        select = Signal.like(self.config.select)
        m.d.comb += select.eq(sample_settings(m, self.config, self.i).select)
        with m.Switch(select):
            for k, o in enumerate(self.o):
                with m.Case(k):
                    m.d.comb += [o.valid.eq(self.i.valid), self.i.ready.eq(o.ready)]
            with m.Default():
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += self.status.bad_select.eq(1)
        for o in self.o:
            m.d.comb += o.payload.eq(self.i.payload)
        return m
