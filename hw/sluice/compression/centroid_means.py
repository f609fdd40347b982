"""Means of the values of each index: the centroids of Lloyd's next iteration."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.block import Block
from sluice.compression.gather_sums import BinSums
from sluice.compression.lut_tables import TableLoader
from sluice.delay import delay, delay_line
from sluice.formats import unsigned_format
from sluice.params import Flag, Int
from sluice.store import Store
from sluice.stream import Beat, Pipeline, join, uneven

__all__ = ["CentroidMeans"]


def divide(m: Module, numerator: Value, divisor: Value, *, bits: int) -> Value:
    """Return the quotient, rounded down, of as many ``bits``, one of them for each cycle.

    Restoring division. The divisor is not zero, and the quotient has no more bits than that.
    """
    flow: Any = Flow(m, steps=bits, stages=bits)
    width = len(divisor)
    # What is left to subtract from, and below it what has yet to come, which the quotient replaces.
    flow.rest, flow.below = numerator[bits:][:width], numerator[:bits]
    flow.divisor = divisor
    for _ in range(bits):
        rest = Cat(flow.below[-1], flow.rest)
        less = rest - flow.divisor
        flow.rest = Mux(less[-1], rest, less)[:width]
        flow.below = Cat(~less[-1], flow.below[:-1])
        flow.step()
    return flow.below


class CentroidMeans(Block):
    """Give ``mean(i[indices == c])`` over a packet for each index ``c``: an iteration of Lloyd's.

    A mean is rounded to the nearest integer, halves up. An index that no value has keeps the
    centroid that it had.

    Parameters
    ----------
    width : int, 1..32, bits
        Of a value, and of a centroid.
    lanes : int, 1..32
        Values per beat.
    index_bits : int, 1..8
        Bits of an index; there are ``2**index_bits`` centroids.
    count_bits : int, 1..24
        Bits of a lane's count of the values with one index: packets of up to ``2**count_bits - 1``
        beats always fit.
    skips : bool
        Indices have one bit more, above; a value with that bit set belongs to no centroid.

    Members
    -------
    i : In(stream.Signature(Beat(uintW, lanes)))
        ``W = width``.
    indices : In(stream.Signature(Beat(uintB, lanes)))
        ``B = index_bits``, and one more with ``skips``; for every beat of ``i``, with the same
        ``keep`` and ``last``.
    table : In(stream.Signature(Beat(uintW, 1)))
        A packet for each of ``i``: the ``2**index_bits`` centroids before it. It may come as soon
        as the means of the packet before have begun, and is loaded, a centroid per cycle.
    o : Out(stream.Signature(Beat(uintW, 1)))
        A packet for each of ``i``: the ``2**index_bits`` means, by index.
    status : Out(StructLayout({"uneven": 1, "table": 1, "overflow": 1}))
        Sticky: beats that met had different ``keep`` or ``last``, of which those of ``i`` counted;
        a packet of ``table`` was too short or too long; too many values had one index for
        ``count_bits``.

    Attributes
    ----------
    latency : int, cycles
        From the last beat of a packet, if its ``table`` has come, to its first mean; the others
        follow, one per cycle. There are ``width`` cycles of it for the division.
    interval : 1 cycle
        One beat per cycle, whatever indices repeat, which nothing could better, if packets have
        ``2**index_bits + gap`` beats or more. What follows shorter ones waits for their means.
    gap : 3 beats

    Notes
    -----
    ``ready`` of ``i`` and ``indices`` depends on both ``valid`` in the same cycle. A packet enters
    before its ``table`` has come. There are two banks of sums: while one is filled, those of the
    packet before are divided. What overflowed gives anything. After reset all sums are
    cleared, which takes two cycles for each index.

    Method: S. Lloyd, Least Squares Quantization in PCM, IEEE Transactions on Information Theory,
    1982; restoring division. Golden model: :func:`sluice_sim.golden.means.centroid_means`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    indices: stream.Interface
    table: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1
    gap = 3

    PARAMETERS = (
        Int("width", "bits of a value", 1, 32, "bits"),
        Int("lanes", "values per beat", 1, 32),
        Int("index_bits", "bits of an index", 1, 8, "bits"),
        Int("count_bits", "bits of a lane's count of values with one index", 1, 24, "bits"),
        Flag("skips", "indices say which values belong to no centroid"),
    )

    def __init__(
        self,
        *,
        width: int = 8,
        lanes: int = 8,
        index_bits: int = 4,
        count_bits: int = 12,
        skips: bool = False,
    ):
        self.check(
            width=width, lanes=lanes, index_bits=index_bits, count_bits=count_bits, skips=skips
        )
        self.width: int
        self.lanes: int
        self.index_bits: int
        self.count_bits: int
        self.skips: bool
        self.count = 1 << self.index_bits
        levels = (self.lanes - 1).bit_length()
        # Of all lanes together.
        self.total_bits = self.count_bits + levels
        self.sum_bits = self.width + self.total_bits
        value = unsigned_format(self.width)
        self.i_beat, self.one_beat = Beat(value, self.lanes), Beat(value, 1)
        self.indices_beat = Beat(unsigned_format(self.index_bits + self.skips), self.lanes)
        # From an index to its sum; and one before, and two until the division begins.
        self.reads = 1 + levels
        self.pipeline = Pipeline(
            i_shape=unsigned(self.index_bits),
            o_shape=self.one_beat,
            stages=1 + self.reads + 2 + self.width,
            chooses=True,
        )
        self.latency = 3 + self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "indices": In(stream.Signature(self.indices_beat)),
                "table": In(stream.Signature(self.one_beat)),
                "o": Out(stream.Signature(self.one_beat)),
                "status": Out(data.StructLayout({"uneven": 1, "table": 1, "overflow": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        taken, freed = Signal(), Signal(2)
        loader = TableLoader(m, self.table, (self.count,), taken=taken)
        beat, moves, bank = self._enter(m, freed)
        drained = self._drain(m, loader, moves & beat.i.last, bank, freed, taken)
        index = delay(m, "index", pipeline.entry, 1)
        total, count = self._add(m, beat, moves, bank, index, drained)
        mean = self._divide(m, total, count, self._keep(m, loader, index, taken))
        last = delay_line(m, "last", pipeline.entry.all(), pipeline.stages)
        m.d.comb += Value.cast(pipeline.result).eq(Cat(mean, Const(1, 1), last))
        with m.If(loader.wrong):
            m.d.sync += self.status.table.eq(1)
        return m

    def _enter(self, m: Module, freed: Signal) -> tuple[Any, Signal, Signal]:
        """Let beats in, the first of a packet if its bank is free; return it, and its bank."""
        layout = data.StructLayout({"i": self.i_beat, "indices": self.indices_beat})
        both = stream.Signature(layout).create()
        join(m, {"i": self.i, "indices": self.indices}, both)
        beat: Any = both.payload
        first, bank, moves, free = Signal(init=1), Signal(), Signal(), Signal(2)
        waits = first & ~Mux(bank, free[1], free[0])
        m.d.comb += [both.ready.eq(~waits), moves.eq(both.valid & ~waits)]
        with m.If(moves):
            m.d.sync += [first.eq(beat.i.last), bank.eq(bank ^ beat.i.last)]
            with m.If(uneven(beat.i, beat.indices)):
                m.d.sync += self.status.uneven.eq(1)
        for b in range(2):
            with m.If(freed[b]):
                m.d.sync += free[b].eq(1)
            with m.If(moves & first & (bank == b)):
                m.d.sync += free[b].eq(0)
        return beat, moves, bank

    def _drain(
        self, m: Module, loader: TableLoader, ends: Value, bank: Value, freed: Signal, taken: Signal
    ) -> Signal:
        """Send the indices of a bank into the pipeline, and return which bank.

        At first both are cleared, of which nothing comes.
        """
        pipeline = self.pipeline
        ended, to = delay(m, "ended", ends, 1, reset=True), delay(m, "ended_bank", bank, 1)
        pending, forgets = Signal(2), Signal(2, init=0b11)
        runs, drained, place = Signal(), Signal(), Signal(self.index_bits)
        due = Mux(drained, pending[1], pending[0]) & loader.full
        starts = ~runs & (due | forgets.any())
        last = pipeline.entry_valid & place.all()
        m.d.comb += [
            taken.eq(starts & ~forgets.any()),
            pipeline.i.valid.eq(runs),
            pipeline.i.payload.eq(place),
            pipeline.gives.eq(~forgets.any()),
        ]
        for b in range(2):
            with m.If(ended & (to == b)):
                m.d.sync += pending[b].eq(1)
            with m.Elif(starts & (drained == b)):
                m.d.sync += pending[b].eq(0)
        with m.If(starts):
            m.d.sync += runs.eq(1)
        with m.If(pipeline.entry_valid):
            m.d.sync += place.eq(place + 1)
        with m.If(last):
            m.d.sync += [runs.eq(0), drained.eq(~drained), forgets.eq(forgets >> 1)]
        done, of = delay(m, "done", last, 1, reset=True), delay(m, "done_bank", drained, 1)
        m.d.comb += freed.eq(Cat(done & ~of, done & of))
        return drained

    def _add(
        self, m: Module, beat: Any, moves: Value, bank: Value, index: Value, drained: Value
    ) -> tuple[Value, Value]:
        """Add a beat; return the sum and the count of an index, as many cycles late as lanes take.

        The index is cleared if it was sent into the pipeline in the cycle before.
        """
        words, at = Value.cast(beat.i.data), Value.cast(beat.indices.data)
        words, at = delay(m, "words", words, 1), delay(m, "at", at, 1)
        moved = beat.i.keep & moves.replicate(self.lanes)
        moved = delay(m, "counts", moved, 1, reset=True)
        wide = self.index_bits + self.skips
        of = [at.word_select(k, wide)[: self.index_bits] for k in range(self.lanes)]
        skips = [at.word_select(k, wide)[self.index_bits :].any() for k in range(self.lanes)]
        counts = [moved[k] & ~skip for k, skip in enumerate(skips)]
        values: list[Value] = [words.word_select(k, self.width) for k in range(self.lanes)]
        ones: list[Value] = [Const(1, 1)] * self.lanes
        bank, drained = delay(m, "bank", bank, 1), delay(m, "drained", drained, 1)
        clears = delay(m, "clears", self.pipeline.entry_valid, 1, reset=True)
        found: list[Value] = []
        for name, elements, width in (("sums", values, self.width), ("counts", ones, 0)):
            unit = BinSums(
                m,
                lanes=self.lanes,
                bits=self.index_bits,
                width=width + self.count_bits,
                name=name,
                is_signed=False,
            )
            assert unit.reads == self.reads
            entries = list(zip(elements, of, counts, strict=True))
            # Memories look neither at what begins nor at one of so many.
            none = Const(0)
            found.append(unit.connect(entries, bank, none, none, index, drained, clears))
            # Where the ones of an index fit, its values do.
            if elements is ones:
                with m.If(unit.overflow):
                    m.d.sync += self.status.overflow.eq(1)
        return found[0], found[1]

    def _keep(self, m: Module, loader: TableLoader, index: Value, taken: Signal) -> Value:
        """Return the centroid that an index had, a cycle behind its sum."""
        store = Store(m, "centroids", shape=self.width, depth=2 * self.count)
        bank = Signal(name="table_bank")
        m.d.sync += bank.eq(bank ^ taken)
        m.d.comb += [
            store.write.en.eq(loader.writes[0]),
            store.write.addr.eq(Cat(loader.at[: self.index_bits], ~bank)),
            store.write.data.eq(loader.word),
            store.at.eq(Cat(index, delay(m, "table_bank", bank, 1))),
        ]
        return delay(m, "kept", store.o, self.reads)

    def _divide(self, m: Module, total: Value, count: Value, centroid: Value) -> Value:
        """Return the mean of a sum and its count, or a centroid that comes a cycle later."""
        numerator = Signal(self.sum_bits, reset_less=True)
        divisor, none = (
            Signal(self.total_bits, reset_less=True),
            Signal(reset_less=True),
        )
        m.d.sync += [
            # Half of the count more is rounded down to the nearest.
            numerator.eq(total + (count >> 1)),
            divisor.eq(count),
            none.eq(count == 0),
        ]
        # No values have no sum: in its place comes the centroid, divided by one.
        numerator = delay(m, "given", numerator | (centroid & none.replicate(self.width)), 1)
        return divide(m, numerator, delay(m, "by", divisor | none, 1), bits=self.width)
