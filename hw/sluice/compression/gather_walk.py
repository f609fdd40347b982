"""The order in which a matrix of indices is read, for a product with it or with its transpose."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.counts import Left, register

__all__ = ["GatherWalk", "command_layout", "encode_command"]


def command_layout(count_bits: int) -> data.StructLayout:
    """Return the layout of a command: a product of some vectors with the matrix, or its transpose.

    Parameters
    ----------
    count_bits : int
        Of a number of rows or columns.

    Members
    -------
    fresh : 1
        With the next matrix and the next table, which all commands behind it use as well.
    transpose : 1
        With the transpose.
    last_row, last_column : count_bits
        Of the matrix: how many it has, less one.
    last_vector : count_bits
        How many vectors there are, less one.
    """
    counts = dict.fromkeys(("last_row", "last_column", "last_vector"), count_bits)
    return data.StructLayout({"fresh": 1, "transpose": 1, **counts})


def encode_command(count_bits: int, **fields: int) -> int:
    """Return the payload of a command; fields that are not given are zero."""
    layout: Any = command_layout(count_bits)
    return layout.const(fields).as_value().value


class GatherWalk(wiring.Component):
    """For every vector, go along every line of the matrix: a column, or a row of the transpose.

    Parameters
    ----------
    size : int, a power of two from 2
        Rows and columns of a block, and elements of a beat.
    blocks : int, a power of two from 2
        Of the matrix.
    beats : int, a power of two from 2
        Of a vector.
    count_bits : int

    Members
    -------
    commands : In(stream.Signature(command_layout(count_bits)))
    loaded : In(1)
        The next matrix is there.
    there : In(1)
        The next vector is.
    room : In(1)
        A beat may go.
    takes : Out(1)
        The next matrix becomes the one that is read, from the next cycle on.
    offers : Out(1)
        There is a beat, which goes if there is room.
    block, index, across : Out
        Where it is in the scratchpad.
    word : Out(range(beats))
        And in the vector.
    last, last_lane : Out(1), Out(range(size))
        It is the last one of its line, in which this is the last lane that counts.
    ends : Out(1)
        The line is the last one for the vector.
    fresh : Out(1)
        It is the first beat for a matrix.
    leaves : Out(1)
        The vector is not needed any more.
    """

    commands: stream.Interface
    loaded: Signal
    there: Signal
    room: Signal
    takes: Signal
    offers: Signal
    block: Signal
    index: Signal
    across: Signal
    word: Signal
    last: Signal
    last_lane: Signal
    ends: Signal
    fresh: Signal
    leaves: Signal

    def __init__(self, *, size: int, blocks: int, beats: int, count_bits: int):
        self.levels = size.bit_length() - 1
        steps = (blocks - 1).bit_length()
        # A count of all but none.
        counts = dict.fromkeys(("beats", "lines", "vectors"), count_bits + 1)
        ways = dict.fromkeys(("along", "beyond"), steps)
        flags = dict.fromkeys(("fresh", "rows"), 1)
        layout = {**counts, **ways, **flags, "last_lane": self.levels}
        self.now: Any = register(data.StructLayout(layout), "now")
        self.left = {name: Left(f"left_{name}", count_bits + 1) for name in counts}
        # A command is under way.
        self.runs = Signal(name="runs")
        outputs = ("takes", "offers", "across", "last", "ends", "fresh", "leaves")
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(count_bits))),
                **{name: In(1) for name in ("loaded", "there", "room")},
                **{name: Out(1) for name in outputs},
                "block": Out(steps),
                "index": Out(self.levels),
                "word": Out((beats - 1).bit_length()),
                "last_lane": Out(self.levels),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        given, now, left = self.commands.payload, self.now, self.left
        waits, runs, begins, goes = Signal(), self.runs, Signal(), Signal()
        # The first block of a line.
        line = register(len(self.block), "line")
        inner = Mux(given.transpose, given.last_column, given.last_row)
        lines = Mux(given.transpose, given.last_row, given.last_column)
        wide = (given.last_column >> self.levels) + 1
        m.d.comb += [
            self.commands.ready.eq(~(waits | runs)),
            begins.eq(waits & (self.loaded | ~now.fresh)),
            self.takes.eq(begins & now.fresh),
            self.offers.eq(runs & self.there),
            goes.eq(self.offers & self.room),
            self.across.eq(~now.rows),
            self.last.eq(left["beats"].last),
            self.last_lane.eq(now.last_lane),
            self.ends.eq(left["lines"].last),
            self.leaves.eq(goes & self.last & self.ends),
        ]
        with m.If(self.commands.valid & self.commands.ready):
            m.d.sync += [
                waits.eq(1),
                now.fresh.eq(given.fresh),
                now.rows.eq(given.transpose),
                now.beats.eq((inner >> self.levels) + 1),
                now.last_lane.eq(inner),
                now.lines.eq(lines + 1),
                now.vectors.eq(given.last_vector + 1),
                now.along.eq(Mux(given.transpose, 1, wide)),
                now.beyond.eq(Mux(given.transpose, wide, 1)),
            ]
        with m.If(begins):
            m.d.sync += [waits.eq(0), runs.eq(1), self.fresh.eq(now.fresh)]
            m.d.sync += [signal.eq(0) for signal in (self.block, self.index, self.word, line)]
            m.d.sync += [count.begin(now[name]) for name, count in left.items()]
        with m.If(goes):
            m.d.sync += [self.block.eq(self.block + now.along), self.word.eq(self.word + 1)]
            m.d.sync += [self.fresh.eq(0), *left["beats"].step()]
            with m.If(self.last):
                m.d.sync += [self.block.eq(line), self.word.eq(0), self.index.eq(self.index + 1)]
                m.d.sync += [*left["beats"].begin(now.beats), *left["lines"].step()]
                with m.If(self.index.all()):
                    m.d.sync += [self.block.eq(line + now.beyond), line.eq(line + now.beyond)]
                with m.If(self.ends):
                    m.d.sync += [signal.eq(0) for signal in (self.block, self.index, line)]
                    m.d.sync += [*left["lines"].begin(now.lines), *left["vectors"].step()]
                    with m.If(left["vectors"].last):
                        m.d.sync += runs.eq(0)
        return m
