"""Rows of a triangular matrix, two by two in one."""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS, find_format
from sluice.masking.output import add_marked_output
from sluice.params import Choice, Int
from sluice.stream import Beat, run_of

__all__ = ["RowMerge"]


class Part(enum.Enum, shape=2):
    """What a row is for the merged row that it goes into."""

    FIRST = 0
    SECOND = 1
    MIDDLE = 2
    LAST = 3


class RowMerge(Block):
    """Merge rows of a lower triangular matrix, so that no lane carries a masked element.

    Of row ``r`` of a matrix of ``rows`` rows only the first ``r + 1`` elements are not masked.
    Row ``r`` and row ``rows - 2 - r`` have ``rows`` of them together, which make one packet. The
    last row is full and makes one alone, and so does, with half as many elements, the row in the
    middle that would be its own partner where ``rows`` is even.

    Rows come in the order in which they go out: ``0, rows - 2, 1, rows - 3, ...``, the middle one,
    the last one. Any other order would have to keep whole rows; in this one less than two beats are
    kept, whatever the length of a row.

    Parameters
    ----------
    element : format
        Of the data. Elements are not looked at.
    lanes : int, 1..64
        Elements per beat.
    index_bits : int, 2..24
        Bits of the number of rows.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
        One packet per row. What lies behind its first ``r + 1`` elements is dropped and may be left
        out.
    o : Out(stream.Signature(Beat(element, lanes)))
        One packet per merged row: ``rows // 2 + 1`` of them for a matrix.
    o_mark : Out(stream.Signature(Beat(bit, lanes)))
        For every beat of ``o``, with the same ``keep`` and ``last``, which elements are of the
        second of the two rows: where a softmax begins its next sum.
    config : In(StructLayout({"rows": index_bits}))
        Sampled at the first beat of a matrix; zero means 2**index_bits.
    status : Out(StructLayout({"short_row": 1}))
        Sticky: a row had fewer than ``r + 1`` elements. Its merged row is shorter by as many.

    Attributes
    ----------
    latency : 3 cycles
        One more where the end of a merged row is left over from a beat.
    interval : 1 cycle
        Between input beats, without exception: a pair of rows never makes more beats than it takes.

    Notes
    -----
    ``i.ready`` depends on ``o.ready`` and ``o_mark.ready`` in the same cycle; outputs are
    registered. Reset drops what is on the way and begins a matrix.

    Method: WO2023229679A1 (rows of a triangular mask merged for normalisation).
    Golden model: :func:`sluice_sim.golden.row_merge.merge_rows`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    o_mark: stream.Interface
    config: Any
    status: Any
    same_packets = False
    latency = 3
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", tuple(n for n in FORMATS if n != "bit")),
        Int("lanes", "elements per beat", 1, 64),
        Int("index_bits", "bits of the number of rows", 2, 24, "bits"),
    )

    def __init__(self, *, element: str = "bf16", lanes: int = 8, index_bits: int = 16):
        self.check(element=element, lanes=lanes, index_bits=index_bits)
        self.element: str
        self.lanes: int
        self.index_bits: int
        self.number = find_format(self.element)
        self.beat = Beat(self.number, self.lanes)
        super().__init__(
            {
                "i": In(stream.Signature(self.beat)),
                "o": Out(stream.Signature(self.beat)),
                "o_mark": Out(stream.Signature(Beat(FORMATS["bit"], self.lanes))),
                "config": In(data.StructLayout({"rows": self.index_bits})),
                "status": Out(data.StructLayout({"short_row": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        go = Signal()
        lanes, full = self.lanes, (1 << self.lanes) - 1
        width = self.number.width

        # Stage 1: how many elements of the beat belong to the merged row, and whether they end it.
        beat = self.i.payload
        accept = Signal()
        m.d.comb += [self.i.ready.eq(go), accept.eq(self.i.valid & go)]
        left, second, closes = self.add_rows(m, accept)
        wanted, done = Signal(lanes), Signal()
        m.d.comb += wanted.eq(run_of(left, lanes))
        count_1, ends_1, mark_1 = Signal(range(lanes + 1)), Signal(), Signal(reset_less=True)
        words_1 = [Signal(width, name=f"word_{k}_1", reset_less=True) for k in range(lanes)]
        with m.If(go):
            m.d.sync += [
                count_1.eq(Mux(self.i.valid, _count(wanted & beat.keep), 0)),
                ends_1.eq(self.i.valid & closes & ~done & ((left <= lanes) | beat.last)),
                mark_1.eq(second),
            ]
            m.d.sync += [w.eq(Value.cast(beat.data[k])) for k, w in enumerate(words_1)]
        with m.If(accept):
            m.d.sync += done.eq(~beat.last & (done | (left <= lanes)))
            with m.If(beat.last & ((left > lanes) | (wanted & ~beat.keep).any())):
                m.d.sync += self.status.short_row.eq(1)

        # Stage 2: turn the beat to where the elements that are kept end. `fill` is their number
        # once stage 3 has done what it is told; with `whole` they go out as they are, because they
        # are as many as the lanes or, with `ended`, the last of a merged row.
        fill, whole, ended = Signal(range(lanes + 1)), Signal(), Signal()
        start, total = Signal(range(lanes + 1)), Signal(range(2 * lanes + 1))
        spills, emits = Signal(), Signal()
        m.d.comb += [
            start.eq(Mux(whole, 0, fill)),
            total.eq(start + count_1),
            spills.eq(total > lanes),
            emits.eq(ends_1 | (total >= lanes)),
        ]
        emits_2, last_2, mark_2 = Signal(), Signal(), Signal(reset_less=True)
        keep_2, held_2 = Signal(lanes, reset_less=True), Signal(lanes, reset_less=True)
        words_2 = [Signal(width, name=f"word_{k}_2", reset_less=True) for k in range(lanes)]
        with m.If(go):
            m.d.sync += [
                emits_2.eq(whole | emits),
                last_2.eq(Mux(whole, ended, ends_1 & ~spills)),
                mark_2.eq(mark_1),
                keep_2.eq(run_of(Mux(whole, fill, total), lanes)),
                held_2.eq(Mux(whole, full, run_of(start, lanes))),
                # What is kept next: of a whole beat all that came, else what there is no room for.
                whole.eq(Mux(whole, emits, ends_1 & spills)),
                ended.eq(ends_1),
                fill.eq(Mux(emits & ~whole, Mux(spills, total - lanes, 0), total)),
            ]
            m.d.sync += [w.eq(word) for w, word in zip(words_2, _turn(words_1, start), strict=True)]

        # Stage 3: what goes out is the elements kept, and behind them those of the beat.
        words = [Signal(width + 1, name=f"kept_{k}", reset_less=True) for k in range(lanes)]
        out = Signal(self.beat, reset_less=True)
        marks, valid = Signal(lanes, reset_less=True), Signal()
        with m.If(go):
            m.d.sync += [valid.eq(emits_2), out.keep.eq(keep_2), out.last.eq(last_2)]
            for k in range(lanes):
                word, held = Cat(words_2[k], mark_2), held_2[k]
                m.d.sync += Cat(Value.cast(out.data[k]), marks[k]).eq(Mux(held, words[k], word))
                with m.If(emits_2 | ~held):
                    m.d.sync += words[k].eq(word)
        taken = add_marked_output(m, valid, out, marks, o=self.o, o_mark=self.o_mark)
        m.d.comb += go.eq(~valid | taken)
        return m

    def add_rows(self, m: Module, accept: Value) -> tuple[Signal, Value, Value]:
        """Follow the order of the rows.

        Returns
        -------
        left : Signal
            Elements of the row, from this beat on, that are not masked.
        second : 1 bit
            The row is the second of its pair.
        closes : 1 bit
            The row ends its merged row.
        """
        beat, lanes, bits = self.i.payload, self.lanes, self.index_bits + 1
        left, held = Signal(bits, init=1), Signal(bits)
        # `opening` for the first row of a matrix, `begins` for its first beat.
        opening, begins = Signal(init=1), Signal(init=1)
        later, part = Signal(Part), Signal(Part)
        rows = Signal(bits)
        # Lengths of the next first row, and of the second row that belongs to it.
        first, second = Signal(bits, init=1), Signal(bits)
        m.d.comb += [
            rows.eq(Mux(begins, Cat(self.config.rows, ~self.config.rows.any()), held)),
            part.eq(later),
        ]
        with m.If(opening):
            m.d.comb += part.eq(Mux(rows == 1, Part.LAST, Mux(rows == 2, Part.MIDDLE, Part.FIRST)))
        with m.If(accept):
            m.d.sync += [held.eq(rows), begins.eq(0), left.eq(Mux(left > lanes, left - lanes, 0))]
        with m.If(accept & beat.last):
            m.d.sync += opening.eq(0)
            with m.Switch(part):
                with m.Case(Part.FIRST):
                    m.d.sync += [
                        later.eq(Part.SECOND),
                        left.eq(Mux(opening, rows - 1, second)),
                        second.eq(Mux(opening, rows - 2, second - 1)),
                        first.eq(first + 1),
                    ]
                with m.Case(Part.SECOND):
                    m.d.sync += [later.eq(Part.FIRST), left.eq(first)]
                    with m.If(first == second):
                        m.d.sync += later.eq(Part.MIDDLE)
                    with m.Elif(first > second):
                        m.d.sync += [later.eq(Part.LAST), left.eq(rows)]
                with m.Case(Part.MIDDLE):
                    m.d.sync += [later.eq(Part.LAST), left.eq(rows)]
                with m.Case(Part.LAST):
                    m.d.sync += [left.eq(1), first.eq(1), opening.eq(1), begins.eq(1)]
        return left, part == Part.SECOND, part != Part.FIRST


def _turn(words: Sequence[Value], places: Value) -> list[Value]:
    """Return ``words`` turned upwards by ``places``, which is less than their number."""
    found = list(words)
    for k, bit in enumerate(Value.cast(places)):
        by = 1 << k
        found = [Mux(bit, found[(j - by) % len(words)], w) for j, w in enumerate(found)]
    return found


def _count(run: Value) -> Value:
    """Return how many bits a run of ones from bit 0 has."""
    found: Value = Const(0, 1)
    for k in range(len(run)):
        ends = run[k] & ~run[k + 1] if k + 1 < len(run) else run[k]
        size = (k + 1).bit_length()
        found = found | (ends.replicate(size) & Const(k + 1, size))
    return found
