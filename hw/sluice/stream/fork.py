"""One stream into several, each at its own pace."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Int
from sluice.stream.beat import Payload

__all__ = ["Fork"]


class Fork(Block):
    """Give every beat to every output; a beat is taken once the last output has it.

    Parameters
    ----------
    shape : shape
        Payload of all streams.
    outputs : int, 1..32

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape)).array(outputs)

    Attributes
    ----------
    latency : 0 cycles
        The payload passes through.
    interval : 1 cycle

    Notes
    -----
    ``o[k].valid`` depends on ``i.valid``, and ``i.ready`` on every ``o[k].ready``, in the same
    cycle. An output never waits for another one to be ready.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: Any
    latency = 0
    interval = 1

    PARAMETERS = (
        Payload("shape", "payload of all streams"),
        Int("outputs", "streams that get every beat", 1, 32),
    )

    def __init__(self, *, shape: Any = "bf16x8", outputs: int = 2):
        self.check(shape=shape, outputs=outputs)
        self.shape: Any
        self.outputs: int
        signature = stream.Signature(self.shape)
        super().__init__({"i": In(signature), "o": Out(signature).array(self.outputs)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        done, served = Signal(self.outputs), Signal(self.outputs)
        m.d.comb += [
            served.eq(done | Cat(o.ready for o in self.o)),
            self.i.ready.eq(served.all()),
        ]
        for k, o in enumerate(self.o):
            m.d.comb += [o.valid.eq(self.i.valid & ~done[k]), o.payload.eq(self.i.payload)]
        with m.If(self.i.valid):
            m.d.sync += done.eq(served)
            with m.If(self.i.ready):
                m.d.sync += done.eq(0)
        return m
