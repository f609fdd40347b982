"""Rows of the dense matrix to their memory."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.counts import Left
from sluice.sparsity.sparse_command import command_layout
from sluice.stream import Beat

__all__ = ["Load"]


class Load(wiring.Component):
    """Write the rows that a command brings, one behind the other, and keep them until it is done.

    Parameters
    ----------
    beat : Beat
        Of the rows.
    rows, slices : int, powers of two
        Rows that there is room for, and beats of each.
    count_bits : int

    Members
    -------
    commands : In(stream.Signature(command_layout(count_bits)))
    i : In(stream.Signature(beat))
    multiplied : In(1)
        The last row has been read.
    full : Out(1)
        All rows of the command are there.
    held : Out(count_bits)
        How many there are.
    en : Out(1)
    at : Out(range(rows * slices))
    data : Out(beat.data_bits)
        What is written where.
    """

    commands: stream.Interface
    i: stream.Interface
    multiplied: Signal
    full: Signal
    held: Signal
    en: Signal
    at: Signal
    data: Signal

    def __init__(self, *, beat: Beat, rows: int, slices: int, count_bits: int):
        self.rows, self.slices, self.count_bits = rows, slices, count_bits
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(count_bits))),
                "i": In(stream.Signature(beat)),
                "multiplied": In(1),
                "full": Out(1),
                "held": Out(count_bits),
                "en": Out(1),
                "at": Out(range(rows * slices)),
                "data": Out(beat.data_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        loading, row, piece = Signal(), Signal(range(self.rows)), Signal(range(self.slices))
        left = Left("rows_left", self.count_bits)
        command, word = self.commands.payload, self.i.payload
        m.d.comb += [self.commands.ready.eq(~loading & ~self.full), self.i.ready.eq(loading)]
        m.d.sync += [
            self.en.eq(self.i.valid & loading),
            self.at.eq(Cat(piece, row)),
            self.data.eq(Value.cast(word.data)),
        ]
        with m.If(self.commands.valid & self.commands.ready):
            m.d.sync += [row.eq(0), piece.eq(0), *left.begin(command.d_rows)]
            with m.If(command.d_rows.any()):
                m.d.sync += [loading.eq(1), self.held.eq(command.d_rows)]
            with m.Else():
                m.d.sync += self.full.eq(1)
        with m.If(loading & self.i.valid):
            m.d.sync += piece.eq(piece + 1)
            with m.If(word.last):
                m.d.sync += [piece.eq(0), row.eq(row + 1), *left.step()]
                with m.If(left.last):
                    m.d.sync += [loading.eq(0), self.full.eq(1)]
        with m.If(self.multiplied):
            m.d.sync += self.full.eq(0)
        return m
