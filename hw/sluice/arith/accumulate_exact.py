"""Sums of products over a packet, exact until they are rounded once."""

from typing import Any

from amaranth import Module, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.arith.accumulate_exact_unit import AccumulateExactUnit
from sluice.arith.floats import FLOATS
from sluice.block import Block
from sluice.delay import delay
from sluice.formats import FORMATS
from sluice.params import Choice, Int
from sluice.stream import Beat, Pipeline, join, uneven

__all__ = ["AccumulateExact"]

SOURCES = ("fp8_e4m3", "fp8_e5m2")


class AccumulateExact(Block):
    """Give ``sum(a * b)`` over all elements of a packet, exact, and rounded once at its end.

    Exact to IEEE 754 and OCP OFP8: subnormals, infinities and NaN. A NaN that goes out is the
    canonical one: positive, quiet, payload zero. E4M3 has no infinity, and overflows to its NaN.

    Parameters
    ----------
    source, other : {"fp8_e4m3", "fp8_e5m2"}
        Formats of ``a`` and of ``b``.
    target : format
        Floating-point format of the result.
    lanes : int, 1..64
        Products per beat.
    terms : int, 1..1048576
        Products of a packet that the sum holds, whatever they are.
    stages : int, 0..28
        Registers in the datapath, besides that of the sum, spread evenly over its steps; as many
        as it has steps if those are fewer.

    Members
    -------
    a : In(stream.Signature(Beat(source, lanes)))
    b : In(stream.Signature(Beat(other, lanes)))
    o : Out(stream.Signature(Beat(target, 1)))
        A packet of one element for each packet.
    status : Out(StructLayout({"uneven": 1, "overflow": 1}))
        Sticky: beats that met had different ``keep`` or ``last``; a sum left its range.

    Attributes
    ----------
    latency : stages + 3 cycles
        The datapath, the sum, and the output queue.
    interval : 1 cycle
        One beat per cycle, which nothing could better: every lane multiplies in every cycle.

    Notes
    -----
    The streams' ``ready`` depends on each other's ``valid`` in the same cycle, and on a register.
    ``o.valid`` is that of a queue in which beats that end no packet are stepped over: this stands
    outside the queue, which has a place for every beat on the way. Reset drops all beats, and the
    sum.

    The sum is in fixed point with all bits there are, from the product of the smallest numbers to
    ``terms`` times that of the largest: 36 of E4M3, 50 of both and 64 of E5M2, a sign, and the
    binary digits of ``terms``. More products than ``terms`` may still fit; if they do not, the
    result is that of the sum modulo its range, and ``status.overflow`` is set. A sum of zeros is
    +0, and so is that of no products. To nearest even. Method: U. Kulisch, Computer Arithmetic and
    Validity, 2008, chapter 8. Golden model: :func:`sluice_sim.golden.arith_exact.dot`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    a: stream.Interface
    b: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("source", "format of a", SOURCES),
        Choice("other", "format of b", SOURCES),
        Choice("target", "format of the result", FLOATS),
        Int("lanes", "products per beat", 1, 64),
        Int("terms", "products of a packet", 1, 1 << 20),
        Int("stages", "registers in the datapath", 0, 28, "cycles"),
    )

    def __init__(
        self,
        *,
        source: str = "fp8_e4m3",
        other: str = "fp8_e4m3",
        target: str = "fp32",
        lanes: int = 4,
        terms: int = 4096,
        stages: int = 28,
    ):
        self.check(
            source=source, other=other, target=target, lanes=lanes, terms=terms, stages=stages
        )
        self.source: str
        self.other: str
        self.target: str
        self.lanes: int
        self.terms: int
        self.stages: int
        self.operands = {"a": FORMATS[self.source], "b": FORMATS[self.other]}
        self.beats = {name: Beat(f, self.lanes) for name, f in self.operands.items()}
        self.o_beat = Beat(FORMATS[self.target], 1)
        unit = self.make_unit()
        unit._MustUse__silence = True
        self.width = unit.width
        self.unit_latency = unit.latency
        self.pipeline = Pipeline(
            i_shape=data.StructLayout(self.beats),
            o_shape=data.StructLayout({"word": self.o_beat.element_width, "last": 1}),
            stages=self.unit_latency,
        )
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "a": In(stream.Signature(self.beats["a"])),
                "b": In(stream.Signature(self.beats["b"])),
                "o": Out(stream.Signature(self.o_beat)),
                "status": Out(data.StructLayout({"uneven": 1, "overflow": 1})),
            }
        )

    def make_unit(self) -> Any:
        """Return the datapath."""
        source, other, target = (FORMATS[n] for n in (self.source, self.other, self.target))
        make: Any = AccumulateExactUnit
        return make(
            source=source,
            other=other,
            target=target,
            lanes=self.lanes,
            terms=self.terms,
            stages=self.stages,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        m.submodules.sum = unit = self.make_unit()
        join(m, {"a": self.a, "b": self.b}, pipeline.i)
        a, b = pipeline.entry.a, pipeline.entry.b
        m.d.comb += [
            unit.a.eq(Value.cast(a.data)),
            unit.b.eq(Value.cast(b.data)),
            unit.keep.eq(a.keep),
            unit.valid.eq(pipeline.entry_valid),
            unit.last.eq(a.last),
            pipeline.result.word.eq(unit.o),
        ]
        last = delay(m, "last", a.last, self.unit_latency)
        result = pipeline.o.payload
        m.d.comb += [
            pipeline.result.last.eq(last),
            self.o.valid.eq(pipeline.o.valid & result.last),
            pipeline.o.ready.eq(self.o.ready | ~result.last),
            Value.cast(self.o.payload.data[0]).eq(result.word),
            self.o.payload.keep.eq(1),
            self.o.payload.last.eq(1),
        ]
        with m.If(pipeline.entry_valid & uneven(a, b)):
            m.d.sync += self.status.uneven.eq(1)
        with m.If(unit.overflow):
            m.d.sync += self.status.overflow.eq(1)
        return m
