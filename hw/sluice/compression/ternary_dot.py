"""Multiply-accumulate of numbers with compressed ternary weights."""

from typing import Any

from amaranth import Cat, Module, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.compression.expand_pairs import ExpandPairs
from sluice.compression.ternary_codes import NATURAL, VALUE
from sluice.compression.ternary_dot_unit import TernaryDotUnit
from sluice.delay import delay
from sluice.formats import FORMATS, Fixed
from sluice.params import Choice, Int
from sluice.stream import Beat, Pipeline, join

__all__ = ["TernaryDot"]

SOURCES = ("int8", "int4", "int16", "uint8", "uint4", "uint16")


class TernaryDot(Block):
    """Give ``sum(i * w)`` over all elements of a packet, of weights that are 0, +1 and -1.

    Parameters
    ----------
    element : format
        Of ``i``: an integer of at most 16 bits.
    target : {"int32", "int16"}
        Format of the result.
    lanes : int, 4..64
        Elements per beat, a power of two.
    stages : int, 0..16
        Registers in each of two datapaths, spread evenly over its steps; as many as it has steps
        if those are fewer, which are ``2 * log2(lanes / 2) + 4`` to the weights, and
        ``log2(lanes) + 2`` from these to the sum of a beat.

    Members
    -------
    flags : In(stream.Signature(Beat(bit, lanes / 2)))
    values : In(stream.Signature(Beat(uint3, lanes / 2)))
        Weights as :class:`TernaryCompress` gives them.
    i : In(stream.Signature(Beat(element, lanes)))
        A beat for each of ``flags``. What is not kept counts as zero.
    o : Out(stream.Signature(Beat(target, 1)))
        A packet of one element for each packet of ``flags``.
    status : Out(StructLayout({"uneven": 1, "mismatch": 1, "overflow": 1}))
        Sticky: beats that met did not have the same pairs, or the same ``last``, where that of
        ``flags`` counts; a packet had fewer values than flags, and zeros in their places, or more,
        and they were dropped; the sum up to a beat was out of range.

    Attributes
    ----------
    latency : ``min(stages, 2 * log2(lanes / 2) + 4) + min(stages, log2(lanes) + 2) + 8`` cycles
        From the last beat of ``flags`` to ``o``: two datapaths with queues, a buffer, and the sum.
    interval : 1 cycle
        One beat per cycle, at every density, which nothing could better.

    Notes
    -----
    ``flags.ready`` and ``values.ready`` depend on registers, and ``i.ready`` on these too.
    ``o.valid`` is that of a queue in which beats that end no packet are stepped over. Reset drops
    all beats, and the sum.

    There is no multiplier: a number is added, subtracted or left out. Of a pair without a flag both
    are left out, and nothing is read for it but its flag. The number of weights may be odd, for the
    one that is missing is zero. The sum is exact; of one that is out of range the result is that
    modulo its range. No sum of int8 is, of fewer than ``2**24`` elements. Golden model:
    :func:`sluice_sim.golden.ternary.ternary_dot`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    flags: stream.Interface
    values: stream.Interface
    i: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "format of the numbers that are summed", SOURCES),
        Choice("target", "format of the result", ("int32", "int16")),
        Int("lanes", "elements per beat, a power of two", 4, 64, power_of_two=True),
        Int("stages", "registers in each datapath", 0, 16, "cycles"),
    )

    def __init__(
        self,
        *,
        element: str = "int8",
        target: str = "int32",
        lanes: int = 16,
        stages: int = 16,
    ):
        self.check(element=element, target=target, lanes=lanes, stages=stages)
        self.element: str
        self.target: str
        self.lanes: int
        self.stages: int
        self.pairs = self.lanes // 2
        self.flags_beat = Beat(FORMATS["bit"], self.pairs)
        self.values_beat = Beat(VALUE, self.pairs)
        self.i_beat = Beat(FORMATS[self.element], self.lanes)
        self.o_beat = Beat(FORMATS[self.target], 1)
        self.expand = ExpandPairs(pairs=self.pairs, stages=self.stages)
        self.unit_latency = self.make_unit().latency
        self.pipeline = Pipeline(
            i_shape=data.StructLayout({"weights": self.expand.i_beat, "i": self.i_beat}),
            o_shape=data.StructLayout({"word": self.o_beat.element_width, "last": 1}),
            stages=self.unit_latency,
        )
        self.latency = self.expand.latency + self.pipeline.latency
        super().__init__(
            {
                "flags": In(stream.Signature(self.flags_beat)),
                "values": In(stream.Signature(self.values_beat)),
                "i": In(stream.Signature(self.i_beat)),
                "o": Out(stream.Signature(self.o_beat)),
                "status": Out(data.StructLayout({"uneven": 1, "mismatch": 1, "overflow": 1})),
            }
        )

    def make_unit(self) -> Any:
        """Return the datapath from weights to sums."""
        source = FORMATS[self.element]
        assert isinstance(source, Fixed)
        bits = FORMATS[self.target].width
        unit = TernaryDotUnit(source=source, target_bits=bits, lanes=self.lanes, stages=self.stages)
        unit._MustUse__silence = True
        return unit

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.expand, m.submodules.pipeline = expand, pipeline = self.expand, self.pipeline
        m.submodules.sum = unit = self.make_unit()
        # An item is two weights as the unit takes them: natural codes.
        expand.feed(m, self.flags, self.values, NATURAL)
        join(m, {"weights": expand.o, "i": self.i}, pipeline.i)
        weights, i = pipeline.entry.weights, pipeline.entry.i
        pairs = Cat(pair.replicate(2) for pair in weights.keep)
        m.d.comb += [
            unit.w.eq(Value.cast(weights.data)),
            unit.a.eq(Value.cast(i.data)),
            unit.keep.eq(i.keep & pairs),
            unit.valid.eq(pipeline.entry_valid),
            unit.last.eq(weights.last),
        ]
        result = pipeline.o.payload
        m.d.comb += [
            pipeline.result.word.eq(unit.o),
            pipeline.result.last.eq(delay(m, "last", weights.last, self.unit_latency)),
            self.o.valid.eq(pipeline.o.valid & result.last),
            pipeline.o.ready.eq(self.o.ready | ~result.last),
            Value.cast(self.o.payload).eq(Cat(result.word, 1, 1)),
            self.status.mismatch.eq(expand.status.mismatch),
        ]
        there = Cat(i.keep[k] for k in range(0, self.lanes, 2))
        uneven = Cat(there, i.last) != Cat(weights.keep, weights.last)
        with m.If(pipeline.entry_valid & uneven):
            m.d.sync += self.status.uneven.eq(1)
        with m.If(unit.overflow):
            m.d.sync += self.status.overflow.eq(1)
        return m
