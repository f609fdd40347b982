"""Dot product of integers: the datapath."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.arith.multiplier import Multiplier
from sluice.arith.products import MULTIPLY_STEPS, sum_parts
from sluice.formats import Fixed

__all__ = ["DotIntegerUnit"]


class DotIntegerUnit(wiring.Component):
    """``sum(a * b) + c`` of signed integers; a result per cycle, no handshake.

    Parameters
    ----------
    source : Fixed
        Format of the factors.
    target : Fixed
        Format of ``c`` and of the result.
    terms : int
        Products per result.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.

    Members
    -------
    a, b : In(source.width * terms)
        The first factor in the low bits.
    c : In(target.width)
    o : Out(target.width)
        ``latency`` cycles later: the exact result modulo ``2**target.width``.
    """

    a: Signal
    b: Signal
    c: Signal
    o: Signal

    def __init__(self, *, source: Fixed, target: Fixed, terms: int, stages: int):
        self.source, self.target, self.terms = source, target, terms
        self.steps = MULTIPLY_STEPS + (terms - 1).bit_length() + 1
        self.latency = min(stages, self.steps)
        size = source.width * terms
        super().__init__(
            {"a": In(size), "b": In(size), "c": In(target.width), "o": Out(target.width)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.source.width
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        flow.c = self.c
        stages = flow.registers(MULTIPLY_STEPS)
        products: list[Value] = []
        for k in range(self.terms):
            m.submodules[f"product_{k}"] = multiplier = Multiplier(
                a_width=width, b_width=width, signed=True, stages=stages
            )
            m.d.comb += [
                multiplier.a.eq(self.a.word_select(k, width)),
                multiplier.b.eq(self.b.word_select(k, width)),
            ]
            products.append(multiplier.p)
        for _ in range(MULTIPLY_STEPS):
            flow.step()
        for k, product in enumerate(products):
            setattr(flow, f"part_{k}", product)
        sum_parts(flow, self.terms)
        flow.result = (flow.part_0 + flow.c)[: self.target.width]
        flow.step()
        m.d.comb += self.o.eq(flow.result)
        return m
