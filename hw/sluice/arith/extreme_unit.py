"""Maximum and minimum: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.arith.order import ORDER_STEPS, order
from sluice.formats import Float, Format

__all__ = ["OPERATIONS", "ExtremeUnit"]

OPERATIONS = ("maximum", "minimum", "maximum_number", "minimum_number")


class ExtremeUnit(wiring.Component):
    """The larger or the smaller of ``a`` and ``b``; a result per cycle, no handshake.

    Parameters
    ----------
    source : Format
        Format of ``a`` and ``b``.
    operation : str
        One of ``OPERATIONS``; those of a number leave out NaN.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal numbers count as zero.

    Members
    -------
    a, b : In(source.width)
    o : Out(source.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.
    """

    a: Signal
    b: Signal
    o: Signal

    def __init__(self, *, source: Format, operation: str, stages: int, flush: bool = False):
        self.source, self.flush = source, flush
        self.operation = operation
        self.steps = ORDER_STEPS + 1
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "b": In(source.width), "o": Out(source.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        flow.a, flow.b = self.a, self.b
        order(flow, self.a, self.b, self.source, flush=self.flush)
        # Of two zeros the negative one is less.
        a_less = flow.less | (flow.equal & flow.a_sign)
        take_a = ~a_less if self.operation.startswith("maximum") else a_less
        number = self.source
        if not isinstance(number, Float):
            flow.result = Mux(take_a, flow.a, flow.b)
        else:
            nan = flow.a_nan | flow.b_nan
            if self.operation.endswith("number"):
                take_a = ~flow.a_nan & (flow.b_nan | take_a)
                nan = flow.a_nan & flow.b_nan
            chosen: Value = Mux(take_a, flow.a, flow.b)
            if self.flush:
                empty = ~chosen[number.fraction_bits : -1].any()
                fraction = Mux(empty, 0, chosen[: number.fraction_bits])
                chosen = Cat(fraction, chosen[number.fraction_bits :])
            flow.result = Mux(nan, Const(number.nan_bits, number.width), chosen)
        flow.step()
        m.d.comb += self.o.eq(flow.result)
        return m
