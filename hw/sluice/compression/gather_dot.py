"""What products with weights in a table have in common, whatever their numbers are."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.compression.lut_tables import TableLoader
from sluice.compression.turns import lowest
from sluice.delay import delay
from sluice.formats import Format, unsigned_format
from sluice.store import Store
from sluice.stream import Beat, Fifo, join, sample_settings, uneven

__all__ = ["GatherDot"]


class GatherDot(Block):
    """Sums by index in two banks: one is filled while the other is drained, index by index.

    A subclass has the parameters ``lanes`` and ``index_bits``, calls :meth:`promise` and
    :meth:`promise_cycles`, makes the memories of sums, whose interface is that of
    :class:`sluice.compression.gather_sums.BinSums`, and multiplies what they give.

    Attributes
    ----------
    phase_bits : int
        An index has ``phases = 2**phase_bits`` sums in each lane, which the beats of a packet go to
        in turn, and is drained in as many cycles. Where it is more than one, indices that the sums
        are given have the number of the sum below.
    packets : int
        That may be on their way.
    products : int, cycles
        From a sum to the total with its product.
    """

    i: stream.Interface
    indices: stream.Interface
    table: stream.Interface
    o: stream.Interface
    config: Any
    status: Any
    lanes: int
    index_bits: int
    phase_bits: int = 0
    packets = 4
    products: int

    def promise(self, source: Format, factor: Format, result: Format, *status: str) -> None:
        """Declare the ports, for elements, centroids and results; ``status`` has these besides."""
        self.source, self.factor = source, factor
        self.count = 1 << self.index_bits
        self.phases = 1 << self.phase_bits
        self.i_beat = Beat(source, self.lanes)
        self.indices_beat = Beat(unsigned_format(self.index_bits), self.lanes)
        self.table_beat = Beat(factor, 1)
        wiring.Component.__init__(
            self,
            {
                "i": In(stream.Signature(self.i_beat)),
                "indices": In(stream.Signature(self.indices_beat)),
                "table": In(stream.Signature(self.table_beat)),
                "o": Out(stream.Signature(Beat(result, 1))),
                "config": In(data.StructLayout({"fresh": 1})),
                "status": Out(data.StructLayout(dict.fromkeys(("uneven", "table", *status), 1))),
            },
        )

    def promise_cycles(self, settles: int, reads: int, frees: int) -> None:
        """Set ``latency`` and ``gap`` by what the sums say of themselves."""
        # To the sums, to an index, to its sum, to the total, and through the queue.
        to_index = 2 + settles + 3 + self.phases - 1
        self.latency = to_index + reads + self.products + Fifo.latency
        self.gap = 2 + settles + frees

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        unit = self.make_sums(m)
        # The drain of a bank begins; and a bank has been drained.
        starts, freed, drained, taken = Signal(), Signal(2), Signal(), Signal()
        loader = TableLoader(m, self.table, (self.count,), taken=taken)
        beat, moves, bank, begins, fresh_of = self._enter(m, loader, starts, drained, freed, taken)
        ended = delay(m, "ended", moves & beat.i.last, 1 + unit.settles, reset=True)
        to = delay(m, "ended_bank", bank, 1 + unit.settles)
        pending = Signal(2)
        for b in range(2):
            with m.If(ended & (to == b)):
                m.d.sync += pending[b].eq(1)
            with m.Elif(starts & (drained == b)):
                m.d.sync += pending[b].eq(0)

        words, at = Value.cast(beat.i.data), Value.cast(beat.indices.data)
        words, at = delay(m, "words", words, 1), delay(m, "indices", at, 1)
        counts = beat.i.keep & moves.replicate(self.lanes)
        counts = delay(m, "counts", counts, 1, reset=True)
        entries = [
            (
                self.number(words.word_select(k, self.source.width)),
                at.word_select(k, self.index_bits),
                counts[k],
            )
            for k in range(self.lanes)
        ]
        bank = delay(m, "bank", bank, 1)
        there = self._note(m, entries, bank, starts, drained)
        if self.phase_bits:
            phase = self._count(m, moves, beat.i.last)
            entries = [(element, Cat(phase, at), counts) for element, at, counts in entries]
        one, index, flags = self._step(m, unit, there, pending, starts, drained, freed)
        found = unit.connect(
            entries,
            bank,
            delay(m, "begins", begins, 1, reset=True),
            one,
            index,
            delay(m, "drained", flags.drained, 2),
            delay(m, "clears", flags.any, 2, reset=True),
        )
        changes = starts & ~flags.forgets & Mux(drained, fresh_of[1], fresh_of[0])
        m.d.comb += taken.eq(changes)
        total = self.multiply(m, loader, unit, found, index, flags, changes)
        late = self.sums_late(unit)
        m.submodules.results = results = Fifo(
            shape=self.o.payload.shape(), depth=self.packets, always_ready=True
        )
        m.d.comb += [
            results.i.valid.eq(
                delay(m, "total_last", flags.last & ~flags.forgets, late, reset=True)
            ),
            Value.cast(results.i.payload.data[0]).eq(total),
            results.i.payload.keep.eq(1),
            results.i.payload.last.eq(1),
        ]
        wiring.connect(m, results.o, wiring.flipped(self.o))
        with m.If(loader.wrong):
            m.d.sync += self.status.table.eq(1)
        return m

    def make_sums(self, m: Module) -> Any:
        """Return the memories of sums."""
        raise NotImplementedError

    def number(self, word: Value) -> Value:
        """Return the element that is in a word, as the sums take it."""
        return word

    def multiply(
        self,
        m: Module,
        loader: TableLoader,
        unit: Any,
        found: Value,
        index: Value,
        flags: Any,
        changes: Value,
    ) -> Value:
        """Return the sum of the products of sums and centroids, ``products`` after each sum.

        Parameters
        ----------
        unit : sums
        found, index : Value
            A sum, and ``unit.reads`` before that the index that it is of.
        flags : view
            Two cycles before the index: it is the ``first`` or the ``last`` one of its packet, and
            there is ``any``.
        changes : 1 bit
            The table changes between the index before and the one three cycles later.
        """
        raise NotImplementedError

    def sums_late(self, unit: Any) -> int:
        """Return the cycles from an index, two before it is given, to the total with it."""
        return 2 + unit.reads + self.products

    def _count(self, m: Module, moves: Value, last: Value) -> Value:
        """Return which of the sums of its index a beat goes to, a cycle after it has moved."""
        phase = Signal(self.phase_bits)
        with m.If(moves):
            m.d.sync += phase.eq(Mux(last, 0, phase + 1))
        return delay(m, "phase", phase, 1)

    def _enter(
        self,
        m: Module,
        loader: TableLoader,
        starts: Signal,
        drained: Signal,
        freed: Signal,
        taken: Signal,
    ) -> tuple[Any, Signal, Signal, Value, Signal]:
        """Let beats in; return the beat, whether it moves, its bank, and what packets begin there.

        The first beat of a packet waits for its bank, for a place for the result, and for a table
        if it wants one. The last of these is taken when the packet is drained.
        """
        layout = data.StructLayout({"i": self.i_beat, "indices": self.indices_beat})
        both = stream.Signature(layout).create()
        join(m, {"i": self.i, "indices": self.indices}, both)
        beat: Any = both.payload
        settings = sample_settings(m, self.config, self.i)
        first, bank, waits, moves = Signal(init=1), Signal(), Signal(), Signal()
        free, fresh_of, claimed = Signal(2), Signal(2), Signal()
        room = Signal(range(self.packets + 1), init=self.packets)
        lacks = ~Mux(bank, free[1], free[0]) | ~room.any()
        lacks |= settings.fresh & (claimed | ~loader.full)
        begins = moves & first
        m.d.comb += [
            waits.eq(first & lacks),
            both.ready.eq(~waits),
            moves.eq(both.valid & ~waits),
        ]
        m.d.sync += room.eq(room - begins + (self.o.valid & self.o.ready))
        with m.If(moves):
            m.d.sync += [first.eq(beat.i.last), bank.eq(bank ^ beat.i.last)]
            with m.If(uneven(beat.i, beat.indices)):
                m.d.sync += self.status.uneven.eq(1)
        for b in range(2):
            with m.If(freed[b]):
                m.d.sync += free[b].eq(1)
            with m.If(begins & (bank == b)):
                m.d.sync += [free[b].eq(0), fresh_of[b].eq(settings.fresh)]
        with m.If(begins & settings.fresh):
            m.d.sync += claimed.eq(1)
        with m.Elif(taken):
            m.d.sync += claimed.eq(0)
        return beat, moves, bank, begins, fresh_of

    def _note(
        self, m: Module, entries: list[Any], bank: Value, starts: Signal, drained: Signal
    ) -> Value:
        """Return which indices there are in the bank that is drained."""
        there = [Signal(self.count, name=f"there_{b}") for b in range(2)]
        met = Cat(
            Cat(counts & (at == c) for _, at, counts in entries).any() for c in range(self.count)
        )
        for b in range(2):
            with m.If(starts & (drained == b)):
                m.d.sync += there[b].eq(0)
            with m.Elif(bank == b):
                m.d.sync += there[b].eq(there[b] | met)
        return Mux(drained, there[1], there[0])

    def _step(
        self,
        m: Module,
        unit: Any,
        there: Value,
        pending: Signal,
        starts: Signal,
        drained: Signal,
        freed: Signal,
    ) -> tuple[Value, Value, Any]:
        """Go through the indices of a bank; return one of so many, its number a cycle later, flags.

        The flags are of two cycles before that. At first both banks are cleared, all of them.
        An index is there for as many cycles as it has sums, and is followed in the last of them.
        """
        left, runs, begins = Signal(self.count), Signal(), Signal()
        forgets = Signal(2, init=0b11)
        flags: Any = Signal(
            data.StructLayout(dict.fromkeys(("drained", "any", "first", "last", "forgets"), 1))
        )
        one = lowest(left)
        rest = left & ~one
        follows: Value = runs
        phase = Signal(self.phase_bits, name="phase_read")
        if self.phase_bits:
            follows = runs & phase.all()
            m.d.sync += phase.eq(phase + runs)
        m.d.comb += [
            starts.eq(~runs & (Mux(drained, pending[1], pending[0]) | forgets.any())),
            flags.drained.eq(drained),
            flags.any.eq(runs & left.any()),
            flags.first.eq(begins),
            flags.last.eq(follows & ~rest.any()),
            flags.forgets.eq(forgets.any()),
        ]
        with m.If(starts):
            m.d.sync += [
                runs.eq(1),
                begins.eq(1),
                left.eq(there | forgets.any().replicate(self.count)),
            ]
        with m.If(follows):
            m.d.sync += [left.eq(rest), begins.eq(0)]
        with m.If(flags.last):
            m.d.sync += [runs.eq(0), drained.eq(~drained), forgets.eq(forgets >> 1)]
        done = delay(m, "drained_last", flags.last, unit.frees, reset=True)
        of = delay(m, "drained_bank", drained, unit.frees)
        m.d.comb += freed.eq(Cat(done & ~of, done & of))
        one = delay(m, "one", one, 1)
        bits = range(self.index_bits)
        number = Cat(Cat(one[c] for c in range(self.count) if c >> j & 1).any() for j in bits)
        number = delay(m, "number", number, 1)
        if self.phase_bits:
            number = Cat(delay(m, "phase_at", phase, 2), number)
        return one, number, flags

    def centroid(self, m: Module, loader: TableLoader, index: Value, changes: Value) -> Value:
        """Return the centroid of an index, a cycle later."""
        width = self.factor.width
        store = Store(m, "centroids", shape=width, depth=2 * self.count)
        bank = Signal()
        m.d.sync += bank.eq(bank ^ changes)
        m.d.comb += [
            store.write.en.eq(loader.writes[0]),
            store.write.addr.eq(Cat(loader.at[: self.index_bits], ~bank)),
            store.write.data.eq(loader.word),
            store.at.eq(Cat(index[self.phase_bits :], delay(m, "table_bank", bank, 2))),
        ]
        return store.o
