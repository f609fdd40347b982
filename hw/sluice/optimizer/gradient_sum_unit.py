"""Sums of gradients, in a fixed order."""

from typing import Any

from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.add_unit import AddUnit
from sluice.arith.sum_pairs import sum_pairs
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
        words = [self.i.word_select(k, 32) for k in range(self.terms * self.lanes)]
        sums = [
            sum_pairs(m, words[k :: self.lanes], self._make, suffix=f"_{k}")
            for k in range(self.lanes)
        ]
        m.d.comb += self.o.eq(Cat(sums))
        return m
