"""Pairs of ternary weights to their flags."""

from typing import Any

from amaranth import Cat, Module, Signal, Value

from sluice.compression.ternary_codes import ITEM, ITEM_BITS, look_up, pair_items
from sluice.sparsity.expand import Expand
from sluice.stream import SkidBuffer

__all__ = ["ExpandPairs"]


class ExpandPairs(Expand):
    """Expand pairs of weights, which are elements of 4 bits, a cycle later than :class:`Expand`.

    With elements as narrow, what limits the clock is whether a beat of flags takes a beat of them.
    Most of it is known a cycle ahead.

    Parameters
    ----------
    pairs : int
        Per beat.
    stages : int
        As in :class:`Expand`.
    """

    first_over = True

    def __init__(self, *, pairs: int, stages: int):
        super().__init__(element=ITEM, lanes=pairs, stages=stages)
        self.buffer = SkidBuffer(shape=self.places.o_shape)
        self.latency += SkidBuffer.latency
        # Beats on the way, from flags to the result.
        self.depth = self.places.depth + 2 + self.elements.depth

    def placed(self, m: Module) -> Any:
        m.submodules.buffer = self.buffer
        come, to = self.places.o, self.buffer.i
        begins = Signal(init=1)
        m.d.comb += [
            to.valid.eq(come.valid),
            come.ready.eq(to.ready),
            to.payload.eq(come.payload),
            to.payload.over.eq(come.payload.over | begins),
        ]
        with m.If(come.valid & to.ready):
            m.d.sync += begins.eq(come.payload.flags.last)
        return self.buffer.o

    def feed(self, m: Module, flags: Any, values: Any, codes: str) -> None:
        """Connect streams of flags, and of the values of pairs with such codes."""
        table = pair_items(codes)
        given, come = flags.payload, values.payload
        # A flag that does not count would take a value.
        bits = Value.cast(given.data) & given.keep
        items = [look_up(Value.cast(value), table, ITEM_BITS) for value in come.data]
        words = Cat(bits, given.keep, given.last), Cat(*items, come.keep, come.last)
        for i, o, word in zip((flags, values), (self.flags, self.i), words, strict=True):
            m.d.comb += [o.valid.eq(i.valid), i.ready.eq(o.ready), Value.cast(o.payload).eq(word)]
