"""Leave zeros out, block by block, as behind a ReLU."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.block import Block
from sluice.delay import delay
from sluice.formats import FORMATS, find_format
from sluice.params import Choice, Int
from sluice.sparsity.bitmaps import hold_back
from sluice.sparsity.block_sizes import BlockSizes, size_entry
from sluice.sparsity.packing import add_packing, packed_layout, packing_steps, put_together
from sluice.store import Store
from sluice.stream import Beat, Fifo, Pipeline, SkidBuffer

__all__ = ["BLOCK", "ELEMENTS", "ReluCompress"]

# Of one bit a bitmap would be all there is to compress.
ELEMENTS = tuple(name for name in FORMATS if name != "bit")
BLOCK = Int(
    "block", "elements per block, a power of two of whole beats", 2, 8192, power_of_two=True
)


class ReluCompress(Block):
    """Compress a tensor with zeros, without loss: a table of counts, a bitmap, and what is not 0.

    A packet is cut into blocks. Each gives an entry of the table ``counts`` and, in packets of
    their own, a bit per element, which says whether it is there, and the elements that are. A block
    for which that would take more than its elements do is *raw*: it gives all its elements and no
    bits, so that a packet never grows by more than its table.

    Parameters
    ----------
    element : format
        Of the data. Only an element without a bit set is left out: -0 and NaN stay.
    lanes : int, 2..64
        Elements per beat, a power of two.
    block : int, lanes..8192
        Elements per block, a power of two. The last one of a packet may be shorter.
    stages : int, 0..16
        Registers between the memory and where beats are put together, as in :class:`Compact`.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    o : Out(stream.Signature(Beat(element, lanes)))
        The elements, those of one block right behind those of the one before.
    bitmap : Out(stream.Signature(Beat(bit, lanes)))
        The bits of blocks that are not raw.
    counts : Out(stream.Signature(Beat(uint16, 1)))
        An entry per block: in bits 0 to 14 how many of its elements are in ``o``, in bit 15 that it
        is raw. Their exclusive prefix sum says where a block begins.

    Attributes
    ----------
    latency : cycles
        From the last beat of a block to the first one on ``o``, when that is full and another one
        follows.
    interval : 1 cycle
        Between input beats, at every density and where it changes.

    Notes
    -----
    ``i.ready`` is a register. A packet without an element gives an empty packet on each output.
    Outputs that are not read hold up the others, as soon as what lies between them is full. Reset
    drops what is on the way.

    A block waits in memory until it is known how many elements it has. ``n`` elements of ``w``
    bits, of which ``z`` are zeros, are raw where ``z * w < n``.

    Method: US11362670 (counts per block, bitmap, prefix sum of the counts, packed elements); raw
    blocks are added to it. Golden model: :func:`sluice_sim.golden.sparsity.relu_compress`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or a block is less than a beat.
    """

    i: stream.Interface
    o: stream.Interface
    bitmap: stream.Interface
    counts: stream.Interface
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", ELEMENTS),
        Int("lanes", "elements per beat, a power of two", 2, 64, power_of_two=True),
        BLOCK,
        Int("stages", "registers behind the memory", 0, 16, "cycles"),
    )

    def __init__(
        self, *, element: str = "bf16", lanes: int = 16, block: int = 256, stages: int = 16
    ):
        self.check(element=element, lanes=lanes, block=block, stages=stages)
        self.element: str
        self.lanes: int
        self.block: int
        self.stages: int
        if self.block < self.lanes:
            raise ValueError(f"block must be at least {self.lanes}, as many as lanes, not {block}")
        number = find_format(self.element)
        self.width = number.width
        self.i_beat, self.bits_beat = Beat(number, self.lanes), Beat(FORMATS["bit"], self.lanes)
        self.counts_beat = Beat(FORMATS["uint16"], 1)
        # Of a block, as a power of two.
        self.beats = self.block // self.lanes
        self.sizes = BlockSizes(lanes=self.lanes, block=self.block, width=self.width)
        # Beats that come until the first of a block is read: the sizes have a queue behind, and a
        # place is free two cycles after its beat was read.
        ahead = self.sizes.latency + Fifo.latency + 3
        self.depth = 1 << (self.beats + ahead).bit_length()
        self.steps = packing_steps(self.lanes)
        flow_stages = min(self.stages, self.steps)
        found = {"packed": packed_layout(self.i_beat), "bits": self.bits_beat, "raw": 1}
        # A register for the address, which is in the memory, and one behind it.
        self.pipeline = Pipeline(
            i_shape=1, o_shape=data.StructLayout(found), stages=2 + flow_stages
        )
        # A beat is read, and its place free.
        self.freed = Signal()
        self.latency = ahead - 1 + self.pipeline.latency + SkidBuffer.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "o": Out(stream.Signature(self.i_beat)),
                "bitmap": Out(stream.Signature(self.bits_beat)),
                "counts": Out(stream.Signature(self.counts_beat)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        word = {"words": self.i_beat.data_bits, "bits": self.bits_beat}
        self.store = Store(m, "store", shape=data.StructLayout(word), depth=self.depth)
        m.submodules.pipeline = self.pipeline
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
        ]

    def _read(self, m: Module) -> None:
        """Read a block once its size is known, and say the size."""
        # A packet may be no more than a beat, and so may every block.
        shape = self.sizes.o.shape()
        m.submodules.known = known = Fifo(shape=shape, depth=self.depth, always_ready=True)
        m.submodules.table = table = SkidBuffer(shape=shape)
        m.d.comb += [
            self.counts.valid.eq(table.o.valid),
            table.o.ready.eq(self.counts.ready),
            Value.cast(self.counts.payload).eq(size_entry(table.o.payload)),
        ]
        size, go = known.o.payload, self.pipeline.i
        at = Signal(range(self.depth))
        # Number of the next beat, and whether it is a block's last one, known a cycle ahead.
        index, closes = Signal(range(self.beats + 1), init=1), Signal()
        first, moves, ends = Signal(init=1), Signal(), Signal()
        m.d.comb += [
            known.i.valid.eq(self.sizes.done),
            known.i.payload.eq(self.sizes.o),
            table.i.valid.eq(known.o.valid & first & go.ready),
            table.i.payload.eq(size),
            go.valid.eq(known.o.valid & (~first | table.i.ready)),
            go.payload.eq(size.raw),
            moves.eq(go.valid & go.ready),
            ends.eq(Mux(first, size.single, closes)),
            known.o.ready.eq(moves & ends),
            self.store.at.eq(at),
            self.freed.eq(moves),
        ]
        with m.If(moves):
            m.d.sync += [at.eq(at + 1), index.eq(index + 1), first.eq(ends)]
            m.d.sync += closes.eq(index == size.final)
            with m.If(ends):
                m.d.sync += index.eq(1)

    def _pack(self, m: Module) -> None:
        """Pack what was read, and make a bitmap of its bits."""
        pipeline, lanes = self.pipeline, self.lanes
        fetched = delay(m, "fetched", self.store.o, 1)
        raw = delay(m, "raw", pipeline.entry, 2)
        valid = delay(m, "valid", pipeline.entry_valid, 2, reset=True)
        flow: Any = Flow(m, steps=self.steps, stages=pipeline.stages - 2)
        there = fetched[self.i_beat.data_bits :]
        flow.bits, flow.raw, flow.last = there, raw, there[-1]
        words = [fetched.word_select(k, self.width) for k in range(lanes)]
        flags = Mux(raw, there[lanes : 2 * lanes], there[:lanes])
        packed = add_packing(m, flow, words, flags, valid)
        m.d.comb += Value.cast(pipeline.result).eq(Cat(packed, flow.bits, flow.raw))
        # Both go at once, as registers say: choices of a fork would come late for the queue.
        come: Any = pipeline.o
        beats = stream.Signature(packed_layout(self.i_beat)).create()
        bits = stream.Signature(self.bits_beat).create()
        m.d.comb += [
            come.ready.eq(beats.ready & bits.ready),
            beats.valid.eq(come.valid & bits.ready),
            beats.payload.eq(come.payload.packed),
            bits.valid.eq(come.valid & beats.ready),
            bits.payload.eq(come.payload.bits),
        ]
        put_together(m, beats, wiring.flipped(self.o))
        hold_back(m, bits, come.payload.raw, wiring.flipped(self.bitmap))
