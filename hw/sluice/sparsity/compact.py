"""Keep the elements that have a flag, side by side."""

from typing import Any

from amaranth import Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.block import Block
from sluice.formats import FORMATS, find_format
from sluice.params import Choice, Int
from sluice.sparsity.packing import add_packing, packed_layout, packing_steps, put_together
from sluice.stream import Beat, Pipeline, SkidBuffer, join, uneven

__all__ = ["Compact"]


class Compact(Block):
    """Drop the elements whose flag is not set: ``o = i[flags]``, packet by packet.

    Parameters
    ----------
    element : format
        Of the data. Elements are not looked at.
    lanes : int, 2..64
        Elements per beat, a power of two.
    stages : int, 0..16
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer, which are ``2 * log2(lanes) + 2``.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    flags : In(stream.Signature(Beat(bit, lanes)))
        For every beat of ``i``, with the same ``keep`` and ``last``, which of its elements stay.
    o : Out(stream.Signature(Beat(element, lanes)))
        One packet for each of ``i``: full beats but for the last one, which is empty where no
        element stays.
    status : Out(StructLayout({"uneven": 1}))
        Sticky: beats that met had different ``keep`` or ``last``; those of ``i`` counted.

    Attributes
    ----------
    latency : stages + 3 cycles
        From the beat with which there is one element more than ``lanes``, or the packet's last one:
        the datapath, its output queue and the buffer that beats are put together for. One more
        for the end of a packet that is left over from a beat.
    interval : 1 cycle
        Between input beats, without exception, which nothing could better: a packet never makes
        more beats than it has.

    Notes
    -----
    The streams' ``ready`` depends on each other's ``valid`` in the same cycle, and on a register.
    Reset drops what is on the way.

    Elements pass ``log2(lanes)`` switches, each a multiplexer of two: what there is for each lane
    grows as the logarithm of their number. The switches put a beat's elements behind those of the
    beats before, so that they only have to be put together. How switches are set is said in
    :mod:`sluice.sparsity.switches`. Golden model:
    :func:`sluice_sim.golden.sparsity.compact`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    flags: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", tuple(FORMATS)),
        Int("lanes", "elements per beat, a power of two", 2, 64, power_of_two=True),
        Int("stages", "registers in the datapath", 0, 16, "cycles"),
    )

    def __init__(self, *, element: str = "bf16", lanes: int = 16, stages: int = 16):
        self.check(element=element, lanes=lanes, stages=stages)
        self.element: str
        self.lanes: int
        self.stages: int
        number = find_format(self.element)
        self.i_beat, self.flags_beat = Beat(number, self.lanes), Beat(FORMATS["bit"], self.lanes)
        self.steps = packing_steps(self.lanes)
        self.width = number.width
        joined = data.StructLayout({"i": self.i_beat, "flags": self.flags_beat})
        self.pipeline = Pipeline(
            i_shape=joined,
            o_shape=packed_layout(self.i_beat),
            stages=min(self.stages, self.steps),
            read_ahead=True,
        )
        self.latency = self.pipeline.latency + SkidBuffer.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "flags": In(stream.Signature(self.flags_beat)),
                "o": Out(stream.Signature(self.i_beat)),
                "status": Out(data.StructLayout({"uneven": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        join(m, {"i": self.i, "flags": self.flags}, pipeline.i)
        with m.If(pipeline.entry_valid & uneven(pipeline.entry.i, pipeline.entry.flags)):
            m.d.sync += self.status.uneven.eq(1)
        flow: Any = Flow(m, steps=self.steps, stages=pipeline.stages)
        i = pipeline.entry.i
        flow.last = i.last
        words = [Value.cast(word).as_unsigned() for word in i.data]
        flags = Value.cast(pipeline.entry.flags.data) & i.keep
        packed = add_packing(m, flow, words, flags, pipeline.entry_valid)
        m.d.comb += Value.cast(pipeline.result).eq(packed)
        put_together(m, pipeline.o, wiring.flipped(self.o))
        return m
