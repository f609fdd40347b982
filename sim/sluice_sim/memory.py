"""A memory with one bus, as hardware that is simulated beside a block."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay
from sluice.stream import Beat

__all__ = ["OnMemory", "SharedMemory"]


class SharedMemory(wiring.Component):
    """Give and take a beat per cycle, one or the other; bursts of both kinds in turns.

    Parameters
    ----------
    request : shape
        Of requests: ``at``, and ``beats``, one less than how many.
    beat : Beat
    contents : sequence of int
        Beats from address 0 on.
    latency : int, cycles
        From the bus to what is read, and to the confirmation of what is written.
    every, pause : int, cycles
        In ``every`` cycles, the bus stands still for ``pause``, as for a refresh.

    Members
    -------
    read, write, write_data : In
    read_data, written : Out
        Those of :class:`sluice.optimizer.StreamedOptimizer`, which must take what it asked for.
    """

    read: stream.Interface
    read_data: stream.Interface
    write: stream.Interface
    write_data: stream.Interface
    written: stream.Interface

    def __init__(
        self,
        request: Any,
        beat: Beat,
        contents: Any,
        *,
        latency: int = 20,
        every: int = 0,
        pause: int = 0,
    ):
        self.beat, self.contents = beat, contents
        self.latency, self.every, self.pause = latency, every, pause
        super().__init__(
            {
                "read": In(stream.Signature(request)),
                "read_data": Out(stream.Signature(beat.data_bits)),
                "write": In(stream.Signature(request)),
                "write_data": In(stream.Signature(beat)),
                "written": Out(stream.Signature(1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.store = store = memory.Memory(
            shape=self.beat.data_bits, depth=len(self.contents), init=self.contents
        )
        granularity = self.beat.data_bits // self.beat.lanes
        taken, given = store.write_port(granularity=granularity), store.read_port()
        busy, writes, stands = Signal(), Signal(), Signal()
        asked: Any = Signal(self.read.payload.shape())
        moves, over, chooses, wants = Signal(), Signal(), Signal(), Signal()
        if self.every:
            turn = Signal(range(self.every))
            m.d.sync += turn.eq(Mux(turn == self.every - 1, 0, turn + 1))
            m.d.comb += stands.eq(turn < self.pause)
        m.d.comb += [
            moves.eq(busy & ~stands & (~writes | self.write_data.valid)),
            over.eq(moves & (asked.beats == 0)),
            chooses.eq(~busy | over),
            # The other kind, if there is one of it.
            wants.eq(self.write.valid & (~self.read.valid | ~writes)),
            self.read.ready.eq(chooses & ~wants),
            self.write.ready.eq(chooses & wants),
            self.write_data.ready.eq(moves & writes),
            given.addr.eq(asked.at),
            taken.addr.eq(asked.at),
            taken.data.eq(self.write_data.payload.data),
            taken.en.eq(self.write_data.payload.keep & (moves & writes).replicate(self.beat.lanes)),
        ]
        with m.If(moves):
            m.d.sync += [asked.at.eq(asked.at + 1), asked.beats.eq(asked.beats - 1)]
        with m.If(chooses):
            m.d.sync += [busy.eq(self.read.valid | self.write.valid), writes.eq(wants)]
            m.d.sync += asked.eq(Mux(wants, self.write.payload, self.read.payload))
        late = delay(m, "moved", Cat(moves & ~writes, over & writes), 1, reset=True)
        rest = max(0, self.latency - 1)
        late = delay(m, "late", late, rest, reset=True)
        m.d.comb += [
            self.read_data.valid.eq(late[0]),
            self.read_data.payload.eq(delay(m, "word", given.data, rest)),
            self.written.valid.eq(late[1]),
        ]
        return m


class OnMemory(Block):
    """A block whose memory streams end in a memory; the others are left.

    Parameters
    ----------
    block : Block
    memory : SharedMemory
    """

    def __init__(self, block: Any, memory: SharedMemory):
        self.inner, self.memory = block, memory
        self.inside = tuple(memory.signature.members)
        left = {
            name: member
            for name, member in block.signature.members.items()
            if name not in self.inside
        }
        super().__init__(left)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner, m.submodules.memory = self.inner, self.memory
        for name in self.inside:
            wiring.connect(m, getattr(self.inner, name), getattr(self.memory, name))
        for name, member in self.signature.members.items():
            inner, outer = getattr(self.inner, name), getattr(self, name)
            if not member.is_port:
                pairs = zip(inner, outer, strict=True) if member.dimensions else [(inner, outer)]
                for one, other in pairs:
                    wiring.connect(m, one, wiring.flipped(other))
            elif member.flow is Out:
                m.d.comb += outer.eq(inner)
            else:
                m.d.comb += inner.eq(outer)
        return m
