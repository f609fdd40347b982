"""Masks made from indices: each term is an interval of columns, so a lane costs no comparator."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from sluice.masking.settings import Kind

__all__ = ["IndexCounter", "SegmentCounter", "add_term", "lane_bits"]


class IndexCounter:
    """Row and column of the first lane of the beat that comes next.

    Attributes
    ----------
    row : Signal
    not_base, not_row : Signal
        ``-column - 1`` and ``-row - 1``: what an inclusive upper bound is added to.
    diagonal : Signal
        ``row - column``.
    """

    def __init__(self, m: Module, *, bits: int, lanes: int, accept: Value, last: Value, rows: Any):
        self.lanes, self.bits = lanes, bits
        self.row, self.next_row = Signal(bits), Signal(bits, init=1)
        self.column = Signal(bits + 1)
        self.diagonal = Signal(signed(bits + 2))
        following = Signal(bits)
        self.wraps = Signal()
        m.d.comb += [
            self.wraps.eq(self.next_row == rows),
            following.eq(Mux(self.wraps, 0, self.next_row)),
        ]
        with m.If(accept):
            m.d.sync += [
                self.column.eq(self.column + lanes),
                self.diagonal.eq(self.diagonal - lanes),
            ]
            with m.If(last):
                m.d.sync += [
                    self.column.eq(0),
                    self.row.eq(following),
                    self.next_row.eq(following + 1),
                    self.diagonal.eq(following),
                ]

    @property
    def not_base(self) -> Value:
        return (~self.column).as_signed()

    @property
    def not_row(self) -> Value:
        return (~Cat(self.row, 0)).as_signed()


class SegmentCounter:
    """The segment in which the row lies: its columns are from ``start`` to below ``end``.

    The lengths are looked at from the first row of a matrix on; a length of zero ends the list.
    """

    def __init__(self, m: Module, indices: IndexCounter, *, accept: Value, last: Value, lengths: Any):
        bits, count = indices.bits, len(lengths)
        place = Signal(range(count + 2), init=1)
        start, end = Signal(bits), Signal(bits)
        self.start, self.end = Signal(bits), Signal(bits)
        self.inside = Signal()
        live, following = Signal(), Signal(bits)
        first = Signal()
        m.d.comb += [
            first.eq(indices.row == 0),
            self.start.eq(Mux(first, 0, start)),
            self.end.eq(Mux(first, lengths[0], end)),
            self.inside.eq(Mux(first, lengths[0].any(), live)),
        ]
        with m.Switch(Mux(first, 1, place)):
            for k in range(1, count):
                with m.Case(k):
                    m.d.comb += following.eq(lengths[k])
        with m.If(accept & last):
            m.d.sync += [start.eq(self.start), end.eq(self.end), live.eq(self.inside)]
            m.d.sync += place.eq(Mux(first, 1, place))
            with m.If(indices.next_row == self.end):
                m.d.sync += [
                    start.eq(self.end),
                    end.eq(self.end + following),
                    live.eq(self.inside & following.any()),
                    place.eq(Mux(first, 1, place) + 1),
                ]


def bound_layout(width: int) -> data.StructLayout:
    """Return what the first stage keeps of a term."""
    return data.StructLayout(
        {
            "low": signed(width),
            "low_free": 1,
            "high": signed(width),
            "high_free": 1,
            "whole_row": 1,
            "never": 1,
            "external": 1,
            "invert": 1,
            "operation": 1,
        }
    )


def add_term(
    m: Module, term: Any, indices: IndexCounter, segments: SegmentCounter | None
) -> data.View:
    """Return the bounds of a term for the beat at ``indices``, relative to its first lane.

    Lane ``k`` passes if ``low <= k <= high``, where a free bound always holds; with ``whole_row``
    the upper bound is that of the row, and holds for all lanes if ``high`` is not negative.
    """
    width = indices.bits + 3
    bounds = Signal(bound_layout(width))
    kind = term.kind
    diagonal_low = Signal()
    m.d.comb += [
        diagonal_low.eq(kind != Kind.SEGMENTS),
        bounds.low_free.eq(
            (kind != Kind.UPPER) & (kind != Kind.BAND) & (kind != Kind.SEGMENTS)
        ),
        bounds.high_free.eq(
            (kind == Kind.ALL) | (kind == Kind.UPPER) | (kind == Kind.EXTERNAL)
        ),
        bounds.whole_row.eq(kind == Kind.ROWS),
        bounds.never.eq(kind == Kind.NONE),
        bounds.external.eq(kind == Kind.EXTERNAL),
        bounds.invert.eq(term.invert),
        bounds.operation.eq(term.operation),
    ]
    low_base: Value = indices.diagonal
    low_offset: Value = term.a
    carry: Value = Const(0, 1)
    high_offset: Value = Mux(kind == Kind.BAND, term.b, term.a)
    if segments is not None:
        low_base = Mux(diagonal_low, indices.diagonal, indices.not_base)
        low_offset = Mux(diagonal_low, term.a, segments.start)
        high_offset = Mux(kind == Kind.SEGMENTS, segments.end, high_offset)
        carry = ~diagonal_low
        m.d.comb += bounds.never.eq(
            (kind == Kind.NONE) | ((kind == Kind.SEGMENTS) & ~segments.inside)
        )
    else:
        m.d.comb += bounds.never.eq((kind == Kind.NONE) | (kind == Kind.SEGMENTS))
    diagonal_high = (kind == Kind.LOWER) | (kind == Kind.BAND)
    high_base = Mux(
        diagonal_high,
        indices.diagonal,
        Mux(kind == Kind.ROWS, indices.not_row, indices.not_base),
    )
    # The carry enters below the lowest bit, which makes one adder of what would be two.
    low = Cat(1, low_base.as_signed()).as_signed() + Cat(carry, low_offset.as_signed()).as_signed()
    m.d.comb += [
        bounds.low.eq((low >> 1).as_signed()),
        bounds.high.eq(high_base.as_signed() + high_offset.as_signed()),
    ]
    return bounds


def lane_bits(bounds: Any, lanes: int) -> Value:
    """Return one bit per lane: set where ``low <= lane <= high``."""
    bits = []
    for k in range(lanes):
        above = bounds.low_free | (bounds.low <= k)
        below = bounds.high_free | Mux(bounds.whole_row, bounds.high >= 0, bounds.high >= k)
        bits.append(above & below & ~bounds.never)
    return Cat(bits)
