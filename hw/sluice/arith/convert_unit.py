"""Conversion to floating point: the datapath."""

from fractions import Fraction
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import unpack
from sluice.arith.flow import Flow
from sluice.arith.round import hold_exponent, place_and_round, place_steps, shift_up, up_steps
from sluice.formats import Fixed, Float

__all__ = ["SCALE_BITS", "ConvertUnit"]

# E8M0 of OCP MX.
SCALE_BITS, SCALE_BIAS = 8, 127


class ConvertUnit(wiring.Component):
    """``a`` in another format, rounded to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Format
        Format of ``a``: floating point, or signed fixed point.
    target : Float
        Format of the result.
    stages : int
        Registers between operand and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal operands count as zero, and so do results below the smallest normal number.

    scale : {"", "multiply", "divide"}
        By the power of two on the port ``scale``.
    saturate : bool
        Overflow and infinity give the largest finite number.

    Members
    -------
    a : In(source.width)
    scale : In(8)
        In E8M0: ``2**(scale - 127)``, and NaN for 255. There is no such port without one.
    o : Out(target.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.
    """

    a: Signal
    scale: Signal
    o: Signal

    def __init__(
        self,
        *,
        source: Float | Fixed,
        target: Float,
        stages: int,
        flush: bool = False,
        scale: str = "",
        saturate: bool = False,
    ):
        self.source, self.target, self.flush = source, target, flush
        self.scales, self.saturate = scale, saturate
        smallest = -source.fraction_bits
        self.bits = source.width
        if isinstance(source, Float):
            smallest += source.min_exponent
            self.bits = source.fraction_bits + 1
        self.subnormal = not flush and (smallest < target.min_exponent or bool(scale))
        self.steps = 1 + up_steps(self.bits) + 1 + place_steps(subnormal=self.subnormal)
        self.latency = min(stages, self.steps)
        members = {"a": In(source.width)} | ({"scale": In(SCALE_BITS)} if scale else {})
        super().__init__({**members, "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target = self.source, self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        flow.nan = flow.too_large = Const(0, 1)
        if isinstance(source, Float):
            a = unpack(self.a, source, flush=self.flush)
            flow.sign, flow.nan, flow.too_large = a.sign, a.is_nan, a.is_infinity
            flow.magnitude = a.significand
            # The exponent of the second bit.
            flow.top = a.exponent + (target.bias - source.bias - 1)
            highest, lowest = source.max, source.smallest
        else:
            flow.sign = self.a[-1]
            flow.magnitude = Mux(self.a[-1], -self.a, self.a)[: source.width]
            flow.top = Const(target.bias + source.width - 2 - source.fraction_bits, signed(12))
            highest, lowest = source.max, Fraction(1, 1 << source.fraction_bits)
        if self.scales:
            by: Value = self.scale - SCALE_BIAS
            flow.top = flow.top + by if self.scales == "multiply" else flow.top - by
            flow.nan = flow.nan | self.scale.all()
        flow.step()

        shift_up(flow)
        significand = flow.magnitude
        room = target.fraction_bits + 4 - len(significand)
        flow.magnitude = Cat(Const(0, max(0, room)), significand)
        exponent: Value = flow.top - flow.zeros
        infinity: Value = flow.too_large
        if self.scales or highest > 2 * target.max or lowest < target.smallest / 2:
            exponent, beyond = hold_exponent(exponent, target)
            infinity = infinity | beyond
        flow.exponent, flow.infinity = exponent, infinity
        flow.step()
        place_and_round(
            flow, target, flush=self.flush, subnormal=self.subnormal, saturate=self.saturate
        )
        m.d.comb += self.o.eq(flow.result)
        return m
