"""Division: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import leading_zeros, unpack
from sluice.arith.flow import Flow
from sluice.arith.round import place_and_round, place_steps
from sluice.formats import Float

__all__ = ["DivideUnit"]


class DivideUnit(wiring.Component):
    """``a / b``, rounded to nearest even; a result per cycle, no handshake.

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

    Notes
    -----
    Restoring division, one bit of the quotient per step.
    """

    a: Signal
    b: Signal
    o: Signal

    def __init__(self, *, source: Float, target: Float, stages: int, flush: bool = False):
        self.source, self.target, self.flush = source, target, flush
        # A quotient is above 1/2: its leading one may be its second bit. One bit is to round by.
        self.digits = target.fraction_bits + 3
        least = source.min_exponent - source.fraction_bits - source.bias - 2
        self.subnormal = not flush and least < target.min_exponent
        self.steps = 2 + self.digits + place_steps(subnormal=self.subnormal)
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "b": In(source.width), "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target = self.source, self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        a = unpack(self.a, source, flush=self.flush)
        b = unpack(self.b, source, flush=self.flush)
        bits = source.fraction_bits + 1
        flow.sign = a.sign ^ b.sign
        flow.infinity = a.is_infinity | b.is_zero
        both = (a.is_infinity & b.is_infinity) | (a.is_zero & b.is_zero)
        flow.nan = a.is_nan | b.is_nan | both
        flow.difference = a.exponent - b.exponent
        flow.rest = Mux(b.is_infinity, 0, a.significand)
        flow.divisor = b.significand
        if not self.flush:
            flow.a_zeros, flow.b_zeros = (leading_zeros(x.significand) for x in (a, b))
        flow.step()

        # The exponent of the quotient's second bit.
        flow.exponent = flow.difference + (target.bias - 1)
        if not self.flush:
            flow.exponent = flow.exponent + (flow.b_zeros - flow.a_zeros)
            flow.rest = (flow.rest << flow.a_zeros)[:bits]
            flow.divisor = (flow.divisor << flow.b_zeros)[:bits]
        flow.step()

        for k in range(self.digits):
            less = flow.rest - flow.divisor
            rest = Mux(less[-1], flow.rest, less)[:bits]
            digit = ~less[-1]
            flow.quotient = Cat(digit, flow.quotient) if k else digit
            flow.rest = Cat(Const(0, 1), rest)
            flow.step()

        flow.magnitude = Cat(flow.rest.any(), flow.quotient)
        place_and_round(flow, target, flush=self.flush, subnormal=self.subnormal)
        m.d.comb += self.o.eq(flow.result)
        return m
