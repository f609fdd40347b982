"""Masks made from indices: each term is an interval of columns, so a lane costs no comparator.

Seen from the first lane of a beat, a term passes lanes ``low <= k <= high``. Both bounds are one
sum of an index, which is known before the beat comes, and an offset from the settings:

========= ===================== ==================
kind      low                   high
========= ===================== ==================
LOWER                           diagonal + a
UPPER     diagonal + a
BAND      diagonal + a          diagonal + b
COLUMNS                         -column - 1 + a
SEGMENTS  start - column        -column - 1 + end
========= ===================== ==================

with ``diagonal = row - column``. A bound that does not matter has an offset beyond every index.
ROWS passes whole rows, so that one comparison per row is enough.
"""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.utils import ceil_log2

from sluice.masking.settings import Kind

__all__ = ["Generator"]


@dataclass
class Where:
    """Where a bound lies: before this beat, at lane ``place`` of it, or beyond it."""

    before: Value
    beyond: Value
    place: Value


@dataclass
class Bounds:
    """Lane ``k`` passes if ``(below_all | above[k]) & ~past_all & below[k]``."""

    below_all: Value
    above: Value
    past_all: Value
    below: Value


class Generator:
    """The indices of the next beat, and the sums that each term makes of them.

    Each index is kept twice: as it is, and less one beat's lanes rounded up to a power of two. The
    signs of two sums side by side then tell where a bound lies, without a look at their other bits.

    Attributes
    ----------
    busy : Signal
        No beat may be taken in this cycle: the matrix had one row only, and begins anew.
    too_long : Signal
        The row has gone beyond the last column that an index can name.
    """

    def __init__(self, m: Module, *, lanes: int, index_bits: int, segments: int):
        self.m, self.lanes, self.bits, self.segments = m, lanes, index_bits, segments
        # Bits below the part of a sum that tells whether a bound lies in this beat.
        self.low_bits = max(1, ceil_log2(lanes))
        self.reach = 1 << self.low_bits
        self.sum_shape = signed(max(index_bits, self.low_bits) + 3)
        self.busy, self.too_long = Signal(), Signal()
        self.first_row = Signal(init=1)

    def count(self, *, accept: Value, last: Value, fresh: Value, rows: Any) -> None:
        """Add the counters; ``accept`` takes a beat, ``fresh`` marks the first one of a row.

        Whether the next row is the last one is found out while this one passes, so that no
        comparison lies in the counters' loop; a matrix of one row takes a cycle to begin anew.
        """
        m, bits = self.m, self.bits
        held, few = Signal(bits), Signal(2)
        few_now = Mux(fresh, Cat(rows == 1, rows == 2), few)
        with m.If(fresh & self.first_row):
            m.d.sync += [held.eq(rows), few.eq(few_now)]
        ends_row, wraps, ends = Signal(), Signal(), Signal()
        row_plus_2 = Signal(bits, init=2)
        m.d.comb += [ends_row.eq(accept & last), wraps.eq(self.busy | ends)]
        m.d.sync += self.busy.eq(ends_row & self.first_row & few_now[0])
        with m.If(ends_row):
            m.d.sync += ends.eq(Mux(self.first_row, few_now[1], row_plus_2 == held))
        with m.If(ends_row | self.busy):
            m.d.sync += row_plus_2.eq(Mux(wraps, 2, row_plus_2 + 1))

        column, row = Signal(bits + 1), Signal(bits)
        m.d.comb += self.too_long.eq(column[-1])
        self.diagonals, self.mirrors, self.nexts = [], [], []
        for shift in (0, self.reach):
            following = Signal(self.sum_shape, init=1 - shift, name=f"next_row_less_{shift}")
            diagonal = Signal(self.sum_shape, init=-shift, name=f"diagonal_less_{shift}")
            mirror = Signal(self.sum_shape, init=-1 - shift, name=f"mirror_less_{shift}")
            with m.If(ends_row | self.busy):
                m.d.sync += [
                    diagonal.eq(Mux(wraps, -shift, following)),
                    mirror.eq(-1 - shift),
                    following.eq(Mux(wraps, 1 - shift, following + 1)),
                ]
            with m.Elif(accept):
                m.d.sync += [diagonal.eq(diagonal - self.lanes), mirror.eq(mirror - self.lanes)]
            self.diagonals.append(diagonal)
            self.mirrors.append(mirror)
            self.nexts.append(following)
        with m.If(ends_row | self.busy):
            m.d.sync += [
                column.eq(0),
                row.eq(Mux(wraps, 0, self.nexts[0])),
                self.first_row.eq(wraps),
            ]
        with m.Elif(accept):
            m.d.sync += column.eq(column + self.lanes)
        self.row = row
        self.ends_row = ends_row

    def count_segments(self, *, accept: Value, fresh: Value, lengths: Any) -> None:
        """Find the segment in which the row lies: its columns are ``start`` to below ``end``.

        The lengths are looked at from the first row of a matrix on; a length of zero ends the list.
        """
        m, bits, count = self.m, self.bits, self.segments
        held = [Signal(bits, name=f"length_{k}") for k in range(count)]
        with m.If(accept & fresh):
            m.d.sync += [h.eq(length) for h, length in zip(held, lengths, strict=True)]
        place = Signal(range(count + 2), init=1)
        start, end, live = Signal(bits), Signal(bits), Signal()
        here, following = Signal.like(place), Signal(bits)
        self.start, self.end, self.inside = Signal(bits), Signal(bits), Signal()
        now = [Mux(fresh, length, h) for h, length in zip(held, lengths, strict=True)]
        first = self.first_row
        m.d.comb += [
            here.eq(Mux(first, 1, place)),
            self.start.eq(Mux(first, 0, start)),
            self.end.eq(Mux(first, now[0], end)),
            self.inside.eq(Mux(first, now[0].any(), live)),
        ]
        with m.Switch(here):
            for k in range(1, count):
                with m.Case(k):
                    m.d.comb += following.eq(now[k])
        with m.If(self.ends_row):
            m.d.sync += [
                start.eq(self.start),
                end.eq(self.end),
                live.eq(self.inside),
                place.eq(here),
            ]
            with m.If(self.nexts[0] == self.end):
                m.d.sync += [
                    start.eq(self.end),
                    end.eq(self.end + following),
                    live.eq(self.inside & following.any()),
                    place.eq(here + 1),
                ]

    def add_indices(self, go: Value) -> None:
        """Keep the indices of the beat that enters the first stage."""
        self.diagonals_1 = [Signal.like(d, name=f"{d.name}_1") for d in self.diagonals]
        self.mirrors_1 = [Signal.like(d, name=f"{d.name}_1") for d in self.mirrors]
        with self.m.If(go):
            for kept, now in (
                (self.diagonals_1, self.diagonals),
                (self.mirrors_1, self.mirrors),
            ):
                self.m.d.sync += [k.eq(n) for k, n in zip(kept, now, strict=True)]

    def row_fails(self, term: Any) -> Value:
        """Return whether the row of the next beat is masked as a whole."""
        return (term.kind == Kind.ROWS) & (Cat(self.row, 0).as_signed() >= term.a)

    def add_term(self, term: Any, *, go: Value, load: Value, fresh: Value, name: str) -> Bounds:
        """Add a term's first stage; return which lanes of the beat in it the bounds let pass.

        ``load`` marks the beat whose settings count; they are kept as offsets.
        """
        m, kind = self.m, term.kind
        always = 1 << self.sum_shape.width - 2
        low, high = (Signal(self.sum_shape, name=f"{name}_{side}") for side in ("low", "high"))
        with m.If(load):
            m.d.sync += [low.eq(-always), high.eq(-always)]
            with m.If((kind == Kind.UPPER) | (kind == Kind.BAND)):
                m.d.sync += low.eq(term.a)
            with m.Switch(kind):
                with m.Case(Kind.LOWER, Kind.COLUMNS):
                    m.d.sync += high.eq(term.a)
                with m.Case(Kind.BAND):
                    m.d.sync += high.eq(term.b)
                with m.Case(Kind.ALL, Kind.UPPER, Kind.ROWS, Kind.EXTERNAL):
                    m.d.sync += high.eq(always)
        if not self.segments:
            above = self._compare(self.diagonals_1, low, f"{name}_low")
        else:
            kept = Signal(name=f"{name}_of_segment")
            with m.If(load):
                m.d.sync += kept.eq(kind == Kind.SEGMENTS)
                with m.If(kind == Kind.SEGMENTS):
                    m.d.sync += low.eq(Cat(self.start, 0).as_signed())
                    with m.If(self.inside):
                        m.d.sync += high.eq(Cat(self.end, 0).as_signed())
            lows = [Mux(kept, x, d) for x, d in zip(self.mirrors_1, self.diagonals_1, strict=True)]
            above = self._compare(lows, low, f"{name}_low", carry=kept)
        # Which index the upper bound counts from is a bit of the kind, so it is chosen in time.
        held = Signal(name=f"{name}_of_column")
        with m.If(load):
            m.d.sync += held.eq(kind[0])
        of_column = Mux(fresh, kind[0], held)
        highs = []
        for k, (mirror, diagonal) in enumerate(zip(self.mirrors, self.diagonals, strict=True)):
            index = Signal(self.sum_shape, name=f"{name}_high_index_{k}")
            with m.If(go):
                m.d.sync += index.eq(Mux(of_column, mirror, diagonal))
            highs.append(index)
        below = self._compare(highs, high, f"{name}_high")
        # No more than four signals each, which is one look-up table behind the sums.
        up = [~above.beyond & (above.place <= k) for k in range(self.lanes)]
        down = [below.beyond | (below.place >= k) for k in range(self.lanes)]
        return Bounds(above.before, Cat(up), below.before, Cat(down))

    def _compare(self, indices: Any, offset: Any, name: str, *, carry: Any = None) -> Where:
        """Return where the sum of an index and an offset lies."""
        totals = []
        for k, index in enumerate(indices):
            total = Signal(self.sum_shape, name=f"{name}_sum_{k}")
            if carry is None:
                self.m.d.comb += total.eq(index + offset)
            else:
                # A carry below the lowest bit makes one adder of what would be two.
                wide = Cat(1, index).as_signed() + Cat(carry, offset).as_signed()
                self.m.d.comb += total.eq((wide >> 1).as_signed())
            totals.append(total)
        return Where(totals[0][-1], ~totals[1][-1], totals[0][: self.low_bits])
