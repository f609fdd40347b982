"""What waits for a product with a matrix of indices: vectors, and the next matrix."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.feed import below
from sluice.array.loader import Loader
from sluice.compression.gather_walk import command_layout
from sluice.delay import delay
from sluice.store import Store
from sluice.stream import Beat

__all__ = ["MatrixLoad", "Vectors"]


class Vectors(wiring.Component):
    """Keep two vectors: one that is read, as often as need be, and one that comes.

    Parameters
    ----------
    beat : Beat
    beats : int, a power of two from 2
        Of a vector. What one has more is not kept, nor that it ends there.

    Members
    -------
    i : In(stream.Signature(beat))
    there : Out(1)
        The vector that is read is there.
    at : In(range(beats))
        Which of its beats is read.
    leaves : In(1)
        That was the last time that one of them is.
    o : Out(beat)
        The beat, two cycles later.
    """

    i: stream.Interface
    there: Signal
    at: Signal
    leaves: Signal
    o: Any

    def __init__(self, *, beat: Beat, beats: int):
        self.beat, self.beats = beat, beats
        super().__init__(
            {
                "i": In(stream.Signature(beat)),
                "there": Out(1),
                "at": In((beats - 1).bit_length()),
                "leaves": In(1),
                "o": Out(beat),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        full, to, of = Signal(2), Signal(), Signal()
        place, beyond, taken, whole = Signal.like(self.at), Signal(), Signal(), Signal()
        store = Store(m, "words", shape=self.beat.size, depth=2 * self.beats)
        m.d.comb += [
            self.i.ready.eq(~Mux(to, full[1], full[0])),
            self.there.eq(Mux(of, full[1], full[0])),
            taken.eq(self.i.valid & self.i.ready),
            whole.eq(taken & self.i.payload.last),
            # Both a cycle late, so that the last beat is read before it is written again.
            store.write.en.eq(delay(m, "taken", taken & ~beyond, 1, reset=True)),
            store.write.addr.eq(delay(m, "place_taken", Cat(place, to), 1)),
            store.write.data.eq(delay(m, "beat_taken", Value.cast(self.i.payload), 1)),
            store.at.eq(delay(m, "at_read", Cat(self.at, of), 1)),
            Value.cast(self.o).eq(store.o),
        ]
        with m.If(taken):
            m.d.sync += [place.eq(place + 1), beyond.eq(beyond | place.all())]
        with m.If(whole):
            m.d.sync += [place.eq(0), beyond.eq(0), to.eq(~to)]
        with m.If(self.leaves):
            m.d.sync += of.eq(~of)
        for k in range(2):
            with m.If(whole & (to == k)):
                m.d.sync += full[k].eq(1)
            with m.Elif(self.leaves & (of == k)):
                m.d.sync += full[k].eq(0)
        return m


class MatrixLoad(wiring.Component):
    """Load the next matrix into the half of a scratchpad that is not read.

    Parameters
    ----------
    beat : Beat
        As many elements as a block has rows and columns.
    blocks : int
        Of a half.
    count_bits : int

    Members
    -------
    commands : In(stream.Signature(command_layout(count_bits)))
        Of which those with a fresh matrix are of interest.
    i : In(stream.Signature(beat))
        Rows, each a packet.
    takes : In(1)
        The matrix that was loaded becomes the one that is read, from the next cycle on.
    loaded : Out(1)
        It is there.
    half : Out(1)
        The one that is read.
    en, to_block, to_row, row : Out
        To the scratchpad.
    uneven : Out(1)
        A row had not as many elements as the matrix has columns, a cycle ago.
    """

    commands: stream.Interface
    i: stream.Interface
    takes: Signal
    loaded: Signal
    half: Signal
    en: Signal
    to_block: Signal
    to_row: Signal
    row: Signal
    uneven: Signal

    def __init__(self, *, beat: Beat, blocks: int, count_bits: int):
        self.beat, self.count_bits = beat, count_bits
        # A number of rows is one more than their last one.
        self.loader = Loader(beat=beat, size=beat.lanes, blocks=blocks, count_bits=count_bits + 1)
        self.loader._MustUse__silence = True
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(count_bits))),
                "i": In(stream.Signature(beat)),
                **{name: Out(1) for name in ("loaded", "half", "en", "uneven")},
                "takes": In(1),
                "to_block": Out(len(self.loader.to_block) + 1),
                "to_row": Out(len(self.loader.to_row)),
                "row": Out(beat.data_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.loader = loader = self.loader
        given, rows = self.commands.payload, loader.commands
        lanes, levels = self.beat.lanes, self.loader.levels
        # A matrix is in the half that is not read, or on its way there.
        ahead, begins, taken = Signal(), Signal(), Signal()
        last_column = Signal(self.count_bits, reset_less=True)
        place = Signal(self.count_bits - levels)
        wiring.connect(m, wiring.flipped(self.i), loader.i)
        m.d.comb += [
            rows.valid.eq(self.commands.valid & given.fresh & ~ahead),
            rows.payload.vectors.eq(given.last_row + 1),
            rows.payload.a.across.eq((given.last_column >> levels) + 1),
            begins.eq(rows.valid & rows.ready),
            self.commands.ready.eq(begins | ~given.fresh),
            taken.eq(self.i.valid & self.i.ready),
            self.en.eq(loader.en),
            self.to_block.eq(Cat(loader.to_block, ~self.half)),
            self.to_row.eq(loader.to_row),
            self.row.eq(loader.row),
        ]
        with m.If(begins):
            m.d.sync += [ahead.eq(1), last_column.eq(given.last_column)]
        with m.If(loader.done):
            m.d.sync += self.loaded.eq(1)
        with m.If(self.takes):
            m.d.sync += [ahead.eq(0), self.loaded.eq(0), self.half.eq(~self.half)]
        last = place == last_column[levels:]
        wanted = Cat(below(last, last_column[:levels], lanes), last)
        m.d.sync += self.uneven.eq(
            taken & (Cat(self.i.payload.keep, self.i.payload.last) != wanted)
        )
        with m.If(taken):
            m.d.sync += place.eq(Mux(self.i.payload.last, 0, place + 1))
        return m
