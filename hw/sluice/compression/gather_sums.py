"""Sums of the elements of each index, in two banks: in memories of each lane, or in registers."""

from amaranth import Cat, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice.store import Store

__all__ = ["BinSums", "TreeSums", "add_up"]


def add_up(m: Module, name: str, terms: list[Value]) -> tuple[Value, int]:
    """Return the sum of numbers, exact, and how many cycles late: one for each level."""
    level = 0
    while len(terms) > 1:
        level += 1
        pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
        sums = [sum(pair[1:], pair[0]) for pair in pairs]
        terms = []
        for k, value in enumerate(sums):
            late = Signal(value.shape(), name=f"{name}_{level}_{k}", reset_less=True)
            m.d.sync += late.eq(value)
            terms.append(late)
    return terms[0], level


class BinSums:
    """A memory of sums by index for each lane and bank, read, added to and written in three cycles.

    An index that repeats one or two beats after is given the sum that is on its way to the memory.
    A sum that is read is cleared in the cycle after that.

    Parameters
    ----------
    m : Module
    lanes : int
    bits : int
        Of an index.
    width : int, bits
        Of a sum.
    name : str
        Of its memories.
    is_signed : bool
        A sum is a signed number, and elements may be.

    Attributes
    ----------
    settles : int, cycles
        After which a beat is seen by who reads, less the three to there from where a drain begins.
    reads : int, cycles
        From an index to the sum.
    frees : int, cycles
        From the last index, two cycles before it is given, until beats may be let in that are added
        in its bank.
    overflow : Signal
        A sum did not fit, some cycles ago.
    """

    settles = 0

    def __init__(
        self,
        m: Module,
        *,
        lanes: int,
        bits: int,
        width: int,
        name: str = "bins",
        is_signed: bool = True,
    ):
        self.m, self.lanes, self.bits, self.width = m, lanes, bits, width
        self.is_signed = is_signed
        self.reads = 1 + (lanes - 1).bit_length()
        # What is read last is cleared a cycle before such a beat is looked up.
        self.frees = 2
        self.overflow = Signal(name=f"{name}_overflow")
        self.stores = [
            [Store(m, f"{name}_{k}_{b}", shape=width, depth=1 << bits) for b in range(2)]
            for k in range(lanes)
        ]

    def connect(
        self,
        beat: list[tuple[Value, Value, Value]],
        bank: Value,
        begins: Value,
        one: Value,
        index: Value,
        drained: Value,
        clears: Value,
    ) -> Value:
        """Add a beat; return the sum of an index.

        Parameters
        ----------
        beat : list of (element, index, counts)
            Of each lane.
        bank, begins : 1 bit
            The bank they go to, and whether they are the first there.
        one : 2**bits bits
            The index that is read, as one of so many, in the cycle before ``index``.
        index, drained : bits and 1 bit
            What is read, of which bank.
        clears : 1 bit
            The index is one that is there, and is cleared.
        """
        m = self.m
        at_3, clears_3 = delay(m, "clear_at", index, 1), delay(m, "clears", clears, 1, reset=True)
        drained_3 = delay(m, "clear_bank", drained, 1)
        late_bank, later_bank = (delay(m, f"bank_of_{k}", bank, k) for k in (1, 2))
        found: list[Value] = []
        wrong: list[Value] = []
        for k, (element, at, counts) in enumerate(beat):
            at_1, at_2 = delay(m, f"at_{k}", at, 1), delay(m, f"at_late_{k}", at, 2)
            on_1 = delay(m, f"counts_{k}", counts, 1, reset=True)
            on_2 = delay(m, f"counts_late_{k}", counts, 2, reset=True)
            # Of what is added and what is written, which is this one's.
            same = delay(m, f"same_{k}", on_1 & (at == at_1) & (bank == late_bank), 1)
            older = delay(m, f"older_{k}", on_2 & (at == at_2) & (bank == later_bank), 1)
            stores = self.stores[k]
            value = Signal(element.shape(), name=f"element_{k}", reset_less=True)
            total, last = (
                Signal(self.width, name=f"{name}_{k}", reset_less=True)
                for name in ("total", "last")
            )
            m.d.sync += [value.eq(element), last.eq(total)]
            there = Mux(late_bank, stores[1].o, stores[0].o)
            before = self._number(Mux(same, total, Mux(older, last, there)))
            made = before + value
            m.d.sync += total.eq(made)
            above = made[self.width]
            over = above ^ made[self.width - 1] if self.is_signed else above
            wrong.append(delay(m, f"over_{k}", on_1 & over, 1))
            for b, store in enumerate(stores):
                mine = counts & (bank == b)
                writes = on_2 & (later_bank == b)
                m.d.comb += [
                    store.at.eq(Mux(mine, at, index)),
                    store.write.en.eq(writes | (clears_3 & (drained_3 == b))),
                    store.write.addr.eq(Mux(writes, at_2, at_3)),
                    store.write.data.eq(Mux(writes, total, 0)),
                ]
            found.append(self._number(Mux(drained_3, stores[1].o, stores[0].o)))
        m.d.sync += self.overflow.eq(Cat(wrong).any())
        return add_up(m, "lanes", found)[0]

    def _number(self, word: Value) -> Value:
        return word.as_signed() if self.is_signed else word


