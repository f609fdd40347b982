"""Square root: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import leading_zeros, unpack
from sluice.arith.flow import Flow
from sluice.arith.round import ROUND_STEPS, round_and_pack
from sluice.formats import Float

__all__ = ["SquareRootUnit"]


class SquareRootUnit(wiring.Component):
    """``sqrt(a)``, rounded to nearest even; a result per cycle, no handshake.

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
    Restoring recurrence, one bit of the root per step. No root is subnormal.
    """

    a: Signal
    o: Signal

    def __init__(self, *, source: Float, target: Float, stages: int, flush: bool = False):
        self.source, self.target, self.flush = source, target, flush
        # One bit below the fraction is to round by.
        self.digits = target.fraction_bits + 2
        self.steps = 2 + self.digits + ROUND_STEPS
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target = self.source, self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        a = unpack(self.a, source, flush=self.flush)
        flow.sign = a.sign
        flow.nan = a.is_nan | (a.sign & ~a.is_zero)
        flow.infinity = a.is_infinity
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
        # One less than the exponent field.
        flow.room = (power >> 1) + (target.bias - 1)
        flow.step()

        for k in range(self.digits):
            operand = flow.operand
            next_two = Cat(Const(0, max(0, 2 - len(operand))), operand[-2:])
            # Twice the root so far and one, against what remains of the operand so far.
            rest = Cat(next_two, flow.rest) if k else next_two
            trial = Cat(Const(1, 2), flow.root) if k else Const(1, 2)
            less = rest - trial
            digit = ~less[-1]
            # What remains is at most twice the root.
            flow.rest = Mux(digit, less, rest)[: k + 2]
            flow.root = Cat(digit, flow.root) if k else digit
            flow.operand = operand[:-2]
            flow.step()

        # Of an operand with many bits, some are still unused.
        flow.magnitude = Cat(flow.rest.any() | flow.operand.any(), flow.root)
        flow.shift = Const(0, 1)
        round_and_pack(flow, target, flush=self.flush)
        m.d.comb += self.o.eq(flow.result)
        return m
