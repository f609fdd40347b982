"""A processing element of a systolic array."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.array.mac import Mac
from sluice.delay import delay, keep

__all__ = ["Element"]


class Element(wiring.Component):
    """What the ``mac`` does with the weight of its column, between neighbours.

    Parameters
    ----------
    mac : Mac
    row : int
        Row of the array, which says how wide the partial sums are.
    group : int, >= 1
        Values of ``x`` that come at once; the weight's ``tag`` says which one is its own.
    kind_bits : int
        What is known of each operand (:meth:`Mac.kind`), or zero if nothing is made of it.

    Members
    -------
    x : In(group * (operand.width + kind_bits))
        Each value with its kind above it.
    bus : In(operand.width + tag_bits + kind_bits)
        What the row's next weights come by, with the tag and kind of each; the weight itself comes
        ``lag`` cycles after those.
    take : In(1)
        The tag and kind on the bus are this element's.
    swap : In(1)
        With the first ``x`` for the weight; after ``take``.
    above : In
        The partial sum, ``lag + mac.lead`` cycles after ``x``. The top row of an array that adds
        below has none.
    x_on, swap_on, take_on : Out
        For the next column, a cycle later.
    below : Out(mac.sum_width(row))

    Attributes
    ----------
    lag : int, cycles
        What choosing among values and holding them takes.
    tag_bits : int
        ``ceil(log2(group))``.
    """

    x: Signal
    bus: Signal
    take: Signal
    swap: Signal
    above: Signal
    x_on: Signal
    swap_on: Signal
    take_on: Signal
    below: Signal

    def __init__(self, mac: Mac, row: int, *, group: int = 1, kind_bits: int = 0):
        self.mac, self.row, self.group, self.kind_bits = mac, row, group, kind_bits
        self.lag = lag_of(group=group, gating=bool(kind_bits))
        self.tag_bits = (group - 1).bit_length()
        width = mac.operand.width
        lanes = group * (width + kind_bits)
        members: dict[str, Any] = {
            "x": In(lanes),
            "bus": In(width + self.tag_bits + kind_bits),
            "take": In(1),
            "swap": In(1),
            "x_on": Out(lanes),
            "swap_on": Out(1),
            "take_on": Out(1),
            "below": Out(mac.sum_width(row)),
        }
        self.has_above = row > 0 or mac.adds_at_top
        if self.has_above:
            members["above"] = In(mac.sum_width(row - 1) if row else mac.total.width)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        later = Signal.like(self.x, name="x_later", reset_less=True)
        m.d.sync += [
            later.eq(self.x),
            self.swap_on.eq(self.swap),
            self.take_on.eq(self.take),
        ]
        m.d.comb += self.x_on.eq(later)

        width = self.mac.operand.width
        take = delay(m, "take", self.take, self.lag, reset=True)
        swap = delay(m, "swap", self.swap, self.lag, reset=True)
        weight = keep(m, "next_weight", self.bus[:width], take)

        x: Value = self.x
        zero: Value | None = None
        if self.lag:
            known = keep(m, "next_known", self.bus[width:], self.take)
            known = keep(m, "known", known, self.swap)
            tag, kind = known[: self.tag_bits], known[self.tag_bits :]
            x = self._chosen(m, later, tag, width + self.kind_bits)
            if self.kind_bits:
                x, x_kind = x[: -self.kind_bits], x[-self.kind_bits :]
                zero = self.mac.is_zero(x_kind, kind)
        weight = keep(m, "weight", weight, swap)
        if zero is None:
            x = delay(m, "x_taken", x, 1)
        else:
            held = self.mac.held_bits
            x = Cat(keep(m, "x_taken", x[:held], ~zero), delay(m, "sign_taken", x[held:], 1))
            zero = delay(m, "zero", zero, 1)
        above = self.above if self.has_above else None
        below = self.mac.add(m, x=x, weight=weight, above=above, zero=zero)
        m.d.comb += self.below.eq(below)
        return m

    def _chosen(self, m: Module, lanes: Value, tag: Value, word: int) -> Value:
        if self.group == 1:
            return lanes
        chosen = Signal(word)
        with m.Switch(tag):
            for k in range(self.group):
                # The last one is for tags that there should not be as well.
                with m.Case(k) if k < self.group - 1 else m.Default():
                    m.d.comb += chosen.eq(lanes[k * word : (k + 1) * word])
        return chosen


def lag_of(*, group: int, gating: bool) -> int:
    """Return the cycles that choosing among values, or holding them, takes in an element."""
    return int(group > 1 or gating)
