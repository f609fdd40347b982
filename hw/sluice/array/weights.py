"""The order in which the tiles of ``b`` are read, and when."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.command import command_layout, operand_layout
from sluice.array.counts import Left, register

__all__ = ["Weights"]


class Weights(wiring.Component):
    """Read the tiles of ``b`` in their order, one ahead of the array.

    Tile after tile: those across the result's columns inside, those along the inner dimension
    outside. A tile is read from its first column to its last.

    Parameters
    ----------
    size, columns : int
        Of a tile.
    lead : int, 1..columns
        Columns of a tile that are read before it may be used.
    group : int
        Places that a tag can name, a power of two.
    count_bits : int
        Of the commands.
    block_bits : int
        Of addresses in the scratchpad.

    Members
    -------
    commands : In(stream.Signature(command_layout(count_bits)))
    free : In(1)
        The array has taken the tile that was read last.
    first : Out(1)
        To the array, with what is read: the first column of a tile.
    block, index, across : Out
        To the scratchpad.
    ragged, last : Out(1), Out(range(size))
        Only some of the rows are in use, up to ``last``.
    sparse : Out(1)
        Weights have tags.
    part : Out(range(group / size))
        Which tile it is of those in a group.
    loaded : Out(1)
        The tile may be used from the next cycle on.
    """

    commands: stream.Interface
    free: Signal
    first: Signal
    block: Signal
    index: Signal
    across: Signal
    ragged: Signal
    last: Signal
    sparse: Signal
    part: Signal
    loaded: Signal

    def __init__(
        self, *, size: int, columns: int, lead: int, group: int, count_bits: int, block_bits: int
    ):
        self.count_bits, self.block_bits = count_bits, block_bits
        self.parts = max(0, group.bit_length() - size.bit_length())
        # Tiles that are left: along the inner dimension, and across the columns.
        self.left_k, self.left_n = (Left(n, count_bits) for n in ("left_k", "left_n"))
        self.levels, self.columns, self.lead = size.bit_length() - 1, columns, lead
        self.last_k = register(range(size), "last_k")
        # The first column of a tile is read in this cycle.
        self.begins = Signal()
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(count_bits))),
                "free": In(1),
                "first": Out(1),
                "block": Out(block_bits),
                "index": Out(self.levels),
                "across": Out(1),
                "ragged": Out(1),
                "last": Out(range(size)),
                "sparse": Out(1),
                "part": Out(self.parts),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command = self.commands.payload
        running, last, reads = Signal(), self.last_k, Signal()
        sparse, part = register(1, "sparse"), register(self.parts, "part")
        b: Any = register(operand_layout(self.block_bits), "b")
        column = register(range(self.columns), "column")
        left_k, left_n = self.left_k, self.left_n
        tiles_n = register(self.count_bits, "tiles_n")
        # The block of the column, and the first one of the first tile that far along.
        pointer, along = (register(self.block_bits, n) for n in ("pointer", "along"))
        ends, ends_row, ends_all = Signal(), Signal(), Signal()
        m.d.comb += [
            reads.eq(running & ((column != 0) | self.free)),
            self.begins.eq(reads & (column == 0)),
            ends.eq(reads & (column == self.columns - 1)),
            ends_row.eq(ends & left_n.last),
            ends_all.eq(ends_row & left_k.last),
            self.loaded.eq(reads & (column == self.lead - 1)),
            self.commands.ready.eq(~running | ends_all),
        ]
        m.d.sync += [
            self.first.eq(self.begins),
            self.block.eq(pointer),
            self.index.eq(column),
            self.across.eq(b.columns),
            self.ragged.eq(left_k.last),
            self.last.eq(last),
            self.sparse.eq(sparse),
            self.part.eq(part),
        ]
        with m.If(reads):
            m.d.sync += column.eq(column + 1)
            with m.If(column[: self.levels].all()):
                m.d.sync += pointer.eq(pointer + b.across)
        with m.If(ends):
            m.d.sync += left_n.step()
        with m.If(ends_row):
            following = along + b.along
            m.d.sync += [pointer.eq(following), along.eq(following)]
            m.d.sync += [*left_n.begin(tiles_n), *left_k.step(), part.eq(part + 1)]
        with m.If(ends_all):
            m.d.sync += running.eq(0)
        with m.If(self.commands.valid & self.commands.ready):
            m.d.sync += [
                running.eq(1),
                *(b[name].eq(command.b[name]) for name in ("along", "across", "columns")),
                last.eq(command.last_k),
                sparse.eq(command.sparse),
                part.eq(0),
                column.eq(0),
                tiles_n.eq(command.tiles_n),
                *left_k.begin(command.tiles_k),
                *left_n.begin(command.tiles_n),
                along.eq(command.b.block),
                pointer.eq(command.b.block),
            ]
        return m
