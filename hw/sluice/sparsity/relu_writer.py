"""Write blocks that were packed to places of their own."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.delay import keep
from sluice.sparsity.relu_engine import ReluEngine
from sluice.sparsity.relu_scan import write_layout
from sluice.stream import SkidBuffer

__all__ = ["ReluWriter"]


class ReluWriter(wiring.Component):
    """Make writes of the beats of one engine.

    Parameters
    ----------
    engine : ReluEngine
        Whose blocks are placed.
    address : int, bits
        Of an address, which counts beats.
    row_bits : int
        Of the number of a block among those with a bitmap.

    Members
    -------
    i : In(stream.Signature(StructLayout({"beat", "address", "row"})))
        What the engine gave, the beat of elements at which its block begins, and the number of the
        block among those with a bitmap; these two are the same for all beats of a block.
    o : Out(stream.Signature(write_layout(Beat(element, lanes))))
    bitmap : Out(stream.Signature(write_layout(Beat(bit, lanes))))
        No write is empty but for one that ends a packet.

    Attributes
    ----------
    latency : int, cycles
        From a beat to the write that it completes.
    """

    i: stream.Interface
    o: stream.Interface
    bitmap: stream.Interface
    latency = SkidBuffer.latency
    _MustUse__silence = True

    def __init__(self, *, engine: ReluEngine, address: int, row_bits: int):
        self.i_beat, self.bits_beat = engine.i_beat, engine.bits_beat
        self.beats, self.address = engine.beats, address
        beat = engine.o.payload.shape()
        come = data.StructLayout({"beat": beat, "address": address, "row": row_bits})
        super().__init__(
            {
                "i": In(stream.Signature(come)),
                "o": Out(stream.Signature(write_layout(self.i_beat, address))),
                "bitmap": Out(stream.Signature(write_layout(self.bits_beat, address))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        elements, bits = (self.i.signature.create() for _ in range(2))
        # Both go at once, as registers say.
        m.d.comb += [
            self.i.ready.eq(elements.ready & bits.ready),
            elements.valid.eq(self.i.valid & bits.ready),
            elements.payload.eq(self.i.payload),
            bits.valid.eq(self.i.valid & elements.ready),
            bits.payload.eq(self.i.payload),
        ]
        self._write_elements(m, elements)
        self._write_bits(m, bits)
        return m

    def _write_elements(self, m: Module, come: Any) -> None:
        """Put beats together.

        A beat may complete two writes, in the cycle in which the one before leaves, or in which the
        next one completes another. So there are three places for them: the elements that are kept
        for the next beat, which end a block with ``tail``; what just came; and ``spare``.
        """
        lanes, width = self.i_beat.lanes, self.i_beat.element_width
        m.submodules.output = output = SkidBuffer(shape=self.o.payload.shape())
        wiring.connect(m, output.o, wiring.flipped(self.o))
        go = output.i.ready
        word, packet_ends = come.payload.beat.packed, come.payload.beat.bits.last
        tail, spare, first = Signal(), Signal(), Signal(init=1)
        kept = [Signal(width, name=f"kept_{k}", reset_less=True) for k in range(lanes)]
        keeps, low = (Signal(lanes, name=n, reset_less=True) for n in ("keeps", "low"))
        at, tail_ends = Signal(self.address, reset_less=True), Signal(reset_less=True)

        # Of the first beat that a block reaches, the lanes below its first element are others'.
        address, below = Signal(self.address), Signal(lanes)
        moves, writes, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            come.ready.eq(go & ~(tail & spare)),
            moves.eq(come.valid & come.ready),
            address.eq(Mux(first, come.payload.address, at)),
            below.eq(Mux(first, word.held, low)),
            ends.eq(packet_ends & ~word.over),
        ]
        keep_bits = Signal(lanes)
        m.d.comb += [
            keep_bits.eq((word.rest | word.over.replicate(lanes)) & ~below),
            writes.eq(moves & (word.over | (word.last & (keep_bits.any() | packet_ends)))),
        ]
        merged: list[Value] = []
        for k in range(lanes):
            comes, held = word.words.word_select(k, width), word.held[k]
            merged.append(Mux(held, kept[k], comes))
            with m.If(moves & (word.emits | ~held)):
                m.d.sync += kept[k].eq(comes)
        with m.If(moves):
            m.d.sync += [
                first.eq(word.last),
                at.eq(address + word.over),
                low.eq(Mux(word.over, 0, below)),
                keeps.eq(word.rest),
                tail_ends.eq(packet_ends),
            ]
        made = Cat(address, *merged, keep_bits, ends)
        spared = keep(m, "spared", made, moves)
        last_of_block = Cat(at, *kept, keeps, tail_ends)
        m.d.comb += [
            output.i.valid.eq(spare | tail | writes),
            Value.cast(output.i.payload).eq(Mux(spare, spared, Mux(tail, last_of_block, made))),
        ]
        with m.If(go):
            m.d.sync += [
                spare.eq(writes & (spare | tail)),
                tail.eq((moves & word.over & word.last) | (tail & spare)),
            ]

    def _write_bits(self, m: Module, come: Any) -> None:
        """Write the beats of bits that a block has, and what ends a packet."""
        m.submodules.bits_output = output = SkidBuffer(shape=self.bitmap.payload.shape())
        wiring.connect(m, output.o, wiring.flipped(self.bitmap))
        beat = come.payload.beat
        bits, has = beat.bits, ~beat.raw
        index = Signal(range(max(2, self.beats)))
        bits_of_index = self.beats.bit_length() - 1
        with m.If(come.valid & come.ready):
            m.d.sync += index.eq(Mux(beat.packed.last, 0, index + 1))
        address = Cat(index[:bits_of_index], come.payload.row)
        m.d.comb += [
            come.ready.eq(output.i.ready),
            output.i.valid.eq(come.valid & (has | bits.last)),
            output.i.payload.address.eq(address),
            output.i.payload.data.eq(bits.data),
            output.i.payload.keep.eq(Mux(has, bits.keep, 0)),
            output.i.payload.last.eq(bits.last),
        ]
