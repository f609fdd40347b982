"""A queue in memory."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Flag, Int
from sluice.stream.beat import Payload

__all__ = ["Fifo"]


class Fifo(Block):
    """First in, first out: up to ``depth`` beats in a memory.

    Parameters
    ----------
    shape : shape
        Payload of both streams.
    depth : int, >= 1
        Beats held.
    always_ready : bool
        ``i.ready`` is always high: the source sees to it that there is room.
    read_ahead : bool
        The memory is read whenever the output has a place, and not for a beat that is taken: what
        takes a beat enables registers and makes no address, which is faster where beats are wide.
    wide : bool
        With ``read_ahead``: the enables of the output register have flags of their own, apart from
        those of the counts, so that the counts need not be near all of a wide beat.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    level : Out(range(depth + 1))
        Beats held in this cycle.

    Attributes
    ----------
    latency : 2 cycles
        One to write the memory, one to read it into its output register.
    interval : 1 cycle
        From a depth of 3; a depth of 2 takes two beats every three cycles, a depth of 1 one.

    Notes
    -----
    ``i.ready`` and ``o.valid`` are registers, and the payload is the memory's output register, so
    that the memory may be LUT RAM or block RAM. Reset empties the queue.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    level: Signal
    latency = 2

    PARAMETERS = (
        Payload("shape", "payload of both streams"),
        Int("depth", "beats held", 1, 65536, "beats"),
        Flag("always_ready", "the source sees to it that there is room"),
        Flag("read_ahead", "read the memory before a beat is taken"),
        Flag("wide", "enable the output register apart from the counts"),
    )

    def __init__(
        self,
        *,
        shape: Any = "bf16x8",
        depth: int = 16,
        always_ready: bool = False,
        read_ahead: bool = False,
        wide: bool = False,
    ):
        self.check(
            shape=shape, depth=depth, always_ready=always_ready, read_ahead=read_ahead, wide=wide
        )
        self.shape: Any
        self.depth: int
        self.always_ready: bool
        self.read_ahead: bool
        self.wide: bool
        if self.wide and not self.read_ahead:
            raise ValueError("wide needs read_ahead")
        self.interval = max(1, 4 - self.depth) if self.depth != 2 else 1.5
        super().__init__(
            {
                "i": In(stream.Signature(self.shape)),
                "o": Out(stream.Signature(self.shape)),
                "level": Out(range(self.depth + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # A memory of one row has an address of no bits, which Verilog cannot express.
        rows = max(2, self.depth)
        m.submodules.memory = store = memory.Memory(shape=self.shape, depth=rows, init=[])
        write, read = store.write_port(), store.read_port()

        def after(pointer: Signal) -> Any:
            return Mux(pointer == self.depth - 1, 0, pointer + 1)

        push, pop, arrived = Signal(), Signal(), Signal()
        writing, reading, reading_next = (
            Signal(range(rows)),
            Signal(range(rows)),
            Signal(range(rows)),
        )
        # What comes after it is known ahead, so that the memory waits for a choice alone.
        following = Signal(range(rows), init=1 % self.depth)
        # Beats that the read port can see: a beat written in this cycle is not among them.
        visible = Signal.like(self.level)
        room = Signal(init=1)
        # What moves the read port on, when it sees a beat more, and whether it sees any.
        moves, comes, sees = pop, arrived, self.o.valid
        blind, empty = Signal(name="blind", init=1), Signal(name="empty", init=1)
        if self.read_ahead:
            moves, comes, sees = Signal(name="fetch"), push, Signal(name="sees")
            m.d.comb += moves.eq(sees & (~self.o.valid | self.o.ready))
            stays = moves | (self.o.valid & ~self.o.ready)
            m.d.sync += self.o.valid.eq(stays)
            if self.wide:
                # They are kept the other way round, as equal registers would be made one.
                m.d.comb += read.en.eq(~blind & (empty | self.o.ready))
                m.d.sync += empty.eq(~stays)
            else:
                m.d.comb += read.en.eq(moves)

        m.d.comb += [
            self.i.ready.eq(1 if self.always_ready else room),
            push.eq(self.i.valid & self.i.ready),
            pop.eq(self.o.valid & self.o.ready),
            write.addr.eq(writing),
            write.data.eq(self.i.payload),
            write.en.eq(push),
            reading_next.eq(Mux(moves, following, reading)),
            read.addr.eq(reading if self.read_ahead else reading_next),
            self.o.payload.eq(read.data),
        ]
        with m.If(push):
            m.d.sync += writing.eq(after(writing))
        with m.If(moves):
            m.d.sync += following.eq(after(following))
        m.d.sync += [reading.eq(reading_next), arrived.eq(push)]
        # Comparisons look at the counts as they are, so that only a choice waits for push and pop.
        with m.If(push & ~pop):
            m.d.sync += [self.level.eq(self.level + 1), room.eq(self.level != self.depth - 1)]
        with m.Elif(pop & ~push):
            m.d.sync += [self.level.eq(self.level - 1), room.eq(1)]
        with m.If(comes & ~moves):
            m.d.sync += [visible.eq(visible + 1), sees.eq(1)]
            if self.wide:
                m.d.sync += blind.eq(0)
        with m.Elif(moves & ~comes):
            m.d.sync += [visible.eq(visible - 1), sees.eq(visible != 1)]
            if self.wide:
                m.d.sync += blind.eq(visible == 1)
        return m
