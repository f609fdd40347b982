"""Exact accumulation: the datapath."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow, registers_before
from sluice.arith.products import add_products, products_steps, sum_unit, sum_width
from sluice.arith.round import fixed_steps, round_fixed
from sluice.delay import delay
from sluice.formats import Float

__all__ = ["AccumulateExactUnit"]


class AccumulateExactUnit(wiring.Component):
    """The sum of all products of a packet, rounded once to nearest even; no handshake.

    Parameters
    ----------
    source, other : Float
        Formats of ``a`` and of ``b``.
    target : Float
        Format of the result.
    lanes : int
        Products per cycle.
    terms : int
        Products of a packet that the sum holds whatever they are.
    stages : int
        Registers besides the sum's own; as many as there are steps to cut if those are fewer.

    Members
    -------
    a : In(source.width * lanes)
    b : In(other.width * lanes)
        The first factor in the low bits.
    keep : In(lanes)
        Products that count.
    valid : In(1)
        There are products.
    last : In(1)
        They are the last ones of the packet.
    o : Out(target.width)
        ``latency`` cycles after the last products. A NaN is the canonical one, positive.
    overflow : Out(1)
        The sum has left its range, in any cycle.

    Attributes
    ----------
    width : int
        Bits of the sum, in two's complement.
    """

    a: Signal
    b: Signal
    keep: Signal
    valid: Signal
    last: Signal
    o: Signal
    overflow: Signal

    def __init__(
        self,
        *,
        source: Float,
        other: Float,
        target: Float,
        lanes: int,
        terms: int,
        stages: int,
    ):
        self.formats, self.target, self.lanes = (source, other), target, lanes
        self.width = sum_width(self.formats, max(terms, lanes)) + 1
        self.lowest = sum_unit(self.formats)
        self.subnormal = self.lowest < target.min_exponent
        self.front = products_steps(lanes)
        self.steps = self.front + 1 + fixed_steps(self.width, subnormal=self.subnormal)
        stages = min(stages, self.steps)
        self.front_stages = registers_before(self.front, steps=self.steps, stages=stages)
        self.back_stages = stages - self.front_stages
        self.latency = stages + 1
        super().__init__(
            {
                "a": In(source.width * lanes),
                "b": In(other.width * lanes),
                "keep": In(lanes),
                "valid": In(1),
                "last": In(1),
                "o": Out(target.width),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flow: Any = Flow(m, steps=self.front, stages=self.front_stages)
        flow.last = self.last
        # With a reset, for what is on the way then must not become part of a sum.
        self.arrives = delay(m, "valid", self.valid, self.front_stages, reset=True)
        words: list[Value] = []
        for word, number in zip((self.a, self.b), self.formats, strict=True):
            kept = Cat(bit.replicate(number.width) for bit in self.keep)
            words.append((word & kept)[: len(word)])
        add_products(
            m,
            flow,
            words[0],
            words[1],
            formats=self.formats,
            terms=self.lanes,
            width=self.width - 1,
            flush=False,
        )
        self._accumulate(m, flow)
        self._round(m)
        return m

    def _accumulate(self, m: Module, flow: Any) -> None:
        """Add what comes to the sum, or begin a new one with it."""
        first = Signal(init=1)
        self.total = Signal(signed(self.width), reset_less=True)
        self.up, self.down, self.nan = (
            Signal(name=name, reset_less=True) for name in ("up", "down", "nan")
        )
        total = Mux(first, 0, self.total) + flow.total
        # Read before the condition, which would hold their registers as well.
        last, up, down, nan = flow.last, flow.up, flow.down, flow.any_nan
        with m.If(self.arrives):
            m.d.sync += [
                first.eq(last),
                self.total.eq(total),
                self.up.eq((self.up & ~first) | up),
                self.down.eq((self.down & ~first) | down),
                self.nan.eq((self.nan & ~first) | nan),
            ]
        m.d.comb += self.overflow.eq(self.arrives & (total[self.width] ^ total[self.width - 1]))

    def _round(self, m: Module) -> None:
        """Round what the sum is in this cycle."""
        target = self.target
        flow: Any = Flow(m, steps=self.steps - self.front, stages=self.back_stages)
        negative = self.total[-1]
        flow.magnitude = Mux(negative, -self.total, self.total)[: self.width]
        endless = self.up | self.down
        flow.sign = Mux(endless, self.down, negative)
        flow.nan, flow.endless = self.nan | (self.up & self.down), endless
        flow.step()
        round_fixed(flow, target, lowest=self.lowest, flush=False, subnormal=self.subnormal)
        m.d.comb += self.o.eq(flow.result)
