"""Dot products with weights that are indices into a table, without their being looked up."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.multiplier import Multiplier
from sluice.block import Block
from sluice.compression.gather_sums import BinSums, TreeSums
from sluice.compression.lut_tables import TableLoader
from sluice.compression.turns import lowest
from sluice.delay import delay
from sluice.formats import FORMATS, Fixed, find_format, unsigned_format
from sluice.params import Choice, Int
from sluice.store import Store
from sluice.stream import Beat, Fifo, join, sample_settings, uneven

__all__ = ["CentroidDot"]

SOURCES = ("int8", "int4", "int16", "uint8", "uint4")
SUMS = {"bins": BinSums, "trees": TreeSums}
_MULTIPLY = 3
# That may be on their way.
_PACKETS = 4


def _latency(settles: int, reads: int) -> int:
    """Return the cycles to the sums, to an index, the sum, the product, the total and the queue."""
    return 2 + settles + 3 + reads + _MULTIPLY + 1 + Fifo.latency


class CentroidDot(Block):
    """Give ``sum(i * table[indices])`` over a packet: gather, reduce, then multiply.

    Elements with the same index are summed first; each sum is multiplied with its centroid, once,
    and the products are summed.

    Parameters
    ----------
    element : format
        Of ``i``: an integer.
    weight : format
        Of the centroids: a signed integer.
    lanes : int, 1..32
        Elements per beat.
    index_bits : int, 1..8
        Bits of an index; the table has ``2**index_bits`` centroids.
    sum_bits : int, 8..32
        Bits of a lane's sum of the elements with one index.
    sums : {"bins", "trees"}
        Memories of sums for each lane, or a tree of adders for each centroid, which is for up to 5
        bits of an index.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    indices : In(stream.Signature(Beat(uintB, lanes)))
        ``B = index_bits``; for every beat of ``i``, with the same ``keep`` and ``last``.
    table : In(stream.Signature(Beat(weight, 1)))
        A packet of all centroids. It is loaded, a centroid per cycle, when the packet that took the
        one before has ended.
    o : Out(stream.Signature(Beat(int32, 1)))
        A packet of one number for each packet of ``i``.
    config : In(StructLayout({"fresh": 1}))
        Sampled at the first beat of ``i``: this packet waits for the next one of ``table``, and it
        and all behind it are multiplied with that; otherwise with the one in use.
    status : Out(StructLayout({"uneven": 1, "table": 1, "overflow": 1}))
        Sticky: beats that met had different ``keep`` or ``last``, of which those of ``i`` counted;
        a packet of ``table`` was too short or too long; a sum did not fit into ``sum_bits``.

    Attributes
    ----------
    latency : int, cycles
        From the last beat of a packet with one centroid to its result; one more for each other
        centroid that it has.
    interval : 1 cycle
        One beat per cycle, whatever indices repeat, which nothing could better, if packets have as
        many beats as the ones before have centroids, and ``gap`` more. What follows others waits
        for these.
    gap : int, beats
        4, and 5 or 6 with ``trees`` of more than 8 or 16 lanes.

    Notes
    -----
    ``ready`` of both streams depends on both ``valid`` and on ``config`` in the same cycle. There
    are as many multiplications per result as there are centroids among its indices, and one for a
    packet without an element.
    Sums are in two banks: while one is filled, those of the packet before are multiplied. Products
    are summed modulo ``2**32``. What overflowed gives anything.
    After reset the memories of ``bins`` are cleared, which takes a cycle for each index.

    Method: J. Garland, D. Gregg, Low Complexity Multiply-Accumulate Units for Convolutional Neural
    Networks with Weight-Sharing, ACM TACO, 2018, which ``bins`` follows. Golden model:
    :func:`sluice_sim.golden.gather.centroid_dot`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or ``trees`` are asked for with more
        than 5 bits of an index.
    """

    i: stream.Interface
    indices: stream.Interface
    table: stream.Interface
    o: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the elements", SOURCES),
        Choice("weight", "number format of the centroids", ("int8", "int4", "int16")),
        Int("lanes", "elements per beat", 1, 32),
        Int("index_bits", "bits of an index", 1, 8, "bits"),
        Int("sum_bits", "bits of a lane's sum", 8, 32, "bits"),
        Choice("sums", "where sums are", tuple(SUMS)),
    )

    def __init__(
        self,
        *,
        element: str = "int8",
        weight: str = "int8",
        lanes: int = 8,
        index_bits: int = 4,
        sum_bits: int = 18,
        sums: str = "bins",
    ):
        self.check(
            element=element,
            weight=weight,
            lanes=lanes,
            index_bits=index_bits,
            sum_bits=sum_bits,
            sums=sums,
        )
        self.element: str
        self.weight: str
        self.lanes: int
        self.index_bits: int
        self.sum_bits: int
        self.sums: str
        if self.sums == "trees" and self.index_bits > 5:
            raise ValueError(f"index_bits must be at most 5 with trees, not {index_bits}")
        source, self.factor = find_format(self.element), find_format(self.weight)
        assert isinstance(source, Fixed)
        self.source = source
        if self.source.width >= self.sum_bits:
            raise ValueError(f"sum_bits must be more than {self.source.width}, those of {element}")
        self.count = 1 << self.index_bits
        self.i_beat = Beat(self.source, self.lanes)
        self.indices_beat = Beat(unsigned_format(self.index_bits), self.lanes)
        self.table_beat = Beat(self.factor, 1)
        levels = (self.lanes - 1).bit_length()
        most = 32 - levels
        if self.sum_bits > most:
            raise ValueError(f"sum_bits must be at most {most} with {lanes} lanes, not {sum_bits}")
        trees = self.sums == "trees"
        settles = max(0, levels - 1) * trees
        self.latency = _latency(settles, 1 if trees else 1 + levels)
        self.gap = 4 + max(0, settles - 2)
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "indices": In(stream.Signature(self.indices_beat)),
                "table": In(stream.Signature(self.table_beat)),
                "o": Out(stream.Signature(Beat(FORMATS["int32"], 1))),
                "config": In(data.StructLayout({"fresh": 1})),
                "status": Out(data.StructLayout({"uneven": 1, "table": 1, "overflow": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        unit = SUMS[self.sums](m, lanes=self.lanes, bits=self.index_bits, width=self.sum_bits)
        assert self.latency == _latency(unit.settles, unit.reads)
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
                self._number(words.word_select(k, self.source.width)),
                at.word_select(k, self.index_bits),
                counts[k],
            )
            for k in range(self.lanes)
        ]
        bank = delay(m, "bank", bank, 1)
        there = self._note(m, entries, bank, starts, drained)
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
        total = self._multiply(m, loader, unit, found, index, flags, changes)
        late = self._sums_late(unit)
        m.submodules.results = results = Fifo(
            shape=self.o.payload.shape(), depth=_PACKETS, always_ready=True
        )
        m.d.comb += [
            results.i.valid.eq(
                delay(m, "total_last", flags.last & ~flags.forgets, late, reset=True)
            ),
            results.i.payload.data[0].eq(total),
            results.i.payload.keep.eq(1),
            results.i.payload.last.eq(1),
        ]
        wiring.connect(m, results.o, wiring.flipped(self.o))
        with m.If(loader.wrong):
            m.d.sync += self.status.table.eq(1)
        with m.If(unit.overflow):
            m.d.sync += self.status.overflow.eq(1)
        return m

    def _sums_late(self, unit: Any) -> int:
        """Return the cycles from an index, two before it is given, to the total with it."""
        return 2 + unit.reads + _MULTIPLY + 1

    def _number(self, word: Value) -> Value:
        return word.as_signed() if self.source.is_signed else word

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
        room = Signal(range(_PACKETS + 1), init=_PACKETS)
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
        """
        left, runs, begins = Signal(self.count), Signal(), Signal()
        forgets = Signal(2, init=0b11)
        flags: Any = Signal(
            data.StructLayout(dict.fromkeys(("drained", "any", "first", "last", "forgets"), 1))
        )
        one = lowest(left)
        rest = left & ~one
        m.d.comb += [
            starts.eq(~runs & (Mux(drained, pending[1], pending[0]) | forgets.any())),
            flags.drained.eq(drained),
            flags.any.eq(runs & left.any()),
            flags.first.eq(begins),
            flags.last.eq(runs & ~rest.any()),
            flags.forgets.eq(forgets.any()),
        ]
        with m.If(starts):
            m.d.sync += [
                runs.eq(1),
                begins.eq(1),
                left.eq(there | forgets.any().replicate(self.count)),
            ]
        with m.If(runs):
            m.d.sync += [left.eq(rest), begins.eq(0)]
        with m.If(flags.last):
            m.d.sync += [runs.eq(0), drained.eq(~drained), forgets.eq(forgets >> 1)]
        done = delay(m, "drained_last", flags.last, unit.frees, reset=True)
        of = delay(m, "drained_bank", drained, unit.frees)
        m.d.comb += freed.eq(Cat(done & ~of, done & of))
        one = delay(m, "one", one, 1)
        bits = range(self.index_bits)
        number = Cat(Cat(one[c] for c in range(self.count) if c >> j & 1).any() for j in bits)
        return one, delay(m, "number", number, 1), flags

    def _multiply(
        self,
        m: Module,
        loader: TableLoader,
        unit: Any,
        found: Value,
        index: Value,
        flags: Any,
        changes: Value,
    ) -> Value:
        """Return the sum of the products of sums and centroids, a cycle behind the last product."""
        width = self.factor.width
        store = Store(m, "centroids", shape=width, depth=2 * self.count)
        bank = Signal()
        m.d.sync += bank.eq(bank ^ changes)
        m.d.comb += [
            store.write.en.eq(loader.writes[0]),
            store.write.addr.eq(Cat(loader.at[: self.index_bits], ~bank)),
            store.write.data.eq(loader.word),
            store.at.eq(Cat(index, delay(m, "table_bank", bank, 2))),
        ]
        there = delay(m, "sum_there", flags.any, 2 + unit.reads, reset=True)
        m.submodules.multiplier = multiplier = Multiplier(
            a_width=len(found), b_width=width, signed=True, stages=_MULTIPLY
        )
        m.d.comb += [
            multiplier.a.eq(Mux(there, found, 0)),
            multiplier.b.eq(delay(m, "centroid", store.o, unit.reads - 1).as_signed()),
        ]
        first = delay(m, "total_first", flags.first, 2 + unit.reads + _MULTIPLY)
        total = Signal(signed(32), reset_less=True)
        m.d.sync += total.eq(Mux(first, 0, total) + multiplier.p)
        return total
