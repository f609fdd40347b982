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

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.utils import ceil_log2

from sluice.masking.settings import Kind

__all__ = ["Generator"]


@dataclass
class Bound:
    """Where a bound lies: before the beat, inside of it, or beyond.

    ``inside`` and ``reached``, which says for each lane whether the bound lies there or before,
    only count where the bound is not before the beat.
    """

    before: Value
    inside: Value
    reached: Value

    def passed(self, k: int) -> Value:
        """Return whether lane ``k`` lies behind the bound."""
        return self.before | (self.inside & self.reached[k])


@dataclass
class Interval:
    """The lanes that a term lets pass: from ``low`` up to ``high``, if the row does not fail."""

    low: Bound
    high: Bound
    row_fails: Value

    def holds(self, k: int) -> Value:
        """Return whether lane ``k`` passes."""
        return self.low.passed(k) & ~self.row_fails & ~self.high.passed(k)


class Generator:
    """The indices of the beat in the first stage, and the sums that each term makes of them.

    Each index is kept twice: as it is, and less one beat's lanes rounded up to a power of two. The
    signs of two sums side by side then tell where a bound lies, without a look at their other bits.
    Indices and settings belong to the beat in the first stage, so that nothing in here waits for
    the handshake but the clock enables.

    Parameters
    ----------
    kinds : set of Kind
        What is built; a kind that is not passes nothing.
    go : 1 bit
        All stages move on.
    load : 1 bit
        With ``go``: the settings on ``config`` are those of the beat that enters.

    Attributes
    ----------
    too_long : Signal
        The row has gone beyond the last column that an index can name.
    """

    def __init__(
        self,
        m: Module,
        *,
        config: Any,
        lanes: int,
        index_bits: int,
        segments: int,
        kinds: Set[Kind],
        go: Value,
        load: Value,
    ):
        self.m, self.lanes, self.bits, self.segments = m, lanes, index_bits, segments
        self.config, self.kinds, self.go, self.load = config, kinds, go, load
        # Bits below the part of a sum that tells whether a bound lies in this beat.
        self.low_bits = max(1, ceil_log2(lanes))
        self.reach = 1 << self.low_bits
        self.sum_shape = signed(max(index_bits, self.low_bits) + 3)
        # An offset that is beyond every index, and below it if negative.
        self.always = 1 << self.sum_shape.width - 2
        self.too_long = Signal()
        self.diagonals: list[Signal] = []
        self.mirrors: list[Signal] = []
        self.nexts: list[Signal] = []

    def keep(self, value: Any, name: str) -> Signal:
        """Return a setting as it was for the row in the first stage."""
        kept = Signal(Value.cast(value).shape(), name=name, reset_less=True)
        with self.m.If(self.load):
            self.m.d.sync += kept.eq(value)
        return kept

    def count(self, *, valid: Value, ends_row: Value) -> None:
        """Add the counters of the beat in the first stage: whether there is one, and ends its row.

        Whether the next row is the matrix's last is found out while this one passes, so that no
        comparison lies in the counters' loop.
        """
        m, bits, go = self.m, self.bits, self.go
        wraps = Signal()
        first_row, ends = Signal(init=1), Signal()
        rows = self.keep(self.config.rows, "rows")
        one, two = (self.keep(self.config.rows == k, f"rows_is_{k}") for k in (1, 2))
        held, row_plus_2 = Signal(bits), Signal(bits, init=2)
        m.d.comb += wraps.eq(Mux(first_row, one, ends))
        with m.If(go & ends_row):
            m.d.sync += [
                ends.eq(Mux(first_row, two, row_plus_2 == held)),
                row_plus_2.eq(Mux(wraps, 2, row_plus_2 + 1)),
                first_row.eq(wraps),
            ]
            with m.If(first_row):
                m.d.sync += held.eq(rows)

        column = Signal(bits + 1)
        row = Signal(bits)
        m.d.comb += self.too_long.eq(column[-1])
        for shift in (0, self.reach):
            following = Signal(self.sum_shape, init=1 - shift, name=f"next_row_less_{shift}")
            diagonal = Signal(self.sum_shape, init=-shift, name=f"diagonal_less_{shift}")
            mirror = Signal(self.sum_shape, init=-1 - shift, name=f"mirror_less_{shift}")
            with m.If(go & valid):
                m.d.sync += [
                    diagonal.eq(diagonal - self.lanes),
                    mirror.eq(Mux(ends_row, -1 - shift, mirror - self.lanes)),
                ]
                with m.If(ends_row):
                    m.d.sync += diagonal.eq(Mux(wraps, -shift, following))
            with m.If(go & ends_row):
                m.d.sync += following.eq(Mux(wraps, 1 - shift, following + 1))
            self.diagonals.append(diagonal)
            self.mirrors.append(mirror)
            self.nexts.append(following)
        with m.If(go & valid):
            m.d.sync += column.eq(Mux(ends_row, 0, column + self.lanes))
        with m.If(go & ends_row):
            m.d.sync += row.eq(Mux(wraps, 0, self.nexts[0]))
        self.row, self.ends_row, self.first_row = row, ends_row, first_row
        if self.segments:
            self._count_segments()

    def _count_segments(self) -> None:
        """Find the segment in which the row lies: its columns are ``start`` to below ``end``.

        The lengths are looked at from the first row of a matrix on; a length of zero ends the list.
        """
        m, bits, count, first = self.m, self.bits, self.segments, self.first_row
        settings = [self.config.segments[k] for k in range(count)]
        lengths = [self.keep(length, f"length_{k}") for k, length in enumerate(settings)]
        starts = self.keep(settings[0].any(), "has_segments")
        place = Signal(range(count + 2), init=1)
        start, end, live = Signal(bits), Signal(bits), Signal()
        here, following = Signal.like(place), Signal(bits)
        self.start, self.end, self.inside = Signal(bits), Signal(bits), Signal()
        m.d.comb += [
            here.eq(Mux(first, 1, place)),
            self.start.eq(Mux(first, 0, start)),
            self.end.eq(Mux(first, lengths[0], end)),
            self.inside.eq(Mux(first, starts, live)),
        ]
        with m.Switch(here):
            for k in range(1, count):
                with m.Case(k):
                    m.d.comb += following.eq(lengths[k])
        with m.If(self.go & self.ends_row):
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

    def add_term(self, term: Any, *, name: str) -> Interval:
        """Add a term; return which lanes of the beat in the second stage it lets pass."""
        m, kind, kinds, always = self.m, term.kind, self.kinds, self.always
        low, high = (Signal(self.sum_shape, name=f"{name}_{side}") for side in ("low", "high"))
        with m.If(self.load):
            m.d.sync += [low.eq(-always), high.eq(-always)]
            with m.Switch(kind):
                for one, (least, most) in {
                    Kind.ALL: (-always, always),
                    Kind.EXTERNAL: (-always, always),
                    Kind.ROWS: (-always, always),
                    Kind.LOWER: (-always, term.a),
                    Kind.COLUMNS: (-always, term.a),
                    Kind.UPPER: (term.a, always),
                    Kind.BAND: (term.a, term.b),
                }.items():
                    if one in kinds:
                        with m.Case(one):
                            m.d.sync += [low.eq(least), high.eq(most)]
        of_segment: Value = Const(0)
        lows: list[Any] = list(self.diagonals)
        highs = lows
        low_offset, high_offset = low, high
        if kinds & {Kind.COLUMNS, Kind.SEGMENTS}:
            # A bit of the kind says which index the upper bound counts from.
            of_column = self.keep(kind[0], f"{name}_of_column")
            highs = [
                Mux(of_column, x, d) for x, d in zip(self.mirrors, self.diagonals, strict=True)
            ]
        if self.segments:
            of_segment = self.keep(kind == Kind.SEGMENTS, f"{name}_of_segment")
            lows = [
                Mux(of_segment, x, d) for x, d in zip(self.mirrors, self.diagonals, strict=True)
            ]
            end = Mux(self.inside, Cat(self.end, 0).as_signed(), -always)
            low_offset = Mux(of_segment, Cat(self.start, 0).as_signed(), low)
            high_offset = Mux(of_segment, end, high)
        row_fails = Signal(name=f"{name}_row_fails", reset_less=True)
        if Kind.ROWS in kinds:
            limit = self.keep(term.a, f"{name}_rows")
            of_row = self.keep(kind == Kind.ROWS, f"{name}_of_row")
            with m.If(self.go):
                m.d.sync += row_fails.eq(of_row & (Cat(self.row, 0).as_signed() >= limit))
        # The lane of the lower bound passes, and so does that of the upper one.
        return Interval(
            self._locate(
                lows if kinds & {Kind.UPPER, Kind.BAND, Kind.SEGMENTS} else None,
                low_offset,
                f"{name}_low",
                carry=of_segment,
                own=True,
            ),
            self._locate(
                highs if kinds & {Kind.LOWER, Kind.BAND, Kind.COLUMNS, Kind.SEGMENTS} else None,
                high_offset,
                f"{name}_high",
                own=False,
            ),
            row_fails,
        )

    def _locate(
        self, indices: Any, offset: Any, name: str, *, own: bool, carry: Value | None = None
    ) -> Bound:
        """Return where the sum of an index and an offset lies, with registers behind the sums.

        No logic stands between a sum and its registers. ``own`` says whether the lane at which the
        bound lies counts as reached. Without indices the offset is beyond every one of them, or
        below.
        """
        m = self.m
        before, inside = (Signal(name=f"{name}_{n}", reset_less=True) for n in ("before", "inside"))
        place = Signal(self.low_bits, name=f"{name}_place", reset_less=True)
        reached = Cat((place <= k) if own else (place < k) for k in range(self.lanes))
        if indices is None:
            with m.If(self.go):
                m.d.sync += before.eq(offset[-1])
            return Bound(before, inside, reached)
        totals = []
        for k, index in enumerate(indices):
            total = Signal(self.sum_shape, name=f"{name}_sum_{k}")
            if isinstance(carry, Signal):
                # A carry below the lowest bit makes one adder of what would be two.
                wide = Cat(1, index).as_signed() + Cat(carry, offset).as_signed()
                m.d.comb += total.eq((wide >> 1).as_signed())
            else:
                m.d.comb += total.eq(index + offset)
            totals.append(total)
        with m.If(self.go):
            m.d.sync += [
                before.eq(totals[0][-1]),
                inside.eq(totals[1][-1]),
                place.eq(totals[0][: self.low_bits]),
            ]
        return Bound(before, inside, reached)
