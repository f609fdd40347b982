"""Quantization and back: the datapath of one lane."""

import itertools
from typing import Any

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.convert_fixed_unit import ConvertFixedUnit
from sluice.arith.convert_unit import ConvertUnit
from sluice.arith.floats import find_floats
from sluice.arith.flow import Flow, registers_before
from sluice.arith.multiply_unit import MultiplyUnit
from sluice.arith.product import PRODUCT_STEPS, multiply
from sluice.arith.round import place_and_round, place_steps
from sluice.delay import delay
from sluice.formats import fixed
from sluice.quantization.settings import CODE_BITS

__all__ = ["FakeQuantizeUnit"]

# Of a code less the zero point.
_STEP_BITS = CODE_BITS + 1
# Of a number of steps before it is clamped: one that is beyond these stays beyond any range.
_ROUND_BITS = _STEP_BITS + 1
# To compare and to choose; and behind the products.
_CLAMP_STEPS, _LAST_STEPS = 2, 1


class StepsUnit(wiring.Component):
    """``a * b`` of fp32, where only the nearest integer counts; no handshake.

    Rounded to nearest even, and zero of its sign if it is below the smallest normal number, which
    is far below one half.

    Parameters
    ----------
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.

    Members
    -------
    a, b : In(32)
        Subnormal ones count as what they are.
    o : Out(32)
        ``latency`` cycles later.
    """

    a: Signal
    b: Signal
    o: Signal
    steps = PRODUCT_STEPS + place_steps(subnormal=False)

    def __init__(self, *, stages: int):
        self.latency = min(stages, self.steps)
        super().__init__({"a": In(32), "b": In(32), "o": Out(32)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fp32, _ = find_floats("fp32", "fp32")
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        multiply(m, flow, self.a, self.b, source=fp32, target=fp32, flush=False)
        flow.magnitude, flow.exponent = flow.p_significand, flow.p_exponent
        flow.sign, flow.nan, flow.infinity = flow.p_sign, flow.p_nan, flow.p_infinity
        place_and_round(flow, fp32, flush=True, subnormal=False)
        m.d.comb += self.o.eq(flow.result)
        return m


class FakeQuantizeUnit(wiring.Component):
    """``scale * clamp(round(a * inv_scale), low, high)``; a result per cycle, no handshake.

    Parameters
    ----------
    stages : int
        Registers between operand and result, spread evenly over the steps; as many as there are
        steps if those are fewer.

    Members
    -------
    a, inv_scale : In(32)
        In fp32, as all numbers are.
    low, high : In(signed(18))
        The ends of the range less the zero point, ``range_latency`` cycles later.
    scale : In(32)
        ``scale_latency`` cycles later.
    o : Out(32)
        ``latency`` cycles later.
    inside : Out(1)
        With ``o``: the rounded number was in the range. A NaN is not, and counts as ``low``.
    """

    a: Signal
    inv_scale: Signal
    low: Signal
    high: Signal
    scale: Signal
    o: Signal
    inside: Signal

    def __init__(self, *, stages: int):
        # One that is made without registers tells how many steps there are.
        steps = [
            *(getattr(unit, "steps", _CLAMP_STEPS) for unit in self._make([0] * 5)),
            _LAST_STEPS,
        ]
        ends = list(itertools.accumulate(steps, initial=0))
        self.steps = ends[-1]
        self.latency = min(stages, self.steps)
        before = [registers_before(k, steps=self.steps, stages=self.latency) for k in ends]
        self.registers = [after - b for b, after in itertools.pairwise(before)]
        self.range_latency, self.scale_latency = before[2], before[4]
        super().__init__(
            {
                "a": In(32),
                "inv_scale": In(32),
                "low": In(signed(_STEP_BITS)),
                "high": In(signed(_STEP_BITS)),
                "scale": In(32),
                "o": Out(32),
                "inside": Out(1),
            }
        )

    @staticmethod
    def _make(stages: list[int]) -> list[Any]:
        """Return what multiplies, rounds, clamps (which is none), converts and multiplies."""
        fp32, _ = find_floats("fp32", "fp32")
        units: list[Any] = [
            StepsUnit(stages=stages[0]),
            ConvertFixedUnit(source=fp32, target=fixed(_ROUND_BITS, 0), stages=stages[1]),
            None,
            ConvertUnit(source=fixed(_STEP_BITS, 0), target=fp32, stages=stages[3]),
            MultiplyUnit(source=fp32, target=fp32, stages=stages[4]),
        ]
        for unit in units:
            if unit is not None:
                unit._MustUse__silence = True
        return units

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        counts = self.registers
        divide, to_integer, _, to_float, multiply = self._make(counts)
        m.submodules.divide, m.submodules.to_integer = divide, to_integer
        m.submodules.to_float, m.submodules.multiply = to_float, multiply
        m.d.comb += [
            divide.a.eq(self.a),
            divide.b.eq(self.inv_scale),
            to_integer.a.eq(divide.o),
        ]
        is_nan = divide.o[23:31].all() & divide.o[:23].any()

        flow: Any = Flow(m, steps=_CLAMP_STEPS, stages=counts[2])
        flow.nan = delay(m, "is_nan", is_nan, counts[1])
        flow.count = to_integer.o.as_signed()
        flow.low, flow.high = self.low, self.high
        flow.below, flow.above = flow.count < flow.low, flow.count > flow.high
        flow.step()
        nearer = Mux(flow.above, flow.high, flow.count)
        flow.clamped = Mux(flow.below | flow.nan, flow.low, nearer)[:_STEP_BITS]
        flow.inside = ~(flow.below | flow.above | flow.nan)
        flow.step()

        m.d.comb += [
            to_float.a.eq(flow.clamped),
            multiply.a.eq(to_float.o),
            multiply.b.eq(self.scale),
        ]
        inside = delay(m, "was_inside", flow.inside, sum(counts[3:]))
        last: Value = delay(m, "result", multiply.o, counts[5])
        m.d.comb += [self.o.eq(last), self.inside.eq(inside)]
        return m
