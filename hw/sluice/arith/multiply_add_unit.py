"""Fused multiply-add: the datapath."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import leading_zeros, unpack
from sluice.arith.flow import Flow, registers_before
from sluice.arith.multiplier import Multiplier
from sluice.arith.sum import Frame, add_and_round
from sluice.formats import Float

__all__ = ["MultiplyAddUnit"]


class MultiplyAddUnit(wiring.Component):
    """``a * b + c``, rounded once to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Float
        Format of ``a`` and ``b``.
    target : Float
        Format of ``c`` and of the result; its exponent has at least as many bits as the source's.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal operands count as zero, and so do results below the smallest normal number.
    late : bool
        ``c`` comes ``lead`` cycles after ``a`` and ``b``, when the product is there: a chain of
        units then loses only ``latency - lead`` cycles from one to the next.

    Members
    -------
    a, b : In(source.width)
    c : In(target.width)
    o : Out(target.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.

    Notes
    -----
    Subnormal factors are multiplied as they are, while their leading zeros are counted; the product
    is then brought to [1, 4). Where two subnormal factors make a product so small that only its
    sign can matter, one count serves for both.
    """

    # One that is made only to be asked for its latency is no mistake.
    _MustUse__silence = True
    a: Signal
    b: Signal
    c: Signal
    o: Signal

    def __init__(
        self,
        *,
        source: Float,
        target: Float,
        stages: int,
        flush: bool = False,
        late: bool = False,
    ):
        self.source, self.target, self.flush, self.late = source, target, flush, late
        self.frame = Frame(target, 2 * source.fraction_bits)
        self.steps = 4 + self.frame.steps
        self.latency = min(stages, self.steps)
        self.lead = registers_before(3, steps=self.steps, stages=self.latency)
        super().__init__(
            {
                "a": In(source.width),
                "b": In(source.width),
                "c": In(target.width),
                "o": Out(target.width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target = self.source, self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        a = unpack(self.a, source, flush=self.flush)
        b = unpack(self.b, source, flush=self.flush)
        bits = source.fraction_bits + 1
        m.submodules.multiplier = multiplier = Multiplier(
            a_width=bits, b_width=bits, signed=False, stages=flow.registers(3)
        )
        m.d.comb += [multiplier.a.eq(a.significand), multiplier.b.eq(b.significand)]

        # What the operands are, while the multiplier works.
        if not self.late:
            flow.c = self.c
        flow.a_exponent, flow.b_exponent = a.exponent, b.exponent
        flow.a_zeros = Mux(a.is_subnormal, leading_zeros(a.significand), 0)
        flow.b_zeros = Mux(b.is_subnormal, leading_zeros(b.significand), 0)
        flow.p_sign = a.sign ^ b.sign
        flow.p_zero = a.is_zero | b.is_zero
        flow.p_infinity = a.is_infinity | b.is_infinity
        flow.p_nan = a.is_nan | b.is_nan | (a.is_infinity & b.is_zero) | (a.is_zero & b.is_infinity)
        flow.step()

        alone = 2 * source.min_exponent <= target.min_exponent - target.fraction_bits - 3
        flow.exponents = flow.a_exponent + flow.b_exponent
        flow.zeros = flow.a_zeros | flow.b_zeros if alone else flow.a_zeros + flow.b_zeros
        flow.step()

        bias = target.bias - 2 * source.bias
        flow.p_exponent = flow.exponents + bias - flow.zeros
        flow.step()

        if self.late:
            flow.c = self.c
        c = unpack(flow.c, target, flush=self.flush)
        flow.c_sign, flow.c_exponent = c.sign, c.exponent
        flow.c_significand = Mux(c.is_zero, 0, c.significand) if self.flush else c.significand
        opposite = flow.p_infinity & c.is_infinity & (flow.p_sign ^ c.sign)
        flow.nan = flow.p_nan | c.is_nan | opposite
        flow.infinity = flow.p_infinity | c.is_infinity
        flow.infinity_sign = Mux(flow.p_infinity, flow.p_sign, c.sign)
        if self.flush:
            flow.p_significand = Mux(flow.p_zero, 0, multiplier.p)
        else:
            flow.p_significand = (multiplier.p << flow.zeros)[: 2 * bits]
        flow.step()
        add_and_round(flow, self.frame, flush=self.flush)
        m.d.comb += self.o.eq(flow.result)
        return m
