"""Multiplication: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.arith.product import PRODUCT_STEPS, multiply
from sluice.arith.round import place_and_round, place_steps
from sluice.formats import Float

__all__ = ["MultiplyUnit"]


class MultiplyUnit(wiring.Component):
    """``a * b``, rounded to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Float
        Format of ``a`` and ``b``.
    target : Float
        Format of the result; its exponent has at least as many bits as the source's.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal operands count as zero, and so do results below the smallest normal number.

    Members
    -------
    a, b : In(source.width)
    o : Out(target.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.
    """

    a: Signal
    b: Signal
    o: Signal

    def __init__(self, *, source: Float, target: Float, stages: int, flush: bool = False):
        self.source, self.target, self.flush = source, target, flush
        self.product_bits = 2 * source.fraction_bits + 2
        self.width = max(self.product_bits, target.fraction_bits + 4)
        least = 2 * (source.min_exponent - source.fraction_bits)
        self.subnormal = not flush and least < target.min_exponent
        self.steps = PRODUCT_STEPS + place_steps(subnormal=self.subnormal)
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "b": In(source.width), "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target = self.source, self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        multiply(m, flow, self.a, self.b, source=source, target=target, flush=self.flush)
        flow.magnitude = Cat(Const(0, self.width - self.product_bits), flow.p_significand)
        flow.exponent = flow.p_exponent
        flow.sign, flow.nan, flow.infinity = flow.p_sign, flow.p_nan, flow.p_infinity
        place_and_round(flow, target, flush=self.flush, subnormal=self.subnormal)
        m.d.comb += self.o.eq(flow.result)
        return m