class TreeSums:
    """A register for each index and bank, and a tree of adders for each index.

    The tree adds the elements of a beat that have its index. Parameters and attributes are those of
    :class:`BinSums`; sums have as many bits more as the lanes' sum of theirs would have.
    """

    reads = 1

    def __init__(self, m: Module, *, lanes: int, bits: int, width: int):
        self.m, self.bits = m, bits
        self.levels = (lanes - 1).bit_length()
        self.width = width + self.levels
        self.settles = max(0, self.levels - 1)
        self.frees = max(0, 2 - self.settles)
        self.overflow = Signal(name="trees_overflow")

    def connect(
        self,
        beat: list[tuple[Value, Value, Value]],
        bank: Value,
        begins: Value,
        one: Value,
        index: Value,
        drained: Value,
        clears: Value,
    ) -> Value:
        """Add a beat; return the sum of an index; see :meth:`BinSums.connect`."""
        m, width = self.m, self.width
        counts_any = Cat(counts for _, _, counts in beat).any()
        late = 1 + self.levels
        on = delay(m, "adds", counts_any, late, reset=True)
        begin = delay(m, "adds_first", begins, late, reset=True)
        to = delay(m, "adds_to", bank, late)
        rows: list[list[Signal]] = [[], []]
        wrong: list[Value] = []
        for c in range(1 << self.bits):
            terms: list[Value] = []
            for k, (element, at, counts) in enumerate(beat):
                mine = Signal(element.shape(), name=f"term_{c}_{k}", reset_less=True)
                m.d.sync += mine.eq(Mux(counts & (at == c), element, 0))
                terms.append(mine)
            added, _ = add_up(m, f"tree_{c}", terms)
            sums = [Signal(width, name=f"sum_{c}_{b}", reset_less=True) for b in range(2)]
            before = Mux(begin, 0, Mux(to, sums[1], sums[0])).as_signed()
            made = before + added
            wrong.append(on & (made[width] ^ made[width - 1]))
            for b in range(2):
                with m.If((on | begin) & (to == b)):
                    m.d.sync += sums[b].eq(made)
                rows[b].append(sums[b])
        m.d.sync += self.overflow.eq(delay(m, "over", Cat(wrong), 1).any())
        chosen: list[Value] = []
        for b in range(2):
            masked = [row & one[c].replicate(width) for c, row in enumerate(rows[b])]
            while len(masked) > 1:
                masked = [
                    x if y is None else x | y
                    for x, y in zip(masked[::2], [*masked[1::2], None], strict=False)
                ]
            chosen.append(delay(m, f"chosen_{b}", masked[0], 1))
        picked = delay(m, "picked", Mux(drained, chosen[1], chosen[0]), 1)
        return picked.as_signed()
