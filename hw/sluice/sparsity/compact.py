"""Keep the elements that have a flag, side by side."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.block import Block
from sluice.formats import FORMATS, find_format
from sluice.params import Choice, Int
from sluice.sparsity.places import add_places, place_steps
from sluice.sparsity.switches import gather, levels
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
        self.steps = place_steps(self.lanes) + levels(self.lanes)
        self.width = number.width
        packed = data.StructLayout(
            {
                "words": self.i_beat.data_bits,
                **dict.fromkeys(("held", "rest"), self.lanes),
                **dict.fromkeys(("over", "last"), 1),
            }
        )
        joined = data.StructLayout({"i": self.i_beat, "flags": self.flags_beat})
        self.pipeline = Pipeline(
            i_shape=joined, o_shape=packed, stages=min(self.stages, self.steps)
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
        self._place(m)
        self._put_together(m)
        return m

    def _place(self, m: Module) -> None:
        """Bring the elements that stay to their lanes."""
        lanes, pipeline = self.lanes, self.pipeline
        i = pipeline.entry.i
        flow: Any = Flow(m, steps=self.steps, stages=pipeline.stages)
        names = [f"word_{k}" for k in range(lanes)]
        for k, name in enumerate(names):
            setattr(flow, name, Value.cast(i.data[k]))
        flow.last = i.last
        flags = Value.cast(pipeline.entry.flags.data) & i.keep
        add_places(m, flow, flags, pipeline.entry_valid)
        gather(flow, names)
        flow.step()
        words = Cat(getattr(flow, name) for name in names)
        packed = Cat(words, flow.held, flow.rest, flow.over, flow.last)
        m.d.comb += Value.cast(pipeline.result).eq(packed)

    def _put_together(self, m: Module) -> None:
        """Make beats of what is kept and what comes."""
        come = self.pipeline.o
        word = come.payload
        m.submodules.output = output = SkidBuffer(shape=self.i_beat)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        go = output.i.ready
        # What is kept ends a packet. What comes then begins another, and takes its place: it is
        # never more than one beat, and leaves at once only where it ends that packet too.
        whole = Signal()
        keep = Signal(self.lanes, reset_less=True)
        kept = [Signal(self.width, name=f"kept_{k}", reset_less=True) for k in range(self.lanes)]
        full = word.rest | word.over.replicate(self.lanes)
        emits = word.over | word.last
        m.d.comb += [come.ready.eq(go), output.i.valid.eq(whole | (come.valid & emits))]
        with m.If(go):
            m.d.sync += [
                whole.eq(come.valid & word.last & (whole | word.over)),
                keep.eq(word.rest),
            ]
        leaves: list[Value] = []
        for k in range(self.lanes):
            comes, held = word.words.word_select(k, self.width), word.held[k]
            leaves.append(Mux(whole | held, kept[k], comes))
            with m.If(go & come.valid & (emits | ~held)):
                m.d.sync += kept[k].eq(comes)
        beat = Cat(*leaves, Mux(whole, keep, full), whole | (word.last & ~word.over))
        m.d.comb += Value.cast(output.i.payload).eq(beat)
