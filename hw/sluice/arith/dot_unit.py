"""Dot product: the datapath."""

from typing import Any

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import unpack
from sluice.arith.flow import Flow
from sluice.arith.products import add_products, products_steps, sum_width
from sluice.arith.round import shift_up, up_steps
from sluice.arith.sum import Frame, add_and_round
from sluice.formats import Float

__all__ = ["DotUnit"]


class DotUnit(wiring.Component):
    """``sum(a * b) + c``, rounded once to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Float
        Format of the factors.
    target : Float
        Format of ``c`` and of the result; its exponent has at least as many bits as the source's.
    terms : int
        Products per result.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal operands count as zero, and so do results below the smallest normal number.

    Members
    -------
    a, b : In(source.width * terms)
        The first factor in the low bits.
    c : In(target.width)
    o : Out(target.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.

    Attributes
    ----------
    width : int
        Bits of the largest magnitude of the sum of the products, in units of the smallest product.

    Notes
    -----
    The products are summed in fixed point, with all bits there are; only the sum of that with ``c``
    is rounded.
    """

    a: Signal
    b: Signal
    c: Signal
    o: Signal

    def __init__(
        self, *, source: Float, target: Float, terms: int, stages: int, flush: bool = False
    ):
        self.source, self.target, self.terms, self.flush = source, target, terms, flush
        self.width = sum_width((source, source), terms)
        self.frame = Frame(target, self.width - 1, target.fraction_bits, headroom=1)
        normalise = up_steps(self.width)
        self.steps = products_steps(terms) + 1 + normalise + 1 + self.frame.steps
        self.latency = min(stages, self.steps)
        size = source.width * terms
        super().__init__(
            {"a": In(size), "b": In(size), "c": In(target.width), "o": Out(target.width)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        target = self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        flow.c = self.c
        add_products(
            m,
            flow,
            self.a,
            self.b,
            formats=(self.source, self.source),
            terms=self.terms,
            width=self.width,
            flush=self.flush,
        )
        self._normalise(flow)

        c = unpack(flow.c, target, flush=self.flush)
        flow.c_sign, flow.c_exponent, flow.c_significand = c.sign, c.exponent, c.significand
        infinity = flow.up | flow.down
        opposite = (flow.up & c.is_infinity & c.sign) | (flow.down & c.is_infinity & ~c.sign)
        flow.nan = flow.any_nan | (flow.up & flow.down) | c.is_nan | opposite
        flow.infinity = infinity | c.is_infinity
        flow.infinity_sign = Mux(infinity, flow.down, c.sign)
        flow.step()
        add_and_round(flow, self.frame, flush=self.flush)
        m.d.comb += self.o.eq(flow.result)
        return m

    def _normalise(self, flow: Any) -> None:
        """Set what :func:`add_and_round` asks of a product."""
        negative = flow.total[-1]
        flow.magnitude = Mux(negative, -flow.total, flow.total)[: self.width]
        flow.p_zero = ~flow.total.any()
        flow.p_sign = Mux(flow.p_zero, flow.all_negative, negative)
        flow.step()

        shift_up(flow)
        flow.p_significand = flow.magnitude
        lowest = 2 * (self.source.min_exponent - self.source.fraction_bits)
        flow.p_exponent = Const(lowest + self.width - 1 + self.target.bias) - flow.zeros
