"""Addition: the datapath."""

from typing import Any

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import unpack
from sluice.arith.flow import Flow
from sluice.arith.sum import Frame, add_and_round
from sluice.formats import Float

__all__ = ["AddUnit"]


class AddUnit(wiring.Component):
    """``a + b`` or ``a - b``, rounded to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Float
        Format of ``a`` and ``b``.
    target : Float
        Format of the result; its exponent has at least as many bits as the source's.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.
    subtract : bool
        The sign of ``b`` is turned.
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

    def __init__(
        self,
        *,
        source: Float,
        target: Float,
        stages: int,
        subtract: bool = False,
        flush: bool = False,
    ):
        self.source, self.target = source, target
        self.subtract, self.flush = subtract, flush
        self.frame = Frame(target, source.fraction_bits, source.fraction_bits, headroom=1)
        self.steps = 1 + self.frame.steps
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "b": In(source.width), "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        a = unpack(self.a, self.source, flush=self.flush)
        b = unpack(self.b, self.source, flush=self.flush)
        b_sign = ~b.sign if self.subtract else b.sign
        # Both have the same smallest exponent, with which alone they may lack the leading one.
        bias = self.target.bias - self.source.bias
        flow.p_sign, flow.p_exponent, flow.p_significand = a.sign, a.exponent + bias, a.significand
        flow.c_sign, flow.c_exponent, flow.c_significand = b_sign, b.exponent + bias, b.significand
        flow.p_zero = Const(0, 1)
        opposite = a.is_infinity & b.is_infinity & (a.sign ^ b_sign)
        flow.nan = a.is_nan | b.is_nan | opposite
        flow.infinity = a.is_infinity | b.is_infinity
        flow.infinity_sign = Mux(a.is_infinity, a.sign, b_sign)
        flow.step()
        add_and_round(flow, self.frame, flush=self.flush)
        m.d.comb += self.o.eq(flow.result)
        return m
