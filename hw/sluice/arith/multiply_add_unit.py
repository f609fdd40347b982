"""Fused multiply-add: the datapath."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import unpack
from sluice.arith.flow import Flow, registers_before
from sluice.arith.product import PRODUCT_STEPS, multiply
from sluice.arith.round import RANDOM_STEPS
from sluice.arith.sum import Frame, add_and_round
from sluice.formats import Float

__all__ = ["MultiplyAddUnit"]


class MultiplyAddUnit(wiring.Component):
    """``a * b + c``, rounded once; a result per cycle, no handshake.

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
    gated : bool
        There is a port ``zero``.
    random_bits : int, 0..16
        Bits to round with stochastically; none rounds to nearest even.

    Members
    -------
    a, b : In(source.width)
    c : In(target.width)
    zero : In(1)
        With ``a`` and ``b``, of which only the signs count: the product is zero. There is such a
        port only if ``gated``.
    random : In(random_bits)
        ``random_lead`` cycles after ``a`` and ``b``. There is no such port without random bits.
    o : Out(target.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.

    Notes
    -----
    Subnormal factors are multiplied as they are, while their leading zeros are counted; the product
    is then brought to [1, 4). Where two subnormal factors make a product so small that only its
    sign can matter, one count serves for both.
    """

    a: Signal
    b: Signal
    c: Signal
    zero: Signal
    random: Signal
    o: Signal

    def __init__(
        self,
        *,
        source: Float,
        target: Float,
        stages: int,
        flush: bool = False,
        late: bool = False,
        gated: bool = False,
        random_bits: int = 0,
    ):
        self.source, self.target, self.flush, self.late = source, target, flush, late
        self.gated, self.random_bits = gated, random_bits
        self.frame = Frame(
            target, 2 * source.fraction_bits, target.fraction_bits, random_bits=random_bits
        )
        self.steps = PRODUCT_STEPS + 1 + self.frame.steps
        self.latency = min(stages, self.steps)
        self.lead = registers_before(PRODUCT_STEPS, steps=self.steps, stages=self.latency)
        self.random_lead = registers_before(
            self.steps - RANDOM_STEPS, steps=self.steps, stages=self.latency
        )
        ports: dict[str, Any] = {name: In(source.width) for name in "ab"}
        ports["c"] = In(target.width)
        if gated:
            ports["zero"] = In(1)
        if random_bits:
            ports["random"] = In(random_bits)
        super().__init__({**ports, "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target = self.source, self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        if not self.late:
            flow.c = self.c
        if self.gated:
            flow.zero = self.zero
        multiply(m, flow, self.a, self.b, source=source, target=target, flush=self.flush)
        if self.gated:
            # What the operands would have made of it is of no account.
            flow.p_zero = flow.p_zero | flow.zero
            flow.p_infinity = flow.p_infinity & ~flow.zero
            flow.p_nan = flow.p_nan & ~flow.zero
            flow.p_significand = Mux(flow.zero, 0, flow.p_significand)
        if self.late:
            flow.c = self.c
        c = unpack(flow.c, target, flush=self.flush)
        flow.c_sign, flow.c_exponent = c.sign, c.exponent
        flow.c_significand = Mux(c.is_zero, 0, c.significand) if self.flush else c.significand
        opposite = flow.p_infinity & c.is_infinity & (flow.p_sign ^ c.sign)
        flow.nan = flow.p_nan | c.is_nan | opposite
        flow.infinity = flow.p_infinity | c.is_infinity
        flow.infinity_sign = Mux(flow.p_infinity, flow.p_sign, c.sign)
        flow.step()
        random = self.random if self.random_bits else None
        add_and_round(flow, self.frame, flush=self.flush, random=random)
        m.d.comb += self.o.eq(flow.result)
        return m
