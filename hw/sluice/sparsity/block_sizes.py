"""How many elements of each block are kept."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sluice.delay import delay
from sluice.formats import FORMATS
from sluice.stream import Beat

__all__ = ["BlockSizes", "size_entry", "sizes_layout"]


def sizes_layout(*, beats: int, block: int) -> data.StructLayout:
    """Return the layout of a block's size.

    ``stored`` is how many of its elements are, ``raw`` that they are all, ``final`` the number of
    its last beat, which is ``single`` if that is 0; ``empty`` has no element, and ``last`` ends the
    packet.
    """
    counts = {"stored": range(block + 1), "final": range(max(2, beats)), "single": 1}
    return data.StructLayout({**counts, "raw": 1, "empty": 1, "last": 1})


def size_entry(size: Any) -> Value:
    """Return the bits of ``Beat(uint16, 1)`` that stand for a size in the table of counts."""
    stored = Value.cast(size.stored)
    return Cat(stored, Const(0, 15 - len(stored)), size.raw, ~size.empty, size.last)


class BlockSizes(wiring.Component):
    """Count the set and the kept bits of each block.

    Parameters
    ----------
    lanes, block : int
        Powers of two.
    width : int, bits
        Of an element.

    Members
    -------
    valid : In(1)
    bits : In(Beat(bit, lanes))
        Every cycle, if valid: which elements of a beat are not zero.
    done : Out(1)
        Cycles after the last beat of a block.
    o : Out(sizes_layout(beats=block // lanes, block=block))
        Its size.
    whole : Out(1)
        It has as many elements as a block can have.

    Attributes
    ----------
    latency : int, cycles
        From the last beat of a block, on :attr:`bits`, to ``done``.
    """

    valid: Signal
    bits: Any
    done: Signal
    o: Any
    whole: Signal
    # One that is made only to be asked for its latency is no mistake.
    _MustUse__silence = True

    def __init__(self, *, lanes: int, block: int, width: int):
        self.lanes, self.block, self.width = lanes, block, width
        self.beats = block // lanes
        # Four bits are counted in one look-up table per digit; then there is an adder per register.
        self.levels = 1 + max(0, (lanes // 4 - 1).bit_length())
        self.latency = self.levels + 3
        super().__init__(
            {
                "valid": In(1),
                "bits": In(Beat(FORMATS["bit"], lanes)),
                "done": Out(1),
                "o": Out(sizes_layout(beats=self.beats, block=block)),
                "whole": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.bits
        valid = delay(m, "valid", self.valid, self.levels, reset=True)
        last = delay(m, "last", bits.last, self.levels)
        set_bits = self._count(m, "set", Value.cast(bits.data))
        kept_bits = self._count(m, "kept", bits.keep)

        index, final = Signal(range(max(2, self.beats))), Signal(range(max(2, self.beats)))
        ones, elements = (Signal(range(self.block + 1), name=n) for n in ("ones", "elements"))
        first, ends, ended = Signal(init=1), Signal(), Signal(reset_less=True)
        closes = last | (index == self.beats - 1)
        single = Signal(reset_less=True)
        m.d.sync += [
            ends.eq(valid & closes),
            ended.eq(last),
            final.eq(index),
            single.eq(~index.any()),
        ]
        with m.If(valid):
            m.d.sync += [
                ones.eq(Mux(first, 0, ones) + set_bits),
                elements.eq(Mux(first, 0, elements) + kept_bits),
                first.eq(closes),
                index.eq(Mux(closes, 0, index + 1)),
            ]

        zeros = Signal.like(elements, reset_less=True)
        m.d.sync += zeros.eq(elements - ones)
        known = delay(m, "known", Cat(ones, elements, final, single, ended), 1)
        ones_1, elements_1 = (known.word_select(k, len(ones)) for k in range(2))
        raw = zeros * self.width < elements_1
        m.d.sync += [
            self.o.stored.eq(Mux(raw, elements_1, ones_1)),
            self.o.raw.eq(raw),
            self.o.empty.eq(elements_1 == 0),
            self.whole.eq(elements_1[-1]),
            Cat(self.o.final, self.o.single, self.o.last).eq(known[2 * len(ones) :]),
            self.done.eq(delay(m, "ends", ends, 1, reset=True)),
        ]
        return m

    def _count(self, m: Module, name: str, bits: Value) -> Value:
        """Return how many bits are set, in as many registers as there are levels."""
        sums: list[Value] = [_sum(list(bits[k : k + 4])) for k in range(0, len(bits), 4)]
        for level in range(self.levels):
            if level:
                sums = [_sum(sums[k : k + 2]) for k in range(0, len(sums), 2)]
            sums = [delay(m, f"{name}_{level}_{k}", s, 1) for k, s in enumerate(sums)]
        (total,) = sums
        return total


def _sum(terms: list[Value]) -> Value:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
