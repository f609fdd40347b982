"""Put zeros back into several blocks at once."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS
from sluice.params import Choice, Int
from sluice.sparsity.relu_compress import BLOCK, ELEMENTS, check_block
from sluice.sparsity.relu_compress_parallel import ADDRESS, ENGINES, check_address
from sluice.sparsity.relu_decompress import ReluDecompress
from sluice.sparsity.relu_reader import ReluReader, describe_run, run_layout
from sluice.sparsity.relu_scan import ReluScan
from sluice.stream import Beat, Fifo, Fork, SkidBuffer, sample_settings

__all__ = ["ReluDecompressParallel"]

# Blocks whose beats an engine has asked for wait in queues of so many.
_AHEAD = 16


class ReluDecompressParallel(Block):
    """Undo :class:`ReluCompressParallel`, by engines that read a block each.

    Exclusive prefix sums over the table of counts say where every block begins. Each engine asks
    for the beats of its block, and puts the zeros back.

    Parameters
    ----------
    element, lanes, block, engines, address
        As of the block that compressed it.
    stages : int, 0..16
        Registers in the datapath, as in :class:`ReluDecompress`.

    Members
    -------
    counts : In(stream.Signature(Beat(uint16, engines)))
        The table, a packet for a tensor.
    at : Out(stream.Signature(address)).array(engines)
        Beats of the region of elements that each engine wants.
    bits_at : Out(stream.Signature(address)).array(engines)
        Beats of the region of bits.
    i : In(stream.Signature(ArrayLayout(element, lanes))).array(engines)
        What there is at each of ``at``, in order. Lanes that are of other blocks may be anything.
    bitmap : In(stream.Signature(ArrayLayout(bit, lanes))).array(engines)
        What there is at each of ``bits_at``.
    o : Out(stream.Signature(Beat(element, lanes))).array(engines)
        Of engine ``e``, as one packet, the blocks ``e``, ``e + engines``, ... of a tensor; an empty
        packet, if there is none of these.
    config : In(StructLayout({"tail": range(block)}))
        Sampled at the first beat of ``counts``: elements of the tensor modulo ``block``, which tell
        how many the last block has, if it is not raw.
    status : Out(StructLayout({"mismatch": 1}))
        Sticky: a block had more or fewer bits set than its entry of the table says. It has as many
        elements as it should, zeros where one was missing.

    Attributes
    ----------
    latency : cycles
        From the first beat on ``i``, if bits have come, to the first one on ``o``.
    interval : 1 cycle
        Between beats on all ``o`` at once, at every density; one cycle more for each block that
        does not begin with a beat of the region.

    Notes
    -----
    An engine asks for beats of 17 blocks before the first comes, so that memory may be as
    late. Only the packet's end, or the next beat of ``counts``, tells which block is an engine's
    last one. ``i.ready`` depends on registers. Streams that are not taken hold up the others, as
    soon as what lies between them is full. Reset drops what is on the way; beats that were asked
    for must not come any more.

    Method: US11362670 (block indices by a prefix sum of the counts, and all blocks at a time).
    Golden model: :func:`sluice_sim.golden.relu_parallel.relu_decompress_parallel`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or a block is less than a beat.
    """

    counts: stream.Interface
    at: Any
    bits_at: Any
    i: Any
    bitmap: Any
    o: Any
    config: Any
    status: Any
    same_packets = False
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", ELEMENTS),
        Int("lanes", "elements per beat, a power of two", 2, 64, power_of_two=True),
        BLOCK,
        ENGINES,
        Int("stages", "registers in the datapath", 0, 16, "cycles"),
        ADDRESS,
    )

    def __init__(
        self,
        *,
        element: str = "bf16",
        lanes: int = 8,
        block: int = 256,
        engines: int = 2,
        stages: int = 16,
        address: int = 32,
    ):
        self.check(
            element=element,
            lanes=lanes,
            block=block,
            engines=engines,
            stages=stages,
            address=address,
        )
        self.element: str
        self.lanes: int
        self.block: int
        self.engines: int
        self.stages: int
        self.address: int
        check_block(self.block, lanes=self.lanes)
        check_address(self.address, beats=self.block // self.lanes)
        self.beats, self.ahead = self.block // self.lanes, _AHEAD
        self.engine = [
            ReluDecompress(
                element=self.element, lanes=self.lanes, block=self.block, stages=self.stages
            )
            for _ in range(self.engines)
        ]
        one = self.engine[0]
        self.width = one.width
        self.i_beat, self.bits_beat = one.i_beat, one.bits_beat
        self.counts_beat = Beat(FORMATS["uint16"], self.engines)
        # `ends` says that this is the last block that an engine has, or that it has none; `short`
        # that it may have fewer elements than others.
        part = {"takes": 1, "ends": 1, "short": 1, "there": 1, "entry": 16}
        rest = {
            "parts": data.ArrayLayout(data.StructLayout(part), self.engines),
            "tail": range(self.block),
        }
        self.scan = ReluScan(
            engines=self.engines,
            lanes=self.lanes,
            block=self.block,
            address=self.address,
            rest=data.StructLayout(rest),
        )
        self.latency = one.expand.elements.latency + SkidBuffer.latency
        # As many elements as the bits of an entry can tell, behind those to skip.
        most = 2 * self.block + self.lanes
        turn = {
            "elements": run_layout(lanes=self.lanes, most=most, address=self.address),
            "bits": run_layout(lanes=self.lanes, most=self.block, address=self.address),
            "skip": range(self.lanes),
            "entry": 16,
            "there": 1,
            "ends": 1,
        }
        self.turn = data.StructLayout(turn)
        self.readers = [
            (
                ReluReader(beat=self.i_beat, most=most, address=self.address, ahead=self.ahead),
                ReluReader(
                    beat=self.bits_beat, most=self.block, address=self.address, ahead=self.ahead
                ),
            )
            for _ in self.engine
        ]
        words, bits = (stream.Signature(b["data"].shape) for b in (self.i_beat, self.bits_beat))
        super().__init__(
            {
                "counts": In(stream.Signature(self.counts_beat)),
                "at": Out(stream.Signature(self.address)).array(self.engines),
                "bits_at": Out(stream.Signature(self.address)).array(self.engines),
                "i": In(words).array(self.engines),
                "bitmap": In(bits).array(self.engines),
                "o": Out(stream.Signature(self.i_beat)).array(self.engines),
                "config": In(data.StructLayout({"tail": range(self.block)})),
                "status": Out(data.StructLayout({"mismatch": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.scan = self.scan
        self._look_ahead(m)
        turns = self._deal(m)
        for e, turn in enumerate(turns):
            self._connect(m, e, turn)
        wrong = Cat(Value.cast(engine.status).any() for engine in self.engine)
        with m.If(wrong.any()):
            m.d.sync += self.status.mismatch.eq(1)
        return m

    def _look_ahead(self, m: Module) -> None:
        """Keep a round until it is known which engines have another block."""
        engines, row, come = range(self.engines), self.scan.i, self.counts.payload
        held = Signal(self.counts_beat, reset_less=True)
        tail = Signal(range(self.block), reset_less=True)
        full, first = Signal(), Signal(init=1)
        settings = sample_settings(m, self.config, self.counts)
        m.d.comb += [
            self.counts.ready.eq(~full | row.ready),
            row.valid.eq(full & (held.last | self.counts.valid)),
            row.payload.last.eq(held.last),
            row.payload.rest.tail.eq(tail),
        ]
        with m.If(row.valid & row.ready):
            m.d.sync += [full.eq(0), first.eq(held.last)]
        with m.If(self.counts.valid & self.counts.ready):
            m.d.sync += [full.eq(1), held.eq(come), tail.eq(settings.tail)]
        for e in engines:
            entry, there = Value.cast(held.data[e]), held.keep[e]
            part = row.payload.rest.parts[e]
            following = held.keep[e + 1] if e + 1 < self.engines else Const(0, 1)
            m.d.comb += [
                row.payload.stored[e].eq(Mux(there, entry[: self.block.bit_length()], 0)),
                row.payload.bits[e].eq(there & ~entry[15]),
                part.there.eq(there),
                part.entry.eq(entry),
                part.takes.eq(there | first),
                part.ends.eq(held.last | (come.last & ~come.keep[e])),
                part.short.eq(held.last & ~following),
            ]

    def _deal(self, m: Module) -> list[Any]:
        """Return a stream of blocks for each engine."""
        row, low = self.scan.o, self.lanes.bit_length() - 1
        turns = [SkidBuffer(shape=self.turn) for _ in self.engine]
        m.d.comb += row.ready.eq(Cat(turn.i.ready for turn in turns).all())
        tail = row.payload.rest.tail
        for e, turn in enumerate(turns):
            m.submodules[f"turn_{e}"] = turn
            part, element = row.payload.rest.parts[e], row.payload.element[e]
            given = turn.i.payload
            count = Signal(self.block.bit_length(), name=f"count_{e}")
            total = Signal(range(2 * self.block + self.lanes), name=f"total_{e}")
            bits = Signal(range(self.block + 1), name=f"bits_{e}")
            some = count.any()
            m.d.comb += [
                turn.i.valid.eq(row.valid & row.ready & part.takes),
                count.eq(Mux(part.there, part.entry[: len(count)], 0)),
                given.skip.eq(Mux(some, element[:low], 0)),
                total.eq(Mux(some, count + element[:low], 0)),
                bits.eq(Mux(part.short & tail.any(), tail, self.block)),
                *describe_run(given.elements, element[low:], total, self.lanes),
                *describe_run(
                    given.bits,
                    Cat(Const(0, self.beats.bit_length() - 1), row.payload.row[e]),
                    Mux(part.there & ~part.entry[15], bits, 0),
                    self.lanes,
                ),
                given.entry.eq(part.entry),
                given.there.eq(part.there),
                given.ends.eq(part.ends),
            ]
        return [turn.o for turn in turns]

    def _connect(self, m: Module, e: int, turn: Any) -> None:
        """Let an engine read its blocks, each as a packet, and make one packet of what comes."""
        engine, (elements, bits) = self.engine[e], self.readers[e]
        m.submodules[f"engine_{e}"] = engine
        m.submodules[f"elements_{e}"], m.submodules[f"bits_{e}"] = elements, bits
        m.submodules[f"fork_{e}"] = fork = Fork(shape=self.turn, outputs=4)
        wiring.connect(m, turn, fork.i)
        for reader, run, asks, comes, to in (
            (elements, "elements", self.at[e], self.i[e], engine.i),
            (bits, "bits", self.bits_at[e], self.bitmap[e], engine.bitmap),
        ):
            wiring.connect(m, reader.at, wiring.flipped(asks))
            wiring.connect(m, wiring.flipped(comes), reader.i)
            m.d.comb += [
                to.valid.eq(reader.o.valid),
                to.payload.eq(reader.o.payload),
                reader.o.ready.eq(to.ready),
            ]
            given = fork.o[0 if run == "elements" else 1]
            m.d.comb += [
                reader.run.valid.eq(given.valid),
                reader.run.payload.eq(given.payload[run]),
                given.ready.eq(reader.run.ready),
            ]
        # A bit that is set takes an element, whether it is kept or not.
        kept = bits.o.payload
        m.d.comb += engine.bitmap.payload.data.eq(Value.cast(kept.data) & kept.keep)
        entries = Fifo(
            shape=data.StructLayout({"skip": self.lanes.bit_length() - 1, "entry": 17}),
            depth=self.ahead,
            read_ahead=True,
        )
        ends = Fifo(shape=1, depth=2 * self.ahead, read_ahead=True)
        m.submodules[f"entries_{e}"], m.submodules[f"ends_{e}"] = entries, ends
        block, come, o = fork.o[2].payload, engine.o, self.o[e]
        m.d.comb += [
            entries.i.valid.eq(fork.o[2].valid),
            entries.i.payload.skip.eq(block.skip),
            entries.i.payload.entry.eq(Cat(block.entry, block.there)),
            fork.o[2].ready.eq(entries.i.ready),
            engine.counts.valid.eq(entries.o.valid),
            engine.counts.payload.data.eq(entries.o.payload.entry[:16]),
            engine.counts.payload.keep.eq(entries.o.payload.entry[16]),
            engine.counts.payload.last.eq(1),
            engine.config.skip.eq(entries.o.payload.skip),
            entries.o.ready.eq(engine.counts.ready),
            ends.i.valid.eq(fork.o[3].valid),
            ends.i.payload.eq(fork.o[3].payload.ends),
            fork.o[3].ready.eq(ends.i.ready),
            o.valid.eq(come.valid & ends.o.valid),
            o.payload.data.eq(come.payload.data),
            o.payload.keep.eq(come.payload.keep),
            o.payload.last.eq(come.payload.last & ends.o.payload),
            come.ready.eq(o.ready & ends.o.valid),
            ends.o.ready.eq(come.valid & o.ready & come.payload.last),
        ]
