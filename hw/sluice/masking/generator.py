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
    """A bound of an interval of lanes: before the beat, inside of it, or beyond.

    ``inside`` also holds where it is before; ``reached`` tells for each lane whether a bound that
    is inside lies there or before.
    """

    before: Signal
    inside: Signal
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


def _at_most(value: Value, limit: int) -> Value:
    """Return ``value <= limit`` as gates from the lowest bit up: no adder, and one table."""
    found: Value = Const(limit >= 0, 1)
    for k, bit in enumerate(value):
        found = ~bit | found if max(limit, 0) >> k & 1 else ~bit & found
    return found


def _either(choice: Value, one: Value, other: Value) -> Value:
    """Return ``one`` if ``choice``, else ``other``, in gates: no more bits than the shorter."""
    width = min(len(one), len(other))
    chosen = choice.replicate(width)
    return (one[:width] & chosen) | (other[:width] & ~chosen)


def _or_constant(value: Any, is_constant: Value, constant: int) -> Value:
    """Return ``value``, or ``constant`` where ``is_constant``, in gates."""
    width = len(Value.cast(value))
    return _either(is_constant, Const(constant & ((1 << width) - 1), width), value)


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
    fresh : 1 bit
        The settings on ``config`` are those of the beat that enters, if one does.
    load : 1 bit
        ``go`` and ``fresh``.

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
        fresh: Value,
        load: Value,
    ):
        self.m, self.lanes, self.bits, self.segments = m, lanes, index_bits, segments
        self.config, self.kinds = config, kinds
        self.go, self.fresh, self.load = go, fresh, load
        # Bits below the part of a sum that tells whether a bound lies in this beat.
        self.low_bits = max(1, ceil_log2(lanes))
        self.reach = 1 << self.low_bits
        self.sum_shape = signed(max(index_bits, self.low_bits) + 3)
        # An offset that is beyond every index, and below every one if negative.
        self.always = 1 << self.sum_shape.width - 2
        self.too_long = Signal()
        self.diagonals: list[Signal] = []
        self.mirrors: list[Signal] = []
        self.nexts: list[Signal] = []
        self.starts: list[Value] = []

    def keep(self, value: Any, name: str) -> Signal:
        """Return a setting as it was for the row in the first stage."""
        kept = Signal(Value.cast(value).shape(), name=name, reset_less=True)
        with self.m.If(self.load):
            self.m.d.sync += kept.eq(value)
        return kept

    def count(self, *, beat_go: Value, row_go: Value, index_go: Value, ends_row: Value) -> None:
        """Add the counters of the beat in the first stage.

        Whether a row is the matrix's last is found out while the two before it pass, so that no
        comparison lies in the counters' loop. What a counter begins again with comes through gates:
        of a multiplexer Yosys would make an enable or a reset, one table more behind ``go``.

        Parameters
        ----------
        beat_go, row_go, index_go : 1 bit
            All stages move on, and there is a beat; it ends its row; there is one, or a row begins.
        ends_row : 1 bit
            The beat ends its row.
        """
        m, bits = self.m, self.bits
        self.row_go, self.index_go = row_go, index_go
        wraps = Signal()
        # `nears` says so of the row behind the next, each half of the comparison in a bit.
        first_row, ends, nears = Signal(init=1), Signal(), Signal(2)
        rows = self.keep(self.config.rows, "rows")
        one, two, three = (self.keep(self.config.rows == k, f"rows_is_{k}") for k in (1, 2, 3))
        m.d.comb += wraps.eq(Mux(first_row, one, ends) & ends_row)
        for shift in (0, self.reach):
            following = Signal(self.sum_shape, init=1 - shift, name=f"next_row_less_{shift}")
            diagonal = Signal(self.sum_shape, init=-shift, name=f"diagonal_less_{shift}")
            mirror = Signal(self.sum_shape, init=-1 - shift, name=f"mirror_less_{shift}")
            begun = Signal(self.sum_shape, name=f"begun_less_{shift}")
            m.d.comb += begun.eq(_or_constant(following, wraps, -shift))
            with m.If(row_go):
                m.d.sync += following.eq(_or_constant(following + 1, wraps, 1 - shift))
            with m.If(beat_go):
                m.d.sync += [
                    mirror.eq(_or_constant(mirror - self.lanes, ends_row, -1 - shift)),
                    diagonal.eq(_either(ends_row, begun, diagonal - self.lanes)),
                ]
            self.diagonals.append(diagonal)
            self.mirrors.append(mirror)
            self.nexts.append(following)
            self.starts.append(_either(ends_row, begun, diagonal))
        m.d.comb += self.too_long.eq(~self.mirrors[0][bits])
        near_row, half, following = Signal(bits), bits // 2, self.nexts[0][:bits]
        with m.If(first_row):
            m.d.sync += near_row.eq(rows - 2)
        with m.If(row_go):
            m.d.sync += [
                ends.eq(Mux(first_row, two, nears.all())),
                nears[0].eq(Mux(first_row, three, following[:half] == near_row[:half])),
                nears[1].eq(Mux(first_row, three, following[half:] == near_row[half:])),
                first_row.eq(wraps),
            ]
        self.first_row = first_row
        if self.segments:
            self._count_segments()

    def _count_segments(self) -> None:
        """Find the segment in which the row lies: its columns are ``start`` to below ``end``.

        The lengths are looked at from the first row of a matrix on; a length of zero ends the list.
        """
        m, bits, count, first = self.m, self.bits, self.segments, self.first_row
        # Of each length also whether it is one, and whether it is there at all.
        lengths = [
            self.keep(Cat(length, length == 1, length.any()), f"length_{k}")
            for k, length in enumerate(self.config.segments[k] for k in range(count))
        ]
        none = Const(0, bits + 2)
        place, here = Signal(range(count + 2), init=1), Signal(range(count + 2))
        start, end, live = Signal(bits), Signal(bits), Signal()
        # Rows of this segment from here on, and whether it is one; the lengths of the next segment
        # and of the one behind it. At the first row of a matrix all of them are in the settings.
        left, one_left = Signal(bits), Signal()
        left_now, ends = Signal(bits), Signal()
        coming, following, beyond = Signal(bits + 2), Signal(bits + 2), Signal(bits + 2)
        self.start, self.end, self.inside = Signal(bits), Signal(bits), Signal()
        m.d.comb += [
            here.eq(Mux(first, 1, place)),
            self.start.eq(Mux(first, 0, start)),
            self.end.eq(Mux(first, lengths[0][:bits], end)),
            self.inside.eq(Mux(first, lengths[0][-1], live)),
            left_now.eq(Mux(first, lengths[0][:bits], left)),
            ends.eq(self.inside & Mux(first, lengths[0][-2], one_left)),
            following.eq(Mux(first, lengths[1] if count > 1 else none, coming)),
        ]
        with m.Switch(here):
            for k in range(2, count):
                with m.Case(k - 1):
                    m.d.comb += beyond.eq(lengths[k])
        with m.If(self.row_go):
            m.d.sync += [
                start.eq(self.start),
                end.eq(self.end),
                live.eq(self.inside),
                place.eq(here),
                coming.eq(following),
                left.eq(left_now - 1),
                one_left.eq(left_now == 2),
            ]
            with m.If(ends):
                m.d.sync += [
                    start.eq(self.end),
                    end.eq(self.end + following[:bits]),
                    live.eq(following[-1]),
                    place.eq(here + 1),
                    coming.eq(beyond),
                    left.eq(following[:bits]),
                    one_left.eq(following[-2]),
                ]
        end_or_none = Mux(self.inside, Cat(self.end, 0).as_signed(), -self.always)
        start = Cat(self.start, 0).as_signed()
        self.segment = Interval(
            self._locate(self.mirrors, start, "segment_start", own=True, carry=True),
            self._locate(self.mirrors, end_or_none, "segment_end", own=False),
            Const(0),
        )

    def add_term(self, term: Any, *, name: str) -> Interval:
        """Add a term; return which lanes of the beat in the second stage it lets pass."""
        m, kind, kinds = self.m, term.kind, self.kinds
        tops = {
            side: Signal(3, name=f"{name}_{side}_top", init=0b110, reset_less=True)
            for side in ("low", "high")
        }
        # The three highest bits are enough to take a bound beyond every index, or below: they are
        # 010 or 110 then, and else copies of the sign. Two tables deep, and gates throughout: of a
        # multiplexer of constants Yosys would make resets behind `load`.
        upper = Mux(kind[3], term.b, term.a).as_signed() if Kind.BAND in kinds else term.a
        of_low = self._is(kind, Kind.UPPER, Kind.BAND)
        of_high = self._is(kind, Kind.LOWER, Kind.COLUMNS, Kind.BAND)
        passes = self._is(kind, Kind.ALL, Kind.EXTERNAL, Kind.ROWS, Kind.SEGMENTS, Kind.UPPER)
        sign = {"low": term.a[-1], "high": upper[-1]}
        with m.If(self.load):
            m.d.sync += [
                tops["low"].eq(Cat(of_low & sign["low"], (~of_low | sign["low"]).replicate(2))),
                tops["high"].eq(
                    Cat(
                        of_high & sign["high"],
                        ~of_high | sign["high"],
                        (of_high & sign["high"]) | ~(of_high | passes),
                    )
                ),
            ]
        value_a = value_b = self.keep(term.a, f"{name}_a")
        if Kind.BAND in kinds:
            value_b = self.keep(upper, f"{name}_b")
        highs: list[Any] = list(self.diagonals)
        if Kind.COLUMNS in kinds and kinds & {Kind.LOWER, Kind.BAND}:
            highs = self._choose_index(kind, name)
        elif Kind.COLUMNS in kinds:
            highs = list(self.mirrors)
        sides = {
            "low": (self.diagonals, value_a, {Kind.UPPER, Kind.BAND}),
            "high": (highs, value_b, {Kind.LOWER, Kind.COLUMNS, Kind.BAND}),
        }
        bounds = []
        for side, (indices, value, users) in sides.items():
            offset = Signal(self.sum_shape, name=f"{name}_{side}_offset")
            m.d.comb += [offset.eq(value), offset[-3:].eq(tops[side])]
            # Where no kind needs it, the sign of the offset alone tells.
            index = indices if kinds & users else [Const(0, self.sum_shape)] * 2
            bounds.append(self._locate(index, offset, f"{name}_{side}", own=side == "low"))
        low, high = bounds
        row_fails: Value = Const(0)
        if Kind.ROWS in kinds:
            # Rows from `a` on: the sign of what is left behind this row, one adder and no more.
            left = Signal(self.sum_shape, name=f"{name}_rows_left")
            ended, of_row = (
                Signal(name=f"{name}_{n}", reset_less=True) for n in ("ended", "of_row")
            )
            m.d.comb += left.eq(value_a - self.nexts[0])
            with m.If(self.go):
                m.d.sync += [
                    ended.eq(left[-1]),
                    of_row.eq(self.keep(kind == Kind.ROWS, f"{name}_of_row_1")),
                ]
            row_fails = of_row & ended
        return Interval(low, high, row_fails)

    def _is(self, kind: Any, *kinds: Kind) -> Value:
        """Return whether the kind is one of those, and built."""
        return Cat(kind == k for k in kinds if k in self.kinds).any()

    def _choose_index(self, kind: Any, name: str) -> list[Any]:
        """Return the index that the term's upper bound counts from, in counters of its own.

        To choose between two counters would put a table ahead of the adder, in the longest path.
        """
        chosen = []
        for shift, start in zip((0, self.reach), self.starts, strict=True):
            index = Signal(self.sum_shape, init=-shift, name=f"{name}_index_less_{shift}")
            # A bit of the kind says that it is the column.
            begun = _or_constant(start, kind[0], -1 - shift)
            with self.m.If(self.index_go):
                self.m.d.sync += index.eq(_either(self.fresh, begun, index - self.lanes))
            chosen.append(index)
        return chosen

    def _locate(
        self, indices: Any, offset: Any, name: str, *, own: bool, carry: bool = False
    ) -> Bound:
        """Return where the sum of an index and an offset lies.

        No logic stands between a sum and its registers. ``own`` says whether the lane at which the
        bound lies counts as reached. With ``carry`` the sum is one more: a carry below the lowest
        bit makes one adder of what would be two.
        """
        totals = []
        for k, index in enumerate(indices):
            total = Signal(self.sum_shape, name=f"{name}_sum_{k}")
            if carry:
                wide = Cat(1, index).as_signed() + Cat(1, offset).as_signed()
                self.m.d.comb += total.eq((wide >> 1).as_signed())
            else:
                self.m.d.comb += total.eq(index + offset)
            totals.append(total)
        held = Signal(self.low_bits, name=f"{name}_place", reset_less=True)
        bound = Bound(
            Signal(name=f"{name}_before", reset_less=True),
            Signal(name=f"{name}_inside", reset_less=True),
            Cat(_at_most(held, k - (not own)) for k in range(self.lanes)),
        )
        with self.m.If(self.go):
            self.m.d.sync += [
                bound.before.eq(totals[0][-1]),
                bound.inside.eq(totals[1][-1]),
                held.eq(totals[0][: self.low_bits]),
            ]
        return bound
