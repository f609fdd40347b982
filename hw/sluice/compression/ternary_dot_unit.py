"""Sums of numbers times ternary weights over a packet: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.arith.round import add_carry
from sluice.delay import delay
from sluice.formats import Fixed

__all__ = ["TernaryDotUnit"]

# Which weights add or subtract, and the numbers as they are added.
CHOOSE_STEPS = 2


class TernaryDotUnit(wiring.Component):
    """``sum(a * w)`` over the elements of a packet, for weights of 0, +1 and -1.

    Parameters
    ----------
    source : Fixed
        Format of ``a``.
    target_bits : int
        Of the sum, in two's complement.
    lanes : int
        Elements per beat, a power of two.
    stages : int
        Registers besides that of the sum; as many as there are steps to cut if those are fewer.

    Members
    -------
    a : In(source.width * lanes)
        The first element in the low bits.
    w : In(2 * lanes)
        Of each weight, whether it is not zero and, above, whether it is -1.
    keep : In(lanes)
        Which elements count.
    valid : In(1)
        There is a beat.
    last : In(1)
        It ends a packet.
    o : Out(target_bits)
        ``latency`` cycles after a beat: the sum of its packet up to it, modulo ``2**target_bits``.
    overflow : Out(1)
        High for a cycle, one later than ``o``, if a beat's sum is out of range.

    Attributes
    ----------
    latency : int, cycles
    """

    a: Signal
    w: Signal
    keep: Signal
    valid: Signal
    last: Signal
    o: Signal
    overflow: Signal

    def __init__(self, *, source: Fixed, target_bits: int, lanes: int, stages: int):
        self.source, self.target_bits, self.lanes = source, target_bits, lanes
        self.steps = CHOOSE_STEPS + (lanes - 1).bit_length()
        self.stages = min(stages, self.steps)
        self.latency = self.stages + 1
        super().__init__(
            {
                "a": In(source.width * lanes),
                "w": In(2 * lanes),
                "keep": In(lanes),
                "valid": In(1),
                "last": In(1),
                "o": Out(target_bits),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, lanes = self.source.width, self.lanes
        flow: Any = Flow(m, steps=self.steps, stages=self.stages)
        flow.words, flow.last = self.a, self.last
        weights = [self.w.word_select(k, 2) for k in range(lanes)]
        flow.adds = Cat(weight[0] & self.keep[k] for k, weight in enumerate(weights))
        flow.minus = Cat(weight[1] & self.keep[k] for k, weight in enumerate(weights))
        flow.step()

        # A number that is subtracted is inverted, and one is added further on: every addition has a
        # carry in, of which its sum takes one and leaves one to the next.
        words, adds, minus = flow.words, flow.adds, flow.minus
        # Unsigned numbers get a sign.
        sign = Const(0, 0 if self.source.is_signed else 1)
        for k in range(lanes):
            word = Cat(words.word_select(k, width) & adds[k].replicate(width), sign)
            setattr(flow, f"part_{k}", word ^ minus[k].replicate(len(word)))
            setattr(flow, f"one_{k}", minus[k])
        flow.step()
        self._add_up(flow)
        comes = delay(m, "comes", self.valid, self.stages, reset=True)
        self._accumulate(m, comes, flow.last, flow.part_0, flow.one_0)
        return m

    def _add_up(self, flow: Any) -> None:
        """Add all parts and ones into the first of each, a step per level of a tree."""
        count = self.lanes
        while count > 1:
            count //= 2
            parts = [
                (getattr(flow, f"part_{j}"), getattr(flow, f"one_{j}")) for j in range(2 * count)
            ]
            for k in range(count):
                (a, carry), (b, left) = parts[2 * k : 2 * k + 2]
                signs = Cat(a, a[-1]), Cat(b, b[-1])
                setattr(flow, f"part_{k}", add_carry(*signs, carry)[: len(a) + 1])
                setattr(flow, f"one_{k}", left)
            flow.step()

    def _accumulate(self, m: Module, comes: Value, last: Value, total: Value, one: Value) -> None:
        """Add the sum of a beat to that of its packet."""
        first, arrived = Signal(init=1), Signal()
        # One more than either has, so that it is never out of range of this.
        size = max(self.target_bits, len(total)) + 1
        made = Signal(size, reset_less=True)
        before = Mux(first, 0, self.o)
        following = add_carry(_extend(before, size), _extend(total, size), one)[:size]
        tops = made[self.target_bits - 1 :]
        m.d.comb += self.o.eq(made[: self.target_bits])
        m.d.sync += [arrived.eq(comes), self.overflow.eq(arrived & tops.any() & ~tops.all())]
        with m.If(comes):
            m.d.sync += [made.eq(following), first.eq(last)]


def _extend(value: Value, width: int) -> Value:
    """Return a value in two's complement in so many bits."""
    return Cat(value, value[-1].replicate(width - len(value)))
