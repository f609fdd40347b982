"""Which groups of a row each pass of a sparse product works on."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.command import command_layout
from sluice.store import Store

__all__ = ["Maps", "map_layout"]


def map_layout(size: int, count_bits: int) -> data.StructLayout:
    """Return the layout of an entry.

    Members
    -------
    window : count_bits
        Blocks from the matrix's first to the one that the pass begins in.
    slots : ArrayLayout(range(size), size)
        Of each row of the array, the place of its group in its block.
    after : size
        Places that are of the block behind.
    """
    levels = size.bit_length() - 1
    return data.StructLayout(
        {"window": count_bits, "slots": data.ArrayLayout(levels, size), "after": size}
    )


class Maps(wiring.Component):
    """A memory of entries, filled from a stream.

    Parameters
    ----------
    size : int
        Of the array.
    entries : int
        Kept.
    count_bits : int
        Of the commands.
    block_bits : int
        Of the window that is kept.

    Members
    -------
    commands : In(stream.Signature(command_layout(count_bits)))
        Of ``vectors`` entries, from ``map`` on.
    i : In(stream.Signature(map_layout(size, count_bits)))
    done : Out(1)
        The last entry has been taken.
    at : In(range(entries))
        What is read.
    o : Out(map_layout(size, block_bits))
        That, a cycle later.
    """

    commands: stream.Interface
    i: stream.Interface
    done: Signal
    at: Signal
    o: Any

    def __init__(self, *, size: int, entries: int, count_bits: int, block_bits: int):
        self.entries, self.count_bits = entries, count_bits
        self.layout = map_layout(size, block_bits)
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(count_bits))),
                "i": In(stream.Signature(map_layout(size, count_bits))),
                "done": Out(1),
                "at": In(range(entries)),
                "o": Out(self.layout),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        store = Store(m, "store", shape=self.layout, depth=self.entries)
        write = store.write
        words: Any = write.data
        to = Signal(range(self.entries), reset_less=True)
        left = Signal(self.count_bits, reset_less=True)
        busy = Signal()
        m.d.comb += [
            self.commands.ready.eq(~busy),
            self.i.ready.eq(busy),
            write.en.eq(self.i.valid & busy),
            write.addr.eq(to),
            *(words[name].eq(self.i.payload[name]) for name in self.layout.members),
            store.at.eq(self.at),
            Value.cast(self.o).eq(store.o),
            self.done.eq(write.en & (left == 1)),
        ]
        with m.If(self.commands.valid & ~busy):
            command = self.commands.payload
            m.d.sync += [busy.eq(1), to.eq(command.map), left.eq(command.vectors)]
        with m.If(write.en):
            m.d.sync += [to.eq(to + 1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += busy.eq(0)
        return m
