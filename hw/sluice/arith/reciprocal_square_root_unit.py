"""Reciprocal square root: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import leading_zeros, unpack
from sluice.arith.flow import Flow
from sluice.arith.round import place_and_round, place_steps
from sluice.formats import Float

__all__ = ["ReciprocalSquareRootUnit"]


class ReciprocalSquareRootUnit(wiring.Component):
    """``1 / sqrt(a)``, rounded to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Float
        Format of ``a``.
    target : Float
        Format of the result; its exponent has at least as many bits as the source's.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal operands count as zero, and so do results below the smallest normal number.

    Members
    -------
    a : In(source.width)
    o : Out(target.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.

    Notes
    -----
    Restoring recurrence, one bit of the result per step. No result is subnormal.
    """

    a: Signal
    o: Signal

    def __init__(self, *, source: Float, target: Float, stages: int, flush: bool = False):
        self.source, self.target, self.flush = source, target, flush
        # A result is above 1/2: its leading one may be its second bit. One bit is to round by.
        self.digits = target.fraction_bits + 3
        self.steps = 2 + self.digits + place_steps(subnormal=False)
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target = self.source, self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        a = unpack(self.a, source, flush=self.flush)
        flow.sign = a.sign
        flow.nan = a.is_nan | (a.sign & ~a.is_zero)
        flow.infinity = a.is_zero
        flow.is_infinity = a.is_infinity
        flow.exponent_in = a.exponent
        flow.significand = a.significand
        if not self.flush:
            flow.zeros = leading_zeros(a.significand)
        flow.step()

        significand, power = flow.significand, flow.exponent_in - source.bias
        if not self.flush:
            significand = (significand << flow.zeros)[: source.fraction_bits + 1]
            power = power - flow.zeros
        # The operand is in [1, 4) times an even power of two.
        operand = Mux(power[0], Cat(Const(0, 1), significand), Cat(significand, Const(0, 1)))
        flow.operand = operand
        # The exponent of the result's second bit.
        flow.exponent = (target.bias - 1) - (power >> 1)
        flow.step()

        # Bit k of the result has the weight 2**-k, and what is compared 2**-k to scale by and k
        # bits more behind the point: each step doubles the sum and quadruples what remains.
        point = source.fraction_bits
        flow.sum = flow.operand
        flow.triple = (flow.operand << 1) + flow.operand
        flow.rest = Const(1 << point, point + 1)
        for k in range(self.digits):
            width = point + k + 4
            less = flow.rest - flow.sum
            digit = ~less[-1]
            # The sum is the operand at first, and five times that one adder.
            high = (flow.sum << 1) + flow.triple if k else (flow.sum << 2) + flow.sum
            low = (flow.sum << 1) - flow.operand
            flow.sum = Mux(digit, high, low)[:width]
            flow.rest = Cat(Const(0, 2), Mux(digit, less, flow.rest)[: width - 1])
            flow.result_bits = Cat(digit, flow.result_bits) if k else digit
            flow.step()

        magnitude = Cat(flow.rest.any(), flow.result_bits)
        flow.magnitude = Mux(flow.is_infinity, 0, magnitude)
        place_and_round(flow, target, flush=self.flush, subnormal=False)
        m.d.comb += self.o.eq(flow.result)
        return m
