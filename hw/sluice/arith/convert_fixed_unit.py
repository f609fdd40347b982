"""Conversion to integers and fixed point: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import unpack
from sluice.arith.flow import Flow
from sluice.arith.round import shift_down
from sluice.formats import Fixed, Float

__all__ = ["ConvertFixedUnit"]


class ConvertFixedUnit(wiring.Component):
    """``a`` in fixed point, rounded to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Float
        Format of ``a``.
    target : Fixed
        Format of the result, signed.
    stages : int
        Registers between operand and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal operands count as zero.

    Members
    -------
    a : In(source.width)
    o : Out(target.width)
        ``latency`` cycles later: the end of the range for what is beyond it, and zero for NaN.

    Notes
    -----
    The significand stands with its leading one where the target's sign is, and is shifted down from
    there; a larger number overflows. The sum that rounds it negates it as well.
    """

    a: Signal
    o: Signal
    steps = 6

    def __init__(self, *, source: Float, target: Fixed, stages: int, flush: bool = False):
        self.source, self.target, self.flush = source, target, flush
        # Two bits below the target's last place, if only to round by.
        self.width = max(target.width + 2, source.fraction_bits + 1)
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(source.width), "o": Out(target.width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, target, width = self.source, self.target, self.target.width
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        a = unpack(self.a, source, flush=self.flush)
        flow.sign, flow.nan, flow.infinity = a.sign, a.is_nan, a.is_infinity
        flow.significand = a.significand
        flow.gap = Const(source.bias + width - 1 - target.fraction_bits) - a.exponent
        flow.step()

        flow.beyond = flow.gap[-1] | flow.infinity
        flow.distance = flow.gap[:-1]
        flow.shifted = Cat(Const(0, self.width - len(flow.significand)), flow.significand)
        value = shift_down(flow, max(3, (self.width - 1).bit_length()))
        flow.word = value
        flow.step()

        kept, rest = flow.word[-width:], flow.word[:-width]
        up = rest[-1] & (kept[0] | rest[:-1].any())
        # Two bits more, for the magnitude may be rounded up to one beyond an unsigned word.
        flow.kept = Cat(kept, Const(0, 2)) ^ flow.sign.replicate(width + 2)
        flow.up = up ^ flow.sign
        flow.step()

        flow.total = (flow.kept + flow.up)[: width + 2]
        flow.step()

        ends = flow.total[width - 1 :]
        overflow = flow.beyond | (ends.any() & ~ends.all())
        end = Cat((~flow.sign).replicate(width - 1), flow.sign)
        flow.result = Mux(flow.nan, 0, Mux(overflow, end, flow.total))[:width]
        flow.step()
        m.d.comb += self.o.eq(flow.result)
        return m
