"""Which exponents there are, and their ranks."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice.store import Store

__all__ = ["ExponentRanks"]


class ExponentRanks:
    """A memory of ranks by exponent for each lane, in which scans leave marks, and the walk.

    A word is a mark, whether the exponent has a rank, and the rank. All marks are alike when a scan
    begins, and it turns those of the exponents that it meets. The walk over all exponents, from
    zero down to one, finds those that differ from the others, numbers them, and makes all alike
    again. So nothing has to be cleared, but for what reset leaves.

    Parameters
    ----------
    m : Module
    lanes : int
    width : int, bits
        Of an exponent.
    bits : int
        Of a rank, which is less than ``2**bits - 1``.
    walks : 1 bit
        Begin to walk; no word may be looked up or marked before ``done``.

    Attributes
    ----------
    busy : Signal
        The walk has not ended.
    found : Signal
        Exponent ``at`` has a rank.
    count : Signal
        Exponents that have one, before this.
    done : Signal
        The walk ends in this cycle.
    forgets : Signal
        It is the first one after reset, which finds nothing.
    """

    def __init__(self, m: Module, *, lanes: int, width: int, bits: int, walks: Value):
        self.m, self.width, self.bits = m, width, bits
        self.stores = [
            Store(m, f"ranks_{k}", shape=2 + bits, depth=1 << width) for k in range(lanes)
        ]
        # What reset leaves in the memories is not known: the first walk takes all for alike.
        self.busy = Signal(init=1, name="walk_busy")
        self.forgets = forgets = Signal(init=1, name="walk_forgets")
        self.next = Signal(width, name="walk_next")
        self.polarity = Signal(name="walk_polarity")
        reads = Signal(init=1, name="walk_reads")
        with m.If(walks):
            m.d.sync += [self.busy.eq(1), reads.eq(1), self.next.eq(0)]
        with m.Elif(reads):
            m.d.sync += self.next.eq(self.next - 1)
            with m.If(self.next == 1):
                m.d.sync += reads.eq(0)
        # The address is in a register, and the word behind that; as block RAM gives it late, there
        # are registers before and behind what is made of the words.
        marks = delay(m, "walk_marks", Cat(store.o[0] for store in self.stores), 1)
        changed = (marks ^ self.polarity.replicate(lanes)).any()
        seen = delay(m, "walk_seen", changed, 1)
        self.at = delay(m, "walk_at", self.next, 4)
        there = delay(m, "walk_there", reads, 4, reset=True)
        self.done = Signal(name="walk_done")
        self.count = Signal(range(1 << bits), name="walk_count")
        self.found = Signal(name="walk_found")
        full = self.count == (1 << bits) - 1
        m.d.comb += [
            self.found.eq(there & ~forgets & seen & ~full),
            self.done.eq(there & (self.at == 1)),
        ]
        with m.If(self.found):
            m.d.sync += self.count.eq(self.count + 1)
        with m.If(walks):
            m.d.sync += self.count.eq(0)
        with m.If(self.done):
            m.d.sync += [self.busy.eq(0), forgets.eq(0)]
            m.d.sync += self.polarity.eq(~self.polarity & ~forgets)
        self.there = there
        self.word = Cat(~self.polarity & ~forgets, self.found, self.count)

    def look_up(self, k: int, exponent: Value, marks: Value) -> Any:
        """Return the rank of lane ``k``, below it whether there is one, two cycles late.

        ``marks`` says that the exponent is marked, and not looked up.
        """
        m, store = self.m, self.stores[k]
        at = delay(m, f"exponent_{k}", Mux(self.busy, self.next, exponent), 1)
        marked = delay(m, f"marks_{k}", marks, 1, reset=True)
        m.d.comb += [
            store.at.eq(at),
            store.write.en.eq(self.there | marked),
            store.write.addr.eq(Mux(self.there, self.at, at)),
            store.write.data.eq(Mux(self.there, self.word, Cat(~self.polarity, self.word[1:]))),
        ]
        return store.o[1:]
