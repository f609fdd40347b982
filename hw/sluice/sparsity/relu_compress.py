"""Leave zeros out, block by block, as behind a ReLU."""

from typing import Any

from amaranth import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS
from sluice.params import Choice, Int
from sluice.sparsity.bitmaps import hold_back
from sluice.sparsity.block_sizes import size_entry
from sluice.sparsity.packing import packed_layout, put_together
from sluice.sparsity.relu_engine import ReluEngine
from sluice.stream import Beat, Fifo, SkidBuffer

__all__ = ["BLOCK", "ELEMENTS", "ReluCompress", "check_block"]

# Of one bit a bitmap would be all there is to compress.
ELEMENTS = tuple(name for name in FORMATS if name != "bit")
BLOCK = Int(
    "block", "elements per block, a power of two of whole beats", 2, 8192, power_of_two=True
)


def check_block(block: int, *, lanes: int) -> None:
    """Raise ValueError if a block has fewer elements than a beat."""
    if block < lanes:
        raise ValueError(f"block must be at least {lanes}, as many as lanes, not {block}")


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
        check_block(self.block, lanes=self.lanes)
        self.engine = ReluEngine(
            element=self.element, lanes=self.lanes, block=self.block, stages=self.stages
        )
        self.width, self.beats = self.engine.width, self.engine.beats
        self.i_beat, self.bits_beat = self.engine.i_beat, self.engine.bits_beat
        self.counts_beat = Beat(FORMATS["uint16"], 1)
        self.latency = self.engine.ahead - 1 + self.engine.latency + SkidBuffer.latency
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
        m.submodules.engine = engine = self.engine
        wiring.connect(m, wiring.flipped(self.i), engine.i)
        self._lead_back(m)
        # Both go at once, as registers say: choices of a fork would come late for the queue.
        come: Any = engine.o
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
        return m

    def _lead_back(self, m: Module) -> None:
        """Give a block its turn when its size is known, and say the size when it begins."""
        engine, turn = self.engine, self.engine.turn
        shape = engine.size.shape()
        # A packet may be no more than a beat, and so may every block.
        m.submodules.known = known = Fifo(shape=shape, depth=engine.depth, always_ready=True)
        m.submodules.table = table = SkidBuffer(shape=shape)
        m.d.comb += [
            known.i.valid.eq(engine.done),
            known.i.payload.eq(engine.size),
            # A block only begins when the table takes its size.
            turn.valid.eq(known.o.valid & (~engine.between | table.i.ready)),
            turn.payload.raw.eq(known.o.payload.raw),
            turn.payload.final.eq(known.o.payload.final),
            turn.payload.single.eq(known.o.payload.single),
            known.o.ready.eq(turn.ready),
            table.i.valid.eq(engine.begins),
            table.i.payload.eq(known.o.payload),
            self.counts.valid.eq(table.o.valid),
            table.o.ready.eq(self.counts.ready),
            Value.cast(self.counts.payload).eq(size_entry(table.o.payload)),
        ]
