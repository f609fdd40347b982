"""Leave zeros out of several blocks at once."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS
from sluice.params import Choice, Int
from sluice.sparsity.block_sizes import size_entry
from sluice.sparsity.relu_compress import BLOCK, ELEMENTS, check_block
from sluice.sparsity.relu_engine import ReluEngine
from sluice.sparsity.relu_scan import ReluScan
from sluice.sparsity.relu_writer import ReluWriter
from sluice.stream import Beat, Fifo, SkidBuffer

__all__ = ["ADDRESS", "ENGINES", "ReluCompressParallel", "check_address"]

ENGINES = Int("engines", "blocks at a time, a power of two", 1, 8, power_of_two=True)
ADDRESS = Int("address", "bits of an address, which counts beats", 7, 32, "bits")
# An entry of the table that stands for no block: raw, of no element.
_NONE = 1 << 15


def check_address(address: int, *, beats: int) -> None:
    """Raise ValueError if a region has fewer places than two blocks of so many beats, and more."""
    least = beats.bit_length() + 1
    if address < least:
        raise ValueError(f"address must be at least {least}, for blocks of {beats} beats")


class ReluCompressParallel(Block):
    """Compress a tensor as :class:`ReluCompress` does, by engines that have a block each.

    Blocks are dealt to the engines in turn. Each counts the elements of its block; exclusive prefix
    sums over the counts of a round, and over the rounds, say where every block begins; and then all
    engines copy their blocks to where they belong, as writes to the two regions of memory.

    Parameters
    ----------
    element, lanes, block, stages
        As of :class:`ReluCompress`; lanes are those of one engine.
    engines : int, 1..8
        A power of two.
    address : int, 7..32, bits
        Of an address, which counts beats. A region has up to ``2**address`` beats.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes))).array(engines)
        To engine ``e``, as one packet, the blocks ``e``, ``e + engines``, ``e + 2 * engines``, ...
        of a tensor; an empty packet, if there is none of these.
    o : Out(stream.Signature({"address": address, **Beat(element, lanes)})).array(engines)
        Writes of elements: the lanes that ``keep`` has set, of the beat ``address`` of the region.
        They are any run of lanes. ``last`` ends the tensor, on each stream; where the last block
        has no element, with a write of none.
    bitmap : Out(stream.Signature({"address": address, **Beat(bit, lanes)})).array(engines)
        Writes of bits, to the other region.
    counts : Out(stream.Signature(Beat(uint16, engines)))
        Entries of the table as those of :class:`ReluCompress`: a beat for each round.
    status : Out(StructLayout({"mismatch": 1}))
        Sticky: packets were not the blocks of one tensor, dealt in turn. What was written is then
        that of the blocks that there were, in rounds, and the entry of one that was not there,
        before one that was, is raw and has no element. The next tensor is not touched.

    Attributes
    ----------
    latency : cycles
        From the last beat of a block to the first write on ``o``, when the first beat is full and
        all engines have their block.
    interval : 1 cycle
        Between beats on all ``i`` at once, at every density, as long as no block makes more writes
        than it has beats: ``ceil((start % lanes + stored) / lanes)`` for ``stored`` elements from
        ``start`` on. Only a block that hardly has a zero can make one more, and then takes one
        cycle more.

    Notes
    -----
    ``i[e].ready`` and all outputs are registers. No two writes are for the same element, so that
    they may be done in any order; those of one engine come in the order of addresses. The bits of
    a block are for the beats from ``block // lanes`` times the number of blocks before it that are
    not raw. Outputs that are not read hold up the others, as soon as what lies between them is
    full. Reset drops what is on the way.

    Method: US11362670 (counts per block, prefix sum of the counts, and a copy of all blocks at a
    time). Golden model: :func:`sluice_sim.golden.relu_parallel.relu_compress_parallel`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or a block is less than a beat.
    """

    i: Any
    o: Any
    bitmap: Any
    counts: stream.Interface
    status: Any
    same_packets = False
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", ELEMENTS),
        Int("lanes", "elements per beat, a power of two", 2, 64, power_of_two=True),
        BLOCK,
        ENGINES,
        Int("stages", "registers behind the memory", 0, 16, "cycles"),
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
        # Entries of the table, and of each engine what else it must know of its block.
        final = range(max(2, self.block // self.lanes))
        part = data.StructLayout({"takes": 1, "raw": 1, "final": final, "single": 1})
        rest = {
            "parts": data.ArrayLayout(part, self.engines),
            "entries": Beat(FORMATS["uint16"], self.engines),
        }
        self.scan = ReluScan(
            engines=self.engines,
            lanes=self.lanes,
            block=self.block,
            address=self.address,
            rest=data.StructLayout(rest),
        )
        self.engine = [
            ReluEngine(
                element=self.element,
                lanes=self.lanes,
                block=self.block,
                stages=self.stages,
                placed=True,
                wait=self.scan.latency + SkidBuffer.latency,
            )
            for _ in range(self.engines)
        ]
        one = self.engine[0]
        self.writer = [
            ReluWriter(engine=e, address=self.address, row_bits=self.scan.row_bits)
            for e in self.engine
        ]
        self.width, self.beats = one.width, one.beats
        self.i_beat, self.bits_beat = one.i_beat, one.bits_beat
        self.counts_beat = Beat(FORMATS["uint16"], self.engines)
        # Of more than one beat, a full one leaves when the next one comes.
        follows = int(self.beats > 1)
        self.latency = one.ahead - 2 + follows + one.latency + ReluWriter.latency
        writes, bits = (p.payload.shape() for p in (self.writer[0].o, self.writer[0].bitmap))
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)).array(self.engines),
                "o": Out(stream.Signature(writes)).array(self.engines),
                "bitmap": Out(stream.Signature(bits)).array(self.engines),
                "counts": Out(stream.Signature(self.counts_beat)),
                "status": Out(data.StructLayout({"mismatch": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.scan = self.scan
        for e in range(self.engines):
            m.submodules[f"engine_{e}"] = self.engine[e]
            m.submodules[f"writer_{e}"] = writer = self.writer[e]
            wiring.connect(m, wiring.flipped(self.i[e]), self.engine[e].i)
            wiring.connect(m, writer.o, wiring.flipped(self.o[e]))
            wiring.connect(m, writer.bitmap, wiring.flipped(self.bitmap[e]))
        self._gather(m)
        self._deal(m)
        return m

    def _gather(self, m: Module) -> None:
        """Make a round of one block of each engine that has one."""
        engines, row = range(self.engines), self.scan.i
        # Packets of these engines have ended, and others have not.
        over = Signal(self.engines)
        has, ends, there, whole = (
            Signal(self.engines, name=n) for n in ("has", "ends", "there", "whole")
        )
        go, last = Signal(), Signal()
        parts, entries = row.payload.rest.parts, row.payload.rest.entries
        for e in engines:
            engine = self.engine[e]
            known_shape = data.StructLayout({"size": engine.size.shape(), "whole": 1})
            known = Fifo(shape=known_shape, depth=engine.depth, always_ready=True)
            m.submodules[f"known_{e}"] = known
            size = known.o.payload.size
            m.d.comb += [
                known.i.valid.eq(engine.done),
                known.i.payload.size.eq(engine.size),
                known.i.payload.whole.eq(engine.whole),
                known.o.ready.eq(go & ~over[e]),
                has[e].eq(over[e] | known.o.valid),
                ends[e].eq(over[e] | size.last),
                there[e].eq(~over[e] & ~size.empty),
                whole[e].eq(there[e] & known.o.payload.whole),
                row.payload.stored[e].eq(Mux(there[e], size.stored, 0)),
                row.payload.bits[e].eq(there[e] & ~size.raw),
                parts[e].takes.eq(~over[e]),
                parts[e].raw.eq(size.raw),
                parts[e].final.eq(size.final),
                parts[e].single.eq(size.single),
                entries.data[e].eq(Mux(there[e], size_entry(size)[:16], Const(_NONE, 16))),
                entries.keep[e].eq(~last | there[e:].any()),
            ]
        m.d.comb += [
            row.valid.eq(has.all()),
            go.eq(row.valid & row.ready),
            last.eq(ends.all()),
            row.payload.last.eq(last),
            entries.last.eq(last),
        ]
        # A block was short, or there was none, so that there must be no other.
        closed = Signal()
        wrong = Cat(there[e] & Cat(closed, ~whole[:e]).any() for e in engines)
        with m.If(go):
            m.d.sync += [
                over.eq(Mux(last, 0, ends)),
                closed.eq(~last & (closed | ~whole.all())),
                self.status.mismatch.eq(self.status.mismatch | wrong.any()),
            ]

    def _deal(self, m: Module) -> None:
        """Give engines their turns, and their blocks' places to what writes them."""
        row, low = self.scan.o, self.lanes.bit_length() - 1
        m.submodules.table = table = SkidBuffer(shape=self.counts_beat)
        wiring.connect(m, table.o, wiring.flipped(self.counts))
        place = {"address": self.address, "row": self.scan.row_bits}
        shape = data.StructLayout(
            {"turn": self.engine[0].turn.payload.shape(), "place": data.StructLayout(place)}
        )
        turns = [SkidBuffer(shape=shape) for _ in self.engine]
        go = row.valid & row.ready
        m.d.comb += [
            row.ready.eq(table.i.ready & Cat(turn.i.ready for turn in turns).all()),
            table.i.valid.eq(go),
            table.i.payload.eq(row.payload.rest.entries),
        ]
        for e, (engine, turn, writer) in enumerate(
            zip(self.engine, turns, self.writer, strict=True)
        ):
            m.submodules[f"turn_{e}"] = turn
            # Of the blocks whose beats are in the pipeline of the engine.
            places = Fifo(
                shape=shape["place"].shape, depth=engine.pipeline.depth, always_ready=True
            )
            m.submodules[f"places_{e}"] = places
            part, element = row.payload.rest.parts[e], row.payload.element[e]
            given, come = turn.i.payload, writer.i
            m.d.comb += [
                turn.i.valid.eq(go & part.takes),
                given.turn.raw.eq(part.raw),
                given.turn.final.eq(part.final),
                given.turn.single.eq(part.single),
                given.turn.offset.eq(element[:low]),
                given.place.address.eq(element[low:]),
                given.place.row.eq(row.payload.row[e]),
                engine.turn.valid.eq(turn.o.valid),
                engine.turn.payload.eq(turn.o.payload.turn),
                turn.o.ready.eq(engine.turn.ready),
                places.i.valid.eq(engine.begins),
                places.i.payload.eq(turn.o.payload.place),
                come.valid.eq(engine.o.valid),
                engine.o.ready.eq(come.ready),
                Value.cast(come.payload).eq(
                    Cat(Value.cast(engine.o.payload), Value.cast(places.o.payload))
                ),
                places.o.ready.eq(come.valid & come.ready & engine.o.payload.packed.last),
            ]
