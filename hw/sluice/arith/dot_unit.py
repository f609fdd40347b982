"""Dot product: the datapath."""

from typing import Any

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import unpack
from sluice.arith.flow import Flow
from sluice.arith.products import add_products, products_steps, sum_unit, sum_width
from sluice.arith.round import fixed_steps, round_fixed, shift_up, up_steps
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
    fixed : bool
        ``c`` is a term of the sum like the products. That is so where the sum does not get twice as
        wide by it.
    width : int
        Bits of the largest magnitude of the sum, in units of the smallest term.

    Notes
    -----
    The products are summed in fixed point, with all bits there are. Where ``c`` is none of the
    terms, this sum is brought to floating point and added to ``c``, which alone is rounded.
    """

    a: Signal
    b: Signal
    c: Signal
    o: Signal

    def __init__(
        self, *, source: Float, target: Float, terms: int, stages: int, flush: bool = False
    ):
        self.source, self.target, self.terms, self.flush = source, target, terms, flush
        self.formats = source, source
        products, both = (sum_width(self.formats, terms, c) for c in (None, target))
        self.fixed = both < 2 * products
        if self.fixed:
            self.width, self.lowest = both, sum_unit(self.formats, target)
            self.subnormal = not flush and self.lowest < target.min_exponent
            after = fixed_steps(both, subnormal=self.subnormal)
        else:
            self.width, self.lowest = products, sum_unit(self.formats)
            self.frame = Frame(target, self.width - 1, target.fraction_bits, headroom=1)
            after = up_steps(self.width) + 1 + self.frame.steps
        self.steps = products_steps(terms + self.fixed) + 1 + after
        self.latency = min(stages, self.steps)
        size = source.width * terms
        super().__init__(
            {"a": In(size), "b": In(size), "c": In(target.width), "o": Out(target.width)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        if not self.fixed:
            flow.c = self.c
        add_products(
            m,
            flow,
            self.a,
            self.b,
            formats=self.formats,
            terms=self.terms,
            width=self.width,
            flush=self.flush,
            addend=(self.c, self.target) if self.fixed else None,
        )
        negative = flow.total[-1]
        flow.magnitude = Mux(negative, -flow.total, flow.total)[: self.width]
        if self.fixed:
            self._round(flow)
        else:
            self._add(flow)
        m.d.comb += self.o.eq(flow.result)
        return m

    def _round(self, flow: Any) -> None:
        """Set ``flow.result`` to the sum, rounded."""
        flow.endless = flow.up | flow.down
        # Where all are negative, a zero is, and any other sum is in any case.
        flow.sign = Mux(flow.endless, flow.down, flow.total[-1] | flow.all_negative)
        flow.nan = flow.any_nan | (flow.up & flow.down)
        flow.step()
        round_fixed(
            flow, self.target, lowest=self.lowest, flush=self.flush, subnormal=self.subnormal
        )

    def _add(self, flow: Any) -> None:
        """Set ``flow.result`` to the sum and ``c``, rounded."""
        target = self.target
        flow.p_zero = ~flow.total.any()
        flow.p_sign = Mux(flow.p_zero, flow.all_negative, flow.total[-1])
        flow.step()

        shift_up(flow)
        flow.p_significand = flow.magnitude
        flow.p_exponent = Const(self.lowest + self.width - 1 + target.bias) - flow.zeros
        c = unpack(flow.c, target, flush=self.flush)
        flow.c_sign, flow.c_exponent, flow.c_significand = c.sign, c.exponent, c.significand
        infinity = flow.up | flow.down
        opposite = (flow.up & c.is_infinity & c.sign) | (flow.down & c.is_infinity & ~c.sign)
        flow.nan = flow.any_nan | (flow.up & flow.down) | c.is_nan | opposite
        flow.infinity = infinity | c.is_infinity
        flow.infinity_sign = Mux(infinity, flow.down, c.sign)
        flow.step()
        add_and_round(flow, self.frame, flush=self.flush)
