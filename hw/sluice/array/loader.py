"""From a stream to a scratchpad."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.command import command_layout
from sluice.delay import delay
from sluice.stream import Beat

__all__ = ["Loader"]


class Loader(wiring.Component):
    """Write packets, which are rows, into the blocks of a scratchpad, a beat per cycle.

    Parameters
    ----------
    beat : Beat
        Words of the scratchpad.
    size : int
        Rows of a block.
    blocks : int
        Of the scratchpad.
    count_bits : int
        Of the commands.

    Members
    -------
    commands : In(stream.Signature(command_layout(count_bits)))
    i : In(stream.Signature(beat))
        Taken while a command is carried out. Lanes that are not kept are written too.
    en, to_block, to_row, row : Out
        To the scratchpad, a cycle after the beat.
    done : Out(1)
        The last beat is being written.
    """

    commands: stream.Interface
    i: stream.Interface
    en: Signal
    to_block: Signal
    to_row: Signal
    row: Signal
    done: Signal

    def __init__(self, *, beat: Beat, size: int, blocks: int, count_bits: int):
        self.count_bits = count_bits
        self.levels = size.bit_length() - 1
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(count_bits))),
                "i": In(stream.Signature(beat)),
                "en": Out(1),
                "to_block": Out(range(max(2, blocks))),
                "to_row": Out(self.levels),
                "row": Out(beat.data_bits),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command = self.commands.payload
        busy, taken = Signal(), Signal()
        left = Signal(self.count_bits, reset_less=True)
        # The block of this beat, of its row's first beat, and the way to the next blocks below.
        block, begin, across = (
            Signal.like(self.to_block, name=name, reset_less=True)
            for name in ("block", "begin", "across")
        )
        row = Signal(self.levels, reset_less=True)
        m.d.comb += [
            self.commands.ready.eq(~busy),
            self.i.ready.eq(busy),
            taken.eq(self.i.valid & busy),
            self.to_block.eq(delay(m, "to_block", block, 1)),
            self.to_row.eq(delay(m, "to_row", row, 1)),
            self.row.eq(delay(m, "row_taken", Value.cast(self.i.payload.data), 1)),
        ]
        m.d.sync += [self.en.eq(taken), self.done.eq(0)]
        with m.If(self.commands.valid & ~busy):
            m.d.sync += [
                busy.eq(1),
                left.eq(command.vectors),
                block.eq(command.a.block),
                begin.eq(command.a.block),
                across.eq(command.a.across),
                row.eq(0),
            ]
        with m.If(taken):
            m.d.sync += block.eq(block + 1)
            with m.If(self.i.payload.last):
                m.d.sync += [left.eq(left - 1), row.eq(row + 1), block.eq(begin)]
                with m.If(row == (1 << self.levels) - 1):
                    m.d.sync += [block.eq(begin + across), begin.eq(begin + across)]
                with m.If(left == 1):
                    m.d.sync += [busy.eq(0), self.done.eq(1)]
        return m
