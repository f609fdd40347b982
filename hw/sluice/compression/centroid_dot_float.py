"""Dot products of floating-point numbers with weights that are indices into a table."""

from typing import Any

from amaranth import Const, Module, Mux, Value

from sluice.arith import MultiplyUnit
from sluice.arith.floats import FLOATS
from sluice.compression.gather_dot import GatherDot
from sluice.compression.gather_float_sums import (
    FP32,
    MINUS_ZERO,
    FloatSums,
    SumTimes,
    make_adder,
    widen,
    widen_latency,
)
from sluice.compression.lut_tables import TableLoader
from sluice.delay import delay, delay_line
from sluice.formats import Float, find_format
from sluice.params import Choice, Int

__all__ = ["CentroidDotFloat"]


class CentroidDotFloat(GatherDot):
    """Give ``sum(i * table[indices])`` over a packet, in fp32: gather, reduce, then multiply.

    Elements with the same index are summed first; each sum is multiplied with its centroid, once,
    and the products are summed. A centroid that no element has is not multiplied, whatever it is.

    Parameters
    ----------
    element : format
        Of ``i``: floating point.
    weight : format
        Of the centroids: floating point.
    lanes : int, 1..32
        Elements per beat.
    index_bits : int, 1..8
        Bits of an index; the table has ``2**index_bits`` centroids.
    phase_bits : int, 1..4
        An index has ``phases = 2**phase_bits`` sums in each lane, to which the beats of a packet go
        in turn. An addition has ``phases - 1`` cycles, 13 of which are of use: more phases make the
        clock faster, and the time longer that the indices of a packet take.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    indices : In(stream.Signature(Beat(uintB, lanes)))
        ``B = index_bits``; for every beat of ``i``, with the same ``keep`` and ``last``.
    table : In(stream.Signature(Beat(weight, 1)))
        A packet of all centroids. It is loaded, a centroid per cycle, when the packet that took the
        one before has ended.
    o : Out(stream.Signature(Beat(fp32, 1)))
        A packet of one number for each packet of ``i``.
    config : In(StructLayout({"fresh": 1}))
        Sampled at the first beat of ``i``: this packet waits for the next one of ``table``, and it
        and all behind it are multiplied with that; otherwise with the one in use.
    status : Out(StructLayout({"uneven": 1, "table": 1}))
        Sticky: beats that met had different ``keep`` or ``last``, of which those of ``i`` counted;
        a packet of ``table`` was too short or too long.

    Attributes
    ----------
    phases : int
    latency : int, cycles
        From the last beat of a packet with one centroid to its result; ``phases`` more for each
        other centroid that it has.
    interval : 1 cycle
        One beat per cycle, whatever indices repeat, which nothing could better, if packets have
        ``phases`` times as many beats as the ones before have centroids, and ``gap`` more. What
        follows others waits for these.
    gap : int, beats
        ``phases + 2``, but at most 16. Elements with another exponent than fp32 has are converted,
        which may take some cycles more.

    Notes
    -----
    ``ready`` of both streams depends on both ``valid`` and on ``config`` in the same cycle. There
    are as many multiplications per result as there are centroids among its indices.

    Every operation is one of fp32, rounded to nearest even, with subnormals, infinities and NaN as
    in IEEE 754; a NaN that goes out is the canonical one, positive. The order is always the same.
    Element ``l`` of beat ``n`` is added to sum ``(l, n % phases)`` of its index, which begins with
    -0. Then lanes are summed in pairs of neighbours, pairs of these, and so on, one without a
    neighbour going on as it is; and then phases, likewise. Products are added by ascending indices,
    beginning with the first one. A packet without an element gives +0.

    Sums are in two banks: while one is filled, those of the packet before are multiplied. After
    reset they are cleared, which takes ``2 * phases`` cycles for each index.

    Method: that of :class:`CentroidDot`, with partial sums that take turns while an addition is
    under way. Golden model: :func:`sluice_sim.golden.gather.centroid_dot_float`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    source: Float
    factor: Float
    interval = 1
    packets = 8

    PARAMETERS = (
        Choice("element", "number format of the elements", FLOATS),
        Choice("weight", "number format of the centroids", FLOATS),
        Int("lanes", "elements per beat", 1, 32),
        Int("index_bits", "bits of an index", 1, 8, "bits"),
        Int("phase_bits", "an index has 2**phase_bits sums in each lane", 1, 4),
    )

    def __init__(
        self,
        *,
        element: str = "bf16",
        weight: str = "bf16",
        lanes: int = 4,
        index_bits: int = 4,
        phase_bits: int = 3,
    ):
        self.check(
            element=element,
            weight=weight,
            lanes=lanes,
            index_bits=index_bits,
            phase_bits=phase_bits,
        )
        self.element: str
        self.weight: str
        self.lanes: int
        self.index_bits: int
        self.phase_bits: int
        source, factor = find_format(self.element), find_format(self.weight)
        assert isinstance(source, Float)
        assert isinstance(factor, Float)
        self.times = times = SumTimes(source, self.lanes, 1 << self.phase_bits)
        self.multiplier = MultiplyUnit(source=FP32, target=FP32, stages=9)
        self.multiplier._MustUse__silence = True  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
        self.products = self.multiplier.latency + 1 + times.adds
        self.promise(source, factor, FP32)
        self.promise_cycles(times.settles, times.reads, times.frees)

    def make_sums(self, m: Module) -> Any:
        return FloatSums(m, self.times, bits=self.index_bits + self.phase_bits)

    def multiply(
        self,
        m: Module,
        loader: TableLoader,
        unit: Any,
        found: Value,
        index: Value,
        flags: Any,
        changes: Value,
    ) -> Value:
        phases, factor = self.phases, self.factor
        centroid = self.centroid(m, loader, index, changes)
        centroid = widen(m, "widen_centroid", centroid, factor, phases)
        waits = unit.reads - 1 - widen_latency(factor, phases)
        m.submodules.multiplier = multiplier = self.multiplier
        m.d.comb += [
            multiplier.a.eq(found),
            multiplier.b.eq(delay_line(m, "centroid", centroid, waits)),
        ]
        # When the product is there, which is added in the cycle after that.
        late = 2 + unit.reads + multiplier.latency
        first, there = (delay(m, f"total_{n}", flags[n], late) for n in ("first", "any"))
        m.submodules.total = adder = make_adder(phases)
        # The sum of the products before this one.
        total = delay(m, "total", adder.o, phases - 1 - adder.latency)
        m.d.comb += [
            adder.a.eq(delay(m, "total_before", Mux(first, MINUS_ZERO, total), 1)),
            adder.b.eq(delay(m, "product", Mux(there, multiplier.o, Const(0, FP32.width)), 1)),
        ]
        return adder.o
