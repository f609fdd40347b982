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
    """X."""

    source: Float
    factor: Float
    interval = 1
    packets = 8

    PARAMETERS = (
        Choice("element", "number format of the elements", FLOATS),
        Choice("weight", "number format of the centroids", FLOATS),
        Int("lanes", "elements per beat", 1, 32),
        Int("index_bits", "bits of an index", 1, 8, "bits"),
        Int("phase_bits", "an index has 2**phase_bits sums in each lane", 2, 4),
    )

    def __init__(
        self,
        *,
        element: str = "bf16",
        weight: str = "bf16",
        lanes: int = 8,
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
