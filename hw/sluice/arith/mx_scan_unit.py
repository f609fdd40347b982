"""The scale of a block of numbers: the datapath."""

from typing import Any

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.convert_unit import SCALE_BITS
from sluice.arith.flow import Flow
from sluice.delay import delay
from sluice.formats import Float

__all__ = ["MxScanUnit"]


class MxScanUnit(wiring.Component):
    """The scale of the numbers from the first ones after the last block's end on; no handshake.

    Parameters
    ----------
    source : Float
        Format of the numbers, with the exponent of fp32.
    target : Float
        Format of the elements.
    lanes : int
        Numbers per cycle.
    stages : int
        Registers before that of the largest number; as many as there are steps to cut if those are
        fewer.

    Members
    -------
    a : In(source.width * lanes)
        The first number in the low bits.
    keep : In(lanes)
        Numbers that count.
    valid, ends : In(1)
        There are numbers, the last ones of the block.
    o : Out(8)
        ``latency`` cycles later: the scale in E8M0; 255, NaN, where not all numbers are finite.
    some : Out(1)
        There was a number.
    """

    a: Signal
    keep: Signal
    valid: Signal
    ends: Signal
    o: Signal
    some: Signal

    def __init__(self, *, source: Float, target: Float, lanes: int, stages: int):
        assert source.exponent_bits == SCALE_BITS
        self.source, self.target, self.lanes = source, target, lanes
        self.steps = (lanes - 1).bit_length()
        self.front = min(stages, self.steps)
        self.latency = self.front + 1
        super().__init__(
            {
                "a": In(source.width * lanes),
                "keep": In(lanes),
                "valid": In(1),
                "ends": In(1),
                "o": Out(SCALE_BITS),
                "some": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source = self.source
        flow: Any = Flow(m, steps=max(1, self.steps), stages=self.front)
        flow.final, flow.some = self.ends, self.keep.any()
        arrives = delay(m, "valid", self.valid, self.front, reset=True)

        # The exponent says it all: subnormal numbers have the smallest scale, as zeros have.
        for k in range(self.lanes):
            exponent = self.a.word_select(k, source.width)[source.fraction_bits : -1]
            setattr(flow, f"part_{k}", Mux(self.keep[k], exponent, 0)[:SCALE_BITS])
        count = self.lanes
        for _ in range(self.steps):
            for k in range(count // 2):
                x, y = (getattr(flow, f"part_{j}") for j in (2 * k, 2 * k + 1))
                setattr(flow, f"part_{k}", Mux(x < y, y, x))
            if count % 2:
                setattr(flow, f"part_{count // 2}", getattr(flow, f"part_{count - 1}"))
            count -= count // 2
            flow.step()

        first = Signal(init=1)
        largest = Signal(SCALE_BITS, reset_less=True)
        some = Signal(reset_less=True)
        now, ends, any_now = flow.part_0, flow.final, flow.some
        with m.If(arrives):
            m.d.sync += [
                first.eq(ends),
                largest.eq(Mux(first | (largest < now), now, largest)),
                some.eq((some & ~first) | any_now),
            ]
        # Of the largest power of two among the elements.
        emax = int(self.target.max).bit_length() - 1
        scale = Mux(largest < emax, 0, largest - Const(emax))[:SCALE_BITS]
        m.d.comb += [self.o.eq(Mux(largest.all(), largest, scale)), self.some.eq(some)]
        return m
