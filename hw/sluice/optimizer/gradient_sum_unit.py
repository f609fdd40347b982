"""Sums of gradients, in a fixed order."""

from typing import Any

from amaranth import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.add_unit import AddUnit
from sluice.delay import delay_line
from sluice.formats import FORMATS, Float

__all__ = ["GradientSumUnit"]

_FP32 = FORMATS["fp32"]
STAGES = 9


class GradientSumUnit(wiring.Component):
    """Sum numbers by a tree: neighbours first, each sum rounded to nearest even.

    A result per cycle, no handshake. Of an odd number the last one is added a level later.

    Parameters
    ----------
    terms, lanes : int
    flush : bool
        Subnormal numbers count as zero, and so do results below the smallest normal number.

    Members
    -------
    i : In(terms * lanes * 32)
        Lanes of the first term, of the second one, and so on, in fp32.
    o : Out(lanes * 32)
        ``latency`` cycles later.
    """

    i: Any
    o: Any

    def __init__(self, *, terms: int, lanes: int, flush: bool = False):
        self.terms, self.lanes, self.flush = terms, lanes, flush
        self.latency = (terms - 1).bit_length() * self._make().latency
        super().__init__({"i": In(terms * lanes * 32), "o": Out(lanes * 32)})

    def _make(self) -> AddUnit:
        assert isinstance(_FP32, Float)
        unit = AddUnit(source=_FP32, target=_FP32, stages=STAGES, flush=self.flush)
        unit._MustUse__silence = True
        return unit

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = 32 * self.lanes
        terms: list[Value] = [self.i.word_select(k, width) for k in range(self.terms)]
        level = 0
        while len(terms) > 1:
            pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
            terms = []
            for k, pair in enumerate(pairs):
                name = f"{level}_{k}"
                if len(pair) == 1:
                    terms.append(delay_line(m, f"alone_{name}", pair[0], self._make().latency))
                    continue
                sums: list[Value] = []
                for lane in range(self.lanes):
                    m.submodules[f"add_{name}_{lane}"] = unit = self._make()
                    a, b = (one.word_select(lane, 32) for one in pair)
                    m.d.comb += [unit.a.eq(a), unit.b.eq(b)]
                    sums.append(unit.o)
                terms.append(Cat(sums))
            level += 1
        m.d.comb += self.o.eq(terms[0])
        return m
