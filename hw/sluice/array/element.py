"""A processing element of a systolic array."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.array.mac import Mac
from sluice.delay import delay

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
    w, tag, kind : In
        What is the row's: the weight that the element takes ``lag`` cycles after ``swap``, and with
        ``swap`` its tag and kind; without a group, or kinds, there is no such port.
    swap : In(1)
        With the first ``x`` for the weight.
    above : In
        The partial sum, ``lag + mac.lead`` cycles after ``x``. The top row of an array that adds
        below has none.
    x_on, swap_on : Out
        For the next column, a cycle later.
    below : Out(mac.sum_width(row))

    Attributes
    ----------
    lag : int, cycles
        What choosing among values and holding them takes.
    """

    x: Signal
    w: Signal
    tag: Signal
    kind: Signal
    swap: Signal
    above: Signal
    x_on: Signal
    swap_on: Signal
    below: Signal

    def __init__(self, mac: Mac, row: int, *, group: int = 1, kind_bits: int = 0):
        self.mac, self.row, self.group, self.kind_bits = mac, row, group, kind_bits
        self.lag = lag_of(mac, group=group, gating=bool(kind_bits))
        self.tag_bits = (group - 1).bit_length()
        width = mac.operand.width
        lanes = group * (width + kind_bits)
        members: dict[str, Any] = {
            "x": In(lanes),
            "w": In(width),
            "swap": In(1),
            "x_on": Out(lanes),
            "swap_on": Out(1),
            "below": Out(mac.sum_width(row)),
        }
        for name, bits in (("tag", self.tag_bits), ("kind", kind_bits)):
            if bits:
                members[name] = In(bits)
        self.has_above = row > 0 or mac.adds_at_top
        if self.has_above:
            members["above"] = In(mac.sum_width(row - 1) if row else mac.total.width)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        later = Signal.like(self.x, name="x_later", reset_less=True)
        m.d.sync += [later.eq(self.x), self.swap_on.eq(self.swap)]
        m.d.comb += self.x_on.eq(later)

        swap = delay(m, "swap", self.swap, self.lag, reset=True)

        x: Value = self.x
        zero = None
        if self.lag:
            tag, kind = self._held(m, "tag"), self._held(m, "kind")
            word = self.mac.operand.width + self.kind_bits
            x = self._chosen(m, later, tag, word)
            if self.kind_bits:
                x, x_kind = x[: -self.kind_bits], x[-self.kind_bits :]
                zero = self.mac.is_zero(x_kind, kind)
        above = self.above if self.has_above else None
        below = self.mac.add(m, x=x, weight=self.w, swap=swap, above=above, zero=zero)
        m.d.comb += self.below.eq(below)
        return m

    def _held(self, m: Module, name: str) -> Value:
        """Return what belongs to the weight in use, for the value that is in ``x_on``."""
        if name not in self.signature.members:
            return Cat()
        given = getattr(self, name)
        held = Signal.like(given, name=f"{name}_held", reset_less=True)
        with m.If(self.swap):
            m.d.sync += held.eq(given)
        return held

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


def lag_of(mac: Mac, *, group: int, gating: bool) -> int:
    """Return the cycles that choosing among values, or holding them, takes in an element."""
    return int(group > 1 or gating) + (mac.hold if gating else 0)
