"""Comparison: the datapath."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.arith.order import ORDER_STEPS, order
from sluice.formats import Format

__all__ = ["CompareUnit"]


class CompareUnit(wiring.Component):
    """Whether ``a`` is less than, equal to or greater than ``b``, or unordered.

    A result per cycle, no handshake.

    Parameters
    ----------
    source : Format
        Format of ``a`` and ``b``.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal numbers count as zero.

    Members
    -------
    a, b : In(source.width)
    o : Out(4)
        ``latency`` cycles later: these four, from the low bit up, one of them set.
    """

    a: Signal
    b: Signal
    o: Signal

    def __init__(self, *, source: Format, stages: int, flush: bool = False):
        self.source, self.flush = source, flush
        self.steps = ORDER_STEPS + 1
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "b": In(source.width), "o": Out(4)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        order(flow, self.a, self.b, self.source, flush=self.flush)
        unordered = flow.a_nan | flow.b_nan
        greater = ~(flow.less | flow.equal)
        found = Cat(flow.less, flow.equal, greater) & (~unordered).replicate(3)
        flow.result = Cat(found, unordered)
        flow.step()
        m.d.comb += self.o.eq(flow.result)
        return m
