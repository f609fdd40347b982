"""The order in which the vectors of ``a`` are read, and when."""

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.command import command_layout, operand_layout
from sluice.array.counts import Left, register
from sluice.array.maps import map_layout

__all__ = ["Vectors"]


class Vectors(wiring.Component):
    """Read the vectors of ``a``, all of them for every tile of ``b``.

    A vector waits until its tile is loaded, until the sums that it adds to are back, and until
    there is room for its result.

    Parameters
    ----------
    size : int
    group : int
        Elements of ``a`` that are read together, a power of two.
    in_flight : int
        Vectors that can be on their way to where they are ``back``.
    count_bits : int
        Of the commands.
    block_bits, map_bits : int
        Of addresses in the scratchpad, and in the map.
    carries : mapping of name to bits
        Fields of a command that go with its vectors.

    Members
    -------
    commands : In(stream.Signature(command_layout(count_bits)))
    loaded : In(1)
        The next tile is loaded.
    room : In(1)
        There is a place for a result.
    back : In(1)
        Sums of a vector can be read in time by one that comes two cycles later.
    entry, entry_at : In(map_layout(size, block_bits)), Out(map_bits)
        Of the map: what is there, a cycle later.
    takes : Out(1)
        The first vector of a tile is read.
    reads : Out(1)
        In this cycle.
    leaves : Out(1)
        Its sums are results.
    done : Out(1)
        It is the last one of the command.
    valid, swap : Out(1)
        A cycle later, with what is read.
    block, index, across : Out
        To the scratchpad.
    slots, after : Out
        To the scratchpad as well: which group each row of the array works on.
    pick : Out(range(group))
        Which element of a column's group it is.
    ragged_k, ragged_n : Out(1)
        Only some rows, or columns, of the tile are in use.
    ends : Out(1)
        It is the last of a round: of those that add to all sums once.
    adds, holds : Out(1)
        Its sums begin with those that are held; they go back there, and do not leave.
    carried : Out(StructLayout(carries))
        Of the command it belongs to.
    """

    commands: stream.Interface
    loaded: Signal
    room: Signal
    back: Signal
    entry: Any
    entry_at: Signal
    takes: Signal
    reads: Signal
    leaves: Signal
    done: Signal
    valid: Signal
    swap: Signal
    block: Signal
    index: Signal
    across: Signal
    slots: Any
    after: Signal
    pick: Signal
    ragged_k: Signal
    ragged_n: Signal
    ends: Signal
    adds: Signal
    holds: Signal
    carried: Any

    def __init__(
        self,
        *,
        size: int,
        group: int,
        in_flight: int,
        count_bits: int,
        block_bits: int,
        map_bits: int,
        carries: Mapping[str, int],
    ):
        self.size, self.group = size, group
        self.count_bits, self.block_bits = count_bits, block_bits
        self.parts = group.bit_length() - 1
        # Tiles that are left: along the inner dimension, and across the columns.
        self.left_k, self.left_n = (Left(n, count_bits) for n in ("left_k", "left_n"))
        self.levels, self.in_flight = size.bit_length() - 1, in_flight
        entry = map_layout(size, block_bits)
        # Of the command under way.
        counts = dict.fromkeys(("vectors", "tiles_n", "sums"), count_bits)
        flags = dict.fromkeys(("sparse", "accumulate", "hold"), 1)
        layout = {"a": operand_layout(block_bits), **counts, **flags, **carries}
        self.now: Any = register(data.StructLayout(layout), "now")
        flags = (
            *("takes", "reads", "leaves", "done", "valid", "swap", "across", "ragged_k"),
            *("ragged_n", "ends", "adds", "holds"),
        )
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(count_bits))),
                "loaded": In(1),
                "room": In(1),
                "back": In(1),
                "entry": In(entry),
                "entry_at": Out(map_bits),
                "slots": Out(entry.members["slots"]),
                "after": Out(size),
                "pick": Out(self.parts),
                "block": Out(block_bits),
                "index": Out(self.levels),
                "carried": Out(data.StructLayout(carries)),
                **{name: Out(1) for name in flags},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        given = self.commands.payload
        now = self.now
        chosen: Any = register(self.entry.shape(), "chosen")
        running, first = Signal(), register(1, "first_of_tile")
        left_k, left_n = self.left_k, self.left_n
        left_m = Left("left_m", self.count_bits)
        # Without groups, no product is sparse.
        sparse = now.sparse if self.group > 1 else Const(0, 1)
        # Of the vector, within a block; of the tile, within the elements of a row of a block.
        low, part = register(self.levels + self.parts, "low"), register(self.parts, "part")
        pointer, along = (register(self.block_bits, n) for n in ("pointer", "along"))
        # Of the first vector of a round, and of every one in the first round.
        head, opening = register(1, "head"), register(1, "opening")
        # Cycles until the first entry of the map is there.
        fetching = Signal(2)
        begins_round, ends_tile, ends_round, holds = Signal(), Signal(), Signal(), Signal()
        flying = Signal(range(self.in_flight + 1))
        clear, none = Signal(), Signal(init=1)

        m.d.comb += [
            begins_round.eq(head & first),
            holds.eq(~left_k.last | now.hold),
            self.leaves.eq(~holds),
            ends_tile.eq(left_m.last),
            ends_round.eq(ends_tile & left_n.last),
        ]
        # Sums that are added to in every round are back when fewer vectors than a round has are
        # on their way; those of a command before this one, when there are none.
        waits = Mux(opening, now.accumulate & begins_round & ~none, ~clear)
        m.d.comb += [
            self.reads.eq(running & (~first | self.loaded) & ~waits & (holds | self.room)),
            self.takes.eq(self.reads & first),
            self.done.eq(self.reads & ends_round & left_k.last),
            self.commands.ready.eq(~(running | fetching.any()) | self.done),
        ]
        # A count that is one behind delays, but allows nothing; so it may leave out what returns.
        fewer = [(flying + k) < now.sums for k in range(2)]
        m.d.sync += [
            flying.eq(flying + self.reads - self.back),
            clear.eq(Mux(self.reads, fewer[1], fewer[0])),
            none.eq((flying == 0) & ~self.reads),
        ]
        m.d.sync += [
            self.valid.eq(self.reads),
            self.swap.eq(self.takes),
            self.block.eq(pointer),
            self.index.eq(Mux(now.a.columns, low[self.parts :], low[: self.levels])),
            self.across.eq(now.a.columns),
            self.pick.eq(low[: self.parts]),
            self.ragged_k.eq(left_k.last),
            self.ragged_n.eq(left_n.last),
            self.ends.eq(ends_round),
            self.adds.eq(~opening | now.accumulate),
            self.holds.eq(holds),
            *(self.carried[name].eq(now[name]) for name in self.carried.shape().members),
        ]
        for r in range(self.size):
            # Element ``r`` of the tile is in this group, if groups are in their order.
            plain = Cat(Const(r, self.levels), part)[self.parts :]
            m.d.sync += self.slots[r].eq(Mux(sparse, chosen.slots[r], plain))
        m.d.sync += self.after.eq(Mux(sparse, chosen.after, 0))
        with m.If(self.reads):
            m.d.sync += [*left_m.step(), low.eq(low + 1), first.eq(0)]
            ends_block = low[: self.levels] == self.size - 1
            ends_column = low == (self.size << self.parts) - 1
            with m.If(Mux(now.a.columns, ends_column, ends_block)):
                m.d.sync += pointer.eq(pointer + now.a.across)
            with m.If(ends_tile):
                m.d.sync += [*left_m.begin(now.vectors), *left_n.step(), head.eq(0)]
                m.d.sync += [low.eq(0), pointer.eq(along), first.eq(1)]
            with m.If(ends_round):
                # A row of a block has the elements of several tiles; a column, those of one.
                on = now.a.columns | (part == (1 << self.parts) - 1)
                following: Value = along + Mux(on, now.a.along, 0)
                begin = Mux(sparse, now.a.block + self.entry.window, following)
                m.d.sync += [*left_n.begin(now.tiles_n), *left_k.step(), head.eq(1)]
                m.d.sync += [pointer.eq(begin), along.eq(begin), opening.eq(0)]
                m.d.sync += [part.eq(part + 1), self.entry_at.eq(self.entry_at + 1)]
                m.d.sync += chosen.eq(self.entry)
        with m.If(self.done):
            m.d.sync += running.eq(0)
        with m.If(self.commands.valid & self.commands.ready):
            m.d.sync += [
                running.eq(~given.sparse | (self.group == 1)),
                fetching.eq(Mux(given.sparse, 2, 0) if self.group > 1 else 0),
                self.entry_at.eq(given.map),
                part.eq(0),
                *(now[name].eq(given[name]) for name in now.shape().members if name != "a"),
                *(now.a[name].eq(given.a[name]) for name in now.a.shape().members),
                *left_m.begin(given.vectors),
                *left_n.begin(given.tiles_n),
                *left_k.begin(given.tiles_k),
                low.eq(0),
                first.eq(1),
                head.eq(1),
                opening.eq(1),
                pointer.eq(given.a.block),
                along.eq(given.a.block),
            ]
        with m.If(fetching == 2):
            m.d.sync += [fetching.eq(1), self.entry_at.eq(self.entry_at + 1)]
        with m.If(fetching == 1):
            begin = now.a.block + self.entry.window
            m.d.sync += [fetching.eq(0), running.eq(1), chosen.eq(self.entry)]
            m.d.sync += [pointer.eq(begin), along.eq(begin)]
        return m
