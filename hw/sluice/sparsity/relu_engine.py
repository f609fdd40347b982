"""Count blocks of elements, keep them until they are wanted, and pack them."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.delay import delay
from sluice.formats import FORMATS, find_format
from sluice.sparsity.block_sizes import BlockSizes
from sluice.sparsity.packing import add_packing, packed_layout, packing_steps
from sluice.store import Store
from sluice.stream import Beat, Fifo, Pipeline

__all__ = ["ReluEngine"]


class ReluEngine(wiring.Component):
    """Say how many elements of each block are not zero; read it when its turn comes, and pack it.

    Parameters
    ----------
    element : format
    lanes, block : int
        Powers of two.
    stages : int, cycles
        Registers between the memory and :attr:`o`, as many as there are steps if those are fewer.
    placed : bool
        A block is packed by itself, for a place of its own.
    wait : int, cycles
        From a size to the turn, beside those of a queue.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    done : Out(1)
        The size of a block is known.
    size : Out(sizes_layout(beats=block // lanes, block=block))
        Which it is, with ``done``.
    whole : Out(1)
        It is one of as many elements as a block can have.
    turn : In(stream.Signature(StructLayout({"raw", "final", "single", "offset"})))
        For each block, in their order, what is to be known of its size, and the lane of its first
        element, if it is ``placed``. It is taken with the last beat that is read.
    between : Out(1)
        The next beat that is read is the first one of a block.
    begins : Out(1)
        It is read.
    o : Out(stream.Signature(StructLayout({"packed", "bits", "raw"})))
        A beat for each of ``i``: as packed, and its bits. What ends a packet is ``bits.last``, and
        if blocks are ``placed``, what ends a block is ``packed.last``.

    Attributes
    ----------
    ahead : int, cycles
        From the last beat of a block to the first one that is read, if its turn comes as soon as
        it can, and one more.
    latency : int, cycles
        From a beat that is read to :attr:`o`.
    """

    i: stream.Interface
    done: Signal
    size: Any
    whole: Signal
    turn: stream.Interface
    between: Signal
    begins: Signal
    o: stream.Interface
    # One that is made only to be asked for its latency is no mistake.
    _MustUse__silence = True

    def __init__(
        self,
        *,
        element: str,
        lanes: int,
        block: int,
        stages: int,
        placed: bool = False,
        wait: int = 0,
    ):
        number = find_format(element)
        self.lanes, self.width, self.placed = lanes, number.width, placed
        self.i_beat, self.bits_beat = Beat(number, lanes), Beat(FORMATS["bit"], lanes)
        # Of a block, as a power of two.
        self.beats = block // lanes
        self.sizes = BlockSizes(lanes=lanes, block=block, width=self.width)
        # Beats that come until the first of a block is read: the sizes have a queue behind, and a
        # place is free two cycles after its beat was read.
        self.ahead = self.sizes.latency + Fifo.latency + wait + 3
        self.depth = 1 << (self.beats + self.ahead).bit_length()
        self.steps = packing_steps(lanes)
        found = {"packed": packed_layout(self.i_beat), "bits": self.bits_beat, "raw": 1}
        read = {"raw": 1}
        if placed:
            read |= {"first": 1, "ends": 1, "offset": range(lanes)}
        # A register for the address, which is in the memory, and one behind it.
        self.pipeline = Pipeline(
            i_shape=data.StructLayout(read),
            o_shape=data.StructLayout(found),
            stages=2 + min(stages, self.steps),
            read_ahead=True,
        )
        self.latency = self.pipeline.latency
        # A beat is read, and its place free.
        self.freed = Signal()
        turn: dict[str, Any] = {"raw": 1, "final": range(max(2, self.beats)), "single": 1}
        if placed:
            turn["offset"] = range(lanes)
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "done": Out(1),
                "size": Out(self.sizes.o.shape()),
                "whole": Out(1),
                "turn": In(stream.Signature(data.StructLayout(turn))),
                "between": Out(1),
                "begins": Out(1),
                "o": Out(stream.Signature(self.pipeline.o_shape)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        word = {"words": self.i_beat.data_bits, "bits": self.bits_beat}
        self.store = Store(m, "store", shape=data.StructLayout(word), depth=self.depth)
        m.submodules.pipeline = self.pipeline
        wiring.connect(m, self.pipeline.o, wiring.flipped(self.o))
        self._write(m)
        self._read(m)
        self._pack(m)
        return m

    def _write(self, m: Module) -> None:
        """Put beats into memory, each when there is a place for it."""
        i, write = self.i.payload, self.store.write
        room = Signal(init=1)
        held, at = Signal(range(self.depth + 1)), Signal(range(self.depth))
        accept, comes = Signal(), Signal()
        m.d.comb += [self.i.ready.eq(room), accept.eq(self.i.valid & room)]
        with m.If(accept & ~self.freed):
            m.d.sync += [held.eq(held + 1), room.eq(held != self.depth - 1)]
        with m.Elif(self.freed & ~accept):
            m.d.sync += [held.eq(held - 1), room.eq(1)]
        bits = Cat(Value.cast(i.data[k]).any() & i.keep[k] for k in range(self.lanes))
        entry = Cat(Value.cast(i.data), bits, i.keep, i.last)
        came = delay(m, "came", entry, 1)
        m.d.sync += comes.eq(accept)
        m.d.comb += [write.data.eq(came), write.addr.eq(at), write.en.eq(comes)]
        with m.If(comes):
            m.d.sync += at.eq(at + 1)
        m.submodules.sizes = self.sizes
        m.d.comb += [
            self.sizes.valid.eq(comes),
            Value.cast(self.sizes.bits).eq(came[self.i_beat.data_bits :]),
            self.done.eq(self.sizes.done),
            self.size.eq(self.sizes.o),
            self.whole.eq(self.sizes.whole),
        ]

    def _read(self, m: Module) -> None:
        """Read a block when its turn has come."""
        size, go = self.turn.payload, self.pipeline.i
        at = Signal(range(self.depth))
        # Number of the next beat, and whether it is a block's last one, known a cycle ahead.
        index, closes = Signal(range(self.beats + 1), init=1), Signal()
        first, moves, ends = Signal(init=1), Signal(), Signal()
        m.d.comb += [
            go.valid.eq(self.turn.valid),
            ends.eq(index == size.final),
            go.payload.raw.eq(size.raw),
            moves.eq(go.valid & go.ready),
            self.between.eq(first),
            self.begins.eq(moves & first),
            ends.eq(Mux(first, size.single, closes)),
            self.turn.ready.eq(moves & ends),
            self.store.at.eq(at),
            self.freed.eq(moves),
        ]
        with m.If(moves):
            m.d.sync += [at.eq(at + 1), index.eq(index + 1), first.eq(ends)]
            m.d.sync += closes.eq(index == size.final)
            with m.If(ends):
                m.d.sync += index.eq(1)
        if self.placed:
            m.d.comb += [
                go.payload.first.eq(first),
                go.payload.ends.eq(ends),
                go.payload.offset.eq(size.offset),
            ]

    def _pack(self, m: Module) -> None:
        """Pack what was read."""
        pipeline, lanes = self.pipeline, self.lanes
        fetched = delay(m, "fetched", self.store.o, 1)
        read = pipeline.i_shape(delay(m, "read", Value.cast(pipeline.entry), 2))
        valid = delay(m, "valid", pipeline.entry_valid, 2, reset=True)
        flow: Any = Flow(m, steps=self.steps, stages=pipeline.stages - 2)
        bits = fetched[self.i_beat.data_bits :]
        flow.bits, flow.raw, flow.last = bits, read.raw, bits[-1]
        if self.placed:
            flow.first, flow.offset, flow.last = read.first, read.offset, read.ends
        words = [fetched.word_select(k, self.width) for k in range(lanes)]
        flags = Mux(read.raw, bits[lanes : 2 * lanes], bits[:lanes])
        packed = add_packing(m, flow, words, flags, valid, placed=self.placed)
        m.d.comb += Value.cast(pipeline.result).eq(Cat(packed, flow.bits, flow.raw))
