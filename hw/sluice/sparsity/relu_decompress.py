"""Put zeros back, block by block."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS, find_format
from sluice.params import Choice, Flag, Int
from sluice.sparsity.bitmaps import show_bits
from sluice.sparsity.expand import Expand
from sluice.sparsity.relu_compress import BLOCK, ELEMENTS, check_block
from sluice.stream import Beat, SkidBuffer, run_of, sample_settings

__all__ = ["ReluDecompress"]


class ReluDecompress(Block):
    """Undo :class:`ReluCompress`: the tensor from its table of counts, its bitmap and its elements.

    Parameters
    ----------
    element, lanes, block
        As of the block that compressed it.
    stages : int, 0..16
        Registers in the datapath, as in :class:`Expand`.
    derivative : bool
        There is an output ``bits``.

    Members
    -------
    counts : In(stream.Signature(Beat(uint16, 1)))
    bitmap : In(stream.Signature(Beat(bit, lanes)))
    i : In(stream.Signature(Beat(element, lanes)))
        One packet of each for a tensor, as they came, or for any blocks of it that follow each
        other: entries of the table from the first of them on, their bits, and their elements.
    o : Out(stream.Signature(Beat(element, lanes)))
    bits : Out(stream.Signature(Beat(bit, lanes)))
        Only with ``derivative``: for every beat of ``o``, which elements are not zero, whether
        their block was raw or not. Where they are a ReLU's output, that is its derivative.
    config : In(StructLayout({"skip": range(lanes)}))
        Sampled at the first beat of ``counts``: so many elements at the beginning of the packet of
        ``i`` belong to the block before, and are dropped.
    status : Out(StructLayout({"bitmap": 1, "mismatch": 1}))
        Sticky: a bitmap had more or fewer bits than its blocks; a packet of ``i`` had more or fewer
        elements. The packet has defined elements, zeros where one was missing, and the next one is
        not touched.

    Attributes
    ----------
    latency : cycles
        From a beat of the bitmap to its beat of ``o``: three buffers and :class:`Expand`.
    interval : 1 cycle
        Between beats of ``o``, across blocks and packets, which nothing could better; one cycle
        more in a packet with ``skip``.

    Notes
    -----
    Inputs' ``ready`` are registers but that of ``i``, which depends on registers. A raw block
    takes no bits. Reset drops what is on the way.

    A block begins in a packet of elements at the exclusive prefix sum of the counts before it: in
    beat ``sum // lanes``, with ``skip = sum % lanes``. Its bits begin with those of the blocks
    before it that are not raw, ``block // lanes`` beats for each.

    Golden model: :func:`sluice_sim.golden.sparsity.relu_decompress`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or a block is less than a beat.
    """

    counts: stream.Interface
    bitmap: stream.Interface
    i: stream.Interface
    o: stream.Interface
    bits: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", ELEMENTS),
        Int("lanes", "elements per beat, a power of two", 2, 64, power_of_two=True),
        BLOCK,
        Int("stages", "registers in the datapath", 0, 16, "cycles"),
        Flag("derivative", "say which elements are not zero"),
    )

    def __init__(
        self,
        *,
        element: str = "bf16",
        lanes: int = 16,
        block: int = 256,
        stages: int = 16,
        derivative: bool = False,
    ):
        self.check(element=element, lanes=lanes, block=block, stages=stages, derivative=derivative)
        self.element: str
        self.lanes: int
        self.block: int
        self.stages: int
        self.derivative: bool
        check_block(self.block, lanes=self.lanes)
        number = find_format(self.element)
        self.width = number.width
        self.i_beat, self.bits_beat = Beat(number, self.lanes), Beat(FORMATS["bit"], self.lanes)
        self.counts_beat = Beat(FORMATS["uint16"], 1)
        self.expand = Expand(element=element, lanes=self.lanes, stages=self.stages)
        self.latency = 3 * SkidBuffer.latency + self.expand.latency
        ports: dict[str, Any] = {
            "counts": In(stream.Signature(self.counts_beat)),
            "bitmap": In(stream.Signature(self.bits_beat)),
            "i": In(stream.Signature(self.i_beat)),
            "o": Out(stream.Signature(self.i_beat)),
            "config": In(data.StructLayout({"skip": range(self.lanes)})),
            "status": Out(data.StructLayout({"bitmap": 1, "mismatch": 1})),
        }
        if self.derivative:
            ports["bits"] = Out(stream.Signature(self.bits_beat))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.expand = self.expand
        wiring.connect(m, wiring.flipped(self.i), self.expand.i)
        m.d.comb += self.status.mismatch.eq(self.expand.status.mismatch)
        self._choose(m)
        self._leave(m)
        return m

    def _decode(self, m: Module) -> Any:
        """Return the stream of entries of the table, with all that can be known of each ahead."""
        low, high = self.lanes.bit_length() - 1, self.block.bit_length()
        decoded = data.StructLayout(
            {
                "whole": 1,
                "last": 1,
                "full": high - low,
                "more": 1,
                "single": 1,
                "run": self.lanes,
                "skips": 1,
                "skip": self.lanes,
            }
        )
        m.submodules.table = table = SkidBuffer(shape=decoded)
        counts, to = self.counts.payload, table.i.payload
        word = Value.cast(counts.data)
        skip = sample_settings(m, self.config, self.counts).skip
        # Beats that are full, and one more: so nothing has to be subtracted.
        whole, count = Signal(), Signal(high)
        m.d.comb += [
            # An empty packet has no entry, and its bitmap no bits.
            whole.eq(word[-1] | ~counts.keep),
            count.eq(Mux(whole, Mux(counts.keep, word[:high], 0), self.block)),
            to.whole.eq(whole),
            to.last.eq(counts.last),
            to.full.eq(count[low:]),
            to.more.eq(count[:low].any()),
            to.single.eq(~count[low + 1 :].any() & ~(count[low] & count[:low].any())),
            to.run.eq(
                run_of(count[:low], self.lanes)
                | (~count[:low].any() & count.any()).replicate(self.lanes)
            ),
            to.skips.eq(skip.any()),
            to.skip.eq(run_of(skip, self.lanes)),
            table.i.valid.eq(self.counts.valid),
            self.counts.ready.eq(table.i.ready),
        ]
        return table.o

    def _choose(self, m: Module) -> None:
        """Make a beat of flags of a beat of bits, or of the count of a raw block."""
        lanes = self.lanes
        table = self._decode(m)
        m.submodules.bitmap = given = SkidBuffer(shape=self.bits_beat)
        m.submodules.flags = flags = SkidBuffer(shape=self.bits_beat)
        wiring.connect(m, wiring.flipped(self.bitmap), given.i)
        wiring.connect(m, flags.o, self.expand.flags)
        now, bits = table.payload, given.o.payload

        # `skips` gives a beat that keeps nothing and takes the elements to skip; `spent` says that
        # the packet of the bitmap has ended; the rest of one that has not is dropped by `drains`.
        begun, spent, drains = Signal(), Signal(), Signal()
        skips, empty, uses, ends, go = Signal(), Signal(), Signal(), Signal(), Signal()
        # Of a block: beats up to the next one, but for one that is not full, and whether that is
        # the last one, known a cycle ahead.
        index, first, closes = Signal(len(now.full)), Signal(init=1), Signal()
        number = Mux(first, Cat(now.more, ~now.more), index)
        regular = Mux(first, now.single, closes)
        m.d.comb += [
            skips.eq(~begun & now.skips),
            empty.eq(given.o.valid & ~bits.keep[0] & ~spent),
            uses.eq(~now.whole & ~spent & ~skips),
            flags.i.valid.eq(table.valid & ~drains & (~uses | (given.o.valid & bits.keep[0]))),
            go.eq(flags.i.valid & flags.i.ready),
            ends.eq(~skips & (regular | (uses & bits.last))),
            given.o.ready.eq(drains | empty | (table.valid & uses & flags.i.ready)),
            table.ready.eq(go & ends),
        ]
        keep, marks = Signal(lanes), Signal(lanes)
        with m.If(skips):
            m.d.comb += marks.eq(now.skip)
        with m.Elif(now.whole):
            run = Mux(regular, now.run, Const(-1, lanes))
            m.d.comb += [keep.eq(run), marks.eq(run)]
        with m.Elif(spent):
            m.d.comb += keep.eq(~Const(0, lanes))
        with m.Else():
            m.d.comb += [keep.eq(bits.keep), marks.eq(bits.data)]
        last, took, closed = Signal(), Signal(), Signal()
        m.d.comb += [
            last.eq(ends & now.last),
            Value.cast(flags.i.payload).eq(Cat(marks, keep, last)),
            took.eq(given.o.valid & given.o.ready),
            closed.eq(spent | (took & bits.last)),
        ]
        with m.If(took & bits.last):
            m.d.sync += [spent.eq(~drains), drains.eq(0)]
        with m.If(go):
            m.d.sync += [begun.eq(~last), first.eq(ends | skips)]
            m.d.sync += [index.eq(number + 1), closes.eq(number == now.full)]
            with m.If(last):
                m.d.sync += [spent.eq(0), drains.eq(~closed)]
        missing = uses & bits.last & ~regular & ~now.last
        unwanted = drains & took & bits.keep[0]
        with m.If(unwanted | (go & ((~now.whole & spent & ~skips) | missing))):
            m.d.sync += self.status.bitmap.eq(1)

    def _leave(self, m: Module) -> None:
        """Leave out the beat that took the elements to skip."""
        come: Any = self.expand.o
        beat = come.payload
        # Whether a beat is dropped would come late for the queue that it leaves.
        m.submodules.kept = output = SkidBuffer(shape=self.i_beat)
        shown = output.o
        m.d.comb += [
            output.i.valid.eq(come.valid & (beat.keep[0] | beat.last)),
            output.i.payload.eq(beat),
            come.ready.eq(output.i.ready),
        ]
        if self.derivative:
            words: Any = shown.payload
            bits = Cat(Value.cast(word).any() for word in words.data)
            show_bits(m, shown, bits, o=wiring.flipped(self.o), bits_o=self.bits)
        else:
            wiring.connect(m, shown, wiring.flipped(self.o))
