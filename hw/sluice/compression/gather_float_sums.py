"""Sums of the floating-point elements of each index, in two banks of memories of each lane."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amaranth import Cat, Const, Module, Mux, Value

from sluice.arith import AddUnit, ConvertUnit
from sluice.arith.sum_pairs import sum_pairs
from sluice.delay import delay, delay_line
from sluice.formats import FORMATS, Float
from sluice.store import Store

__all__ = ["FP32", "MINUS_ZERO", "FloatSums", "SumTimes", "make_adder", "widen", "widen_latency"]

_FP32 = FORMATS["fp32"]
assert isinstance(_FP32, Float)
FP32: Float = _FP32
# What changes no number that it is added to, and no zero either.
MINUS_ZERO = 1 << FP32.width - 1


def make_adder(phases: int) -> AddUnit:
    """Return an adder; a sum and a register before it take as many cycles as there are phases."""
    return AddUnit(source=FP32, target=FP32, stages=phases - 1)


def _converter(number: Float, phases: int) -> ConvertUnit:
    return ConvertUnit(source=number, target=FP32, stages=phases - 1)


def widen_latency(number: Float, phases: int) -> int:
    """Return the cycles that :func:`widen` takes."""
    if number.exponent_bits == FP32.exponent_bits:
        return 0
    unit = _converter(number, phases)
    unit._MustUse__silence = True  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
    return unit.latency


def widen(m: Module, name: str, word: Value, number: Float, phases: int) -> Value:
    """Return a word of another format in fp32, which is exact."""
    if number.exponent_bits == FP32.exponent_bits:
        return Cat(Const(0, FP32.fraction_bits - number.fraction_bits), word)
    m.submodules[name] = unit = _converter(number, phases)
    m.d.comb += unit.a.eq(word)
    return unit.o


@dataclass(frozen=True)
class SumTimes:
    """Cycles of :class:`FloatSums`.

    Attributes
    ----------
    source : Float
        Of the elements.
    lanes : int
    phases : int, a power of two, at least 2
        Sums of an index in each lane.
    """

    source: Float
    lanes: int
    phases: int

    @cached_property
    def adds(self) -> int:
        """Of an adder."""
        unit = make_adder(self.phases)
        unit._MustUse__silence = True  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
        return unit.latency

    @cached_property
    def widens(self) -> int:
        return widen_latency(self.source, self.phases)

    @property
    def written(self) -> int:
        """From when a sum is read until the new one is written: two to read, and the adder."""
        return 2 + self.adds

    @property
    def settles(self) -> int:
        return max(0, self.widens + self.written - 3)

    @property
    def frees(self) -> int:
        return max(0, 2 - self.widens)

    @property
    def reads(self) -> int:
        """From when the last phase is read to the sum of all lanes, and then of all phases."""
        levels = (self.lanes - 1).bit_length() + (self.phases - 1).bit_length()
        return 2 + levels * self.adds


class FloatSums:
    """A memory of sums by index and phase for each lane and bank, and an adder for each lane.

    A sum is back in its memory when its phase comes again, but for two cycles, in which it is given
    on. Sums begin with -0. A sum that is read is cleared in the cycle after that. The lanes of a
    phase are summed in pairs, and then the phases.

    Parameters
    ----------
    m : Module
    times : SumTimes
    bits : int
        Of an index with the number of the phase, which is below.

    Attributes
    ----------
    settles, reads, frees : int, cycles
        As those of :class:`sluice.compression.gather_sums.BinSums`; an index is read for as many
        cycles as there are phases, in their order, and ``reads`` is from the last one.
    """

    def __init__(self, m: Module, times: SumTimes, *, bits: int):
        self.m, self.times = m, times
        self.settles, self.reads, self.frees = times.settles, times.reads, times.frees
        self.stores = [
            [Store(m, f"sums_{k}_{b}", shape=FP32.width, depth=1 << bits) for b in range(2)]
            for k in range(times.lanes)
        ]

    def connect(
        self,
        beat: list[tuple[Value, Value, Value]],
        bank: Value,
        begins: Value,
        one: Value,
        index: Value,
        drained: Value,
        clears: Value,
    ) -> Value:
        """Add a beat; return the sum of an index; see ``connect`` of ``BinSums``."""
        m, times = self.m, self.times
        at_2, clears_2 = delay(m, "clear_at", index, 1), delay(m, "clears", clears, 1, reset=True)
        drained_2 = delay(m, "clear_bank", drained, 1)
        found: list[Value] = []
        for k, (word, at, counts) in enumerate(beat):
            element = widen(m, f"widen_{k}", word, times.source, times.phases)
            lane = delay(m, f"lane_{k}", Cat(at, bank), times.widens)
            counts = delay(m, f"counts_{k}", counts, times.widens, reset=True)
            total, to, writes = self._add(k, element, lane, counts)
            stores = self.stores[k]
            for b, store in enumerate(stores):
                mine = writes & (to[-1] == b)
                m.d.comb += [
                    store.at.eq(Mux(counts & (lane[-1] == b), lane[:-1], index)),
                    store.write.en.eq(mine | (clears_2 & (drained_2 == b))),
                    store.write.addr.eq(Mux(mine, to[:-1], at_2)),
                    store.write.data.eq(Mux(mine, total, MINUS_ZERO)),
                ]
            word = Mux(drained_2, stores[1].o, stores[0].o)
            found.append(delay(m, f"found_{k}", word, 1))
        lanes = sum_pairs(m, found, lambda: make_adder(times.phases))
        return self._sum_phases(lanes)

    def _add(self, k: int, element: Value, lane: Value, counts: Value) -> tuple[Any, Any, Value]:
        """Return a sum with an element, the place in which it is, and whether it is any."""
        m, times = self.m, self.times
        m.submodules[f"adder_{k}"] = adder = make_adder(times.phases)
        # By their age.
        places, some = [lane], [counts]
        for age in range(1, times.written + 1):
            places.append(delay(m, f"place_{k}_{age}", places[-1], 1))
            some.append(delay(m, f"some_{k}_{age}", some[-1], 1, reset=True))
        late = delay(m, f"place_{k}_bank", lane[-1], 1)
        before: Value = Mux(late, self.stores[k][1].o, self.stores[k][0].o)
        # What was not in the memory yet when it was read, the youngest last.
        for age in reversed(range(times.phases, times.written + 1)):
            same = delay(m, f"same_{k}_{age}", some[age] & (lane == places[age]), 1)
            given = delay(m, f"given_{k}_{age}", adder.o, age - times.adds - 1)
            before = Mux(same, given, before)
        m.d.comb += [
            adder.a.eq(delay(m, f"before_{k}", before, 1)),
            adder.b.eq(delay(m, f"element_{k}", element, 2)),
        ]
        return adder.o, places[-1], some[-1]

    def _sum_phases(self, value: Value) -> Value:
        """Return the sum of the phases, in pairs; each comes a cycle after the one before."""
        m, phases = self.m, self.times.phases
        for level in range((phases - 1).bit_length()):
            m.submodules[f"phases_{level}"] = adder = make_adder(phases)
            m.d.comb += [
                adder.a.eq(delay_line(m, f"phase_{level}", value, 1 << level)),
                adder.b.eq(value),
            ]
            value = adder.o
        return value
