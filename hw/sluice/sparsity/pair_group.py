"""Processing elements that walk contexts in step."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.delay import delay
from sluice.formats import Format
from sluice.sparsity.decode_unit import DecodeUnit, bits_for
from sluice.sparsity.pair_sums import make_sums
from sluice.store import Store
from sluice.stream import Fifo

__all__ = ["PairGroup"]


class PairGroup(wiring.Component):
    """Elements with a column of weights each, one queue of contexts before them all.

    Parameters
    ----------
    operand, total : Format
    context, lanes, pes, places : int
        As :class:`DecodeUnit` has them; ``pes`` are its vectors.
    contexts : int, >= 2
        Of a column.
    zeros, stages
        See :func:`make_sums`.
    results : int
        Rows whose sums may wait here.

    Members
    -------
    load : In(pes)
        Write a context of the weights of one element.
    load_at : In(range(contexts))
        Which one. What lies behind the one written last does not count.
    load_word, load_bits : In(context * operand.width), In(context)
    room : Out(1)
        A context of activations may come.
    valid : In(1)
        It comes, to all groups at once.
    number : In(range(contexts + 1))
        Which one of its row.
    bits, last : In(context), In(1)
        Its bit vector, and whether it ends the row: a cycle after ``valid``.
    word : In(context * operand.width)
        Its elements: ``unit.front`` cycles after ``valid``.
    works : Out(1)
        Some row that has ended has sums on the way.
    o : Out(stream.Signature(ArrayLayout(total.width, pes)))
        Of a row. There must be no more than ``results`` rows on the way.

    Attributes
    ----------
    latency : int, cycles
        From a row of one step to its sums.
    gap : int, cycles
        From the end of one row to that of the next, at least.
    slots : int
        Partial sums of a row and a lane.
    """

    load: Signal
    load_at: Signal
    load_word: Signal
    load_bits: Signal
    room: Signal
    valid: Signal
    number: Signal
    bits: Signal
    last: Signal
    word: Signal
    works: Signal
    o: Any

    def __init__(
        self,
        *,
        operand: Format,
        total: Format,
        context: int,
        lanes: int,
        pes: int,
        places: int,
        contexts: int,
        zeros: tuple[int, int],
        stages: int,
        results: int = 0,
    ):
        self.operand, self.context, self.lanes, self.pes = operand, context, lanes, pes
        self.places, self.contexts = places, contexts
        self.unit = DecodeUnit(
            context=context,
            lanes=lanes,
            vectors=pes,
            places=places,
            tag=bits_for(contexts),
            late=1,
        )
        self.sums = [
            make_sums(
                operand,
                total,
                lanes=lanes,
                terms=context * contexts,
                zeros=zeros,
                stages=stages,
            )
            for _ in range(pes)
        ]
        # Words from memory, and the choice among their elements.
        self.fetch = 3
        # A context is written no sooner than the last operands of the one before have been read.
        assert self.unit.front + 2 > self.unit.lag + 1
        way = self.unit.through + self.unit.lag + self.fetch + self.sums[0].latency
        self.latency = way + Fifo.latency
        # Exact sums have no such limit.
        self.gap: int = getattr(self.sums[0], "gap", 1)
        self.slots: int = getattr(self.sums[0], "slots", 1)
        # A row for each gap, from when one is taken until its place is free again.
        self.results = results or 1 << (-(-(self.latency + 2) // self.gap)).bit_length()
        for part in (self.unit, *self.sums):
            part._MustUse__silence = True
        width = context * operand.width
        super().__init__(
            {
                "load": In(pes),
                "load_at": In(range(contexts)),
                "load_word": In(width),
                "load_bits": In(context),
                "room": Out(1),
                "valid": In(1),
                "number": In(range(contexts + 1)),
                "bits": In(context),
                "last": In(1),
                "word": In(width),
                "works": Out(1),
                "o": Out(stream.Signature(data.ArrayLayout(total.width, pes))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        last = delay(m, "ends", self.valid, 1, reset=True) & self.last
        number = delay(m, "number", self.number[: len(unit.tag)], 1)
        m.d.comb += [
            unit.valid.eq(self.valid),
            self.room.eq(unit.room),
            unit.bits.eq(Cat(self._pairs(m, pe) for pe in range(self.pes))),
            unit.tag.eq(number),
            unit.last.eq(self.last),
            unit.go.eq(self._may_go(m)),
        ]
        width = self.operand.width
        ring = Store(m, "ring", shape=len(self.word), depth=self.places)
        m.d.comb += [
            ring.write.en.eq(unit.keeps),
            ring.write.addr.eq(unit.slot),
            ring.write.data.eq(self.word),
            # The weights' memory has a register behind it.
            ring.at.eq(delay(m, "slot", unit.o.slot, 1)),
        ]
        valid = delay(m, "valid", unit.o.valid, self.fetch, reset=True)
        ends = delay(m, "last", unit.o.last, self.fetch)
        results = []
        for pe, sums in enumerate(self.sums):
            m.submodules[f"sums_{pe}"] = sums
            weights = Store(m, f"weights_{pe}", shape=len(self.load_word), depth=self.contexts)
            m.d.comb += [
                weights.write.en.eq(self.load[pe]),
                weights.write.addr.eq(self.load_at),
                weights.write.data.eq(self.load_word),
                weights.at.eq(unit.o.tag),
            ]
            words = ring.o, delay(m, f"weights_{pe}", weights.o, 1)
            at = delay(m, f"at_{pe}", Value.cast(unit.o.positions[pe]), 2)
            chosen: dict[str, list[Value]] = {"a": [], "b": []}
            bits = len(at) // self.lanes
            for lane in range(self.lanes):
                for name, word in zip(chosen, words, strict=True):
                    one = word.word_select(at.word_select(lane, bits), width)
                    chosen[name].append(delay(m, f"{name}_{pe}_{lane}", one, 1))
            m.d.comb += [
                sums.a.eq(Cat(chosen["a"])),
                sums.b.eq(Cat(chosen["b"])),
                sums.keep.eq(delay(m, f"keep_{pe}", unit.o.found[pe], self.fetch)),
                sums.valid.eq(valid),
                sums.last.eq(ends),
            ]
            results.append(sums.o)
        self._finish(m, valid & ends, last, Cat(results))
        return m

    def _may_go(self, m: Module) -> Value:
        """Return whether a step may be taken: a row must not end while another is summed up.

        There is a place for every row's sums, so that nothing else is ever held up.
        """
        unit = self.unit
        if self.gap == 1:
            return Const(1)
        wait, free = Signal(range(self.gap)), Signal(init=1)
        go = free | ~unit.ends
        with m.If(unit.offers & unit.ends & free):
            m.d.sync += [wait.eq(self.gap - 1), free.eq(0)]
        with m.Elif(~free):
            m.d.sync += [wait.eq(wait - 1), free.eq(wait == 1)]
        return go

    def _pairs(self, m: Module, pe: int) -> Value:
        """Return which elements of a context have a weight."""
        kept = Store(m, f"bits_{pe}", shape=self.context, depth=self.contexts)
        count = Signal(range(self.contexts + 1), name=f"count_{pe}")
        m.d.comb += [
            kept.write.en.eq(self.load[pe]),
            kept.write.addr.eq(self.load_at),
            kept.write.data.eq(self.load_bits),
            kept.at.eq(self.number[: len(kept.at)]),
        ]
        with m.If(self.load[pe]):
            m.d.sync += count.eq(self.load_at + 1)
        there = delay(m, f"there_{pe}", self.number < count, 1)
        return self.bits & Mux(there, kept.o, 0)

    def _finish(self, m: Module, ends: Value, last: Value, results: Value) -> None:
        """Put the sums of a row that ends in the queue."""
        m.submodules.queue = queue = Fifo(
            shape=self.o.payload.shape(), depth=self.results, always_ready=True
        )
        comes = delay(m, "comes", ends, self.sums[0].latency, reset=True)
        m.d.comb += [queue.i.valid.eq(comes), Value.cast(queue.i.payload).eq(results)]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        rows = Signal(range(self.results + 1))
        with m.If(last & ~comes):
            m.d.sync += rows.eq(rows + 1)
        with m.Elif(comes & ~last):
            m.d.sync += rows.eq(rows - 1)
        m.d.comb += self.works.eq(rows.any())
