"""Conversion to floating point: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import leading_zeros, unpack
from sluice.arith.flow import Flow
from sluice.arith.round import place_and_round, place_steps
from sluice.formats import Float, Format

__all__ = ["ConvertUnit"]


class ConvertUnit(wiring.Component):
    """``a`` in another format, rounded to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Format
        Format of ``a``: floating point, or an integer.
    target : Float
        Format of the result.
    stages : int
        Registers between operand and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal operands count as zero, and so do results below the smallest normal number.

    Members
    -------
    a : In(source.width)
    o : Out(target.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.
    """

    a: Signal
    o: Signal

    def __init__(self, *, source: Format, target: Float, stages: int, flush: bool = False):
        self.source, self.target, self.flush = source, target, flush
        smallest = 0
        if isinstance(source, Float):
            smallest = source.min_exponent - source.fraction_bits
        self.subnormal = not flush and smallest < target.min_exponent
        self.steps = 3 + place_steps(subnormal=self.subnormal)
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target = self.source, self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        flow.nan = flow.too_large = Const(0, 1)
        if isinstance(source, Float):
            a = unpack(self.a, source, flush=self.flush)
            flow.sign, flow.nan, flow.too_large = a.sign, a.is_nan, a.is_infinity
            flow.significand = a.significand
            # The exponent of the second bit.
            flow.top = a.exponent + (target.bias - source.bias - 1)
        else:
            flow.sign = self.a[-1]
            flow.significand = Mux(self.a[-1], -self.a, self.a)[: source.width]
            flow.top = Const(target.bias + source.width - 2)
        flow.step()

        flow.zeros = leading_zeros(flow.significand)
        flow.step()

        significand = (flow.significand << flow.zeros)[: len(flow.significand)]
        room = target.fraction_bits + 4 - len(significand)
        flow.magnitude = Cat(Const(0, max(0, room)), significand)
        exponent: Value = flow.top - flow.zeros
        infinity: Value = flow.too_large
        if isinstance(source, Float) and source.exponent_bits > target.exponent_bits:
            # What no exponent of the target comes near is held where it stays too large or small.
            limit = 1 << target.exponent_bits
            infinity = infinity | (exponent >= limit)
            exponent = Mux(exponent < -limit, -limit, exponent)
            exponent = exponent[: target.exponent_bits + 2].as_signed()
        flow.exponent, flow.infinity = exponent, infinity
        flow.step()
        place_and_round(flow, target, flush=self.flush, subnormal=self.subnormal)
        m.d.comb += self.o.eq(flow.result)
        return m
