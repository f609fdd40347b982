"""The nearest of ascending centroids, found bit by bit."""

from amaranth import Cat, Module, Signal, Value

from sluice.delay import delay
from sluice.store import Store

__all__ = ["Nearest"]


class Nearest:
    """Memories of the middles between centroids, and the search in them.

    Bit by bit from the highest on, the index of the nearest centroid is found by a comparison with
    one middle, which the bits before it choose. So each bit has a memory of its own, for each lane,
    of twice as many middles as the one before.

    Parameters
    ----------
    m : Module
    lanes : int
    bits : int
        Of an index.
    width : int, bits
        Of a fraction.
    """

    def __init__(self, m: Module, *, lanes: int, bits: int, width: int):
        self.m, self.bits, self.width = m, bits, width
        self.stores = [
            [Store(m, f"middles_{k}_{s}", shape=width, depth=2 << s) for s in range(bits)]
            for k in range(lanes)
        ]

    def write(self, en: Value, bank: Value, at: Value, entry: Value) -> Value:
        """Take centroid ``at`` of a bank; return whether it is below the one before, a bit late."""
        m, bits = self.m, self.bits
        before = Signal(self.width, name="centroid_before", reset_less=True)
        with m.If(en):
            m.d.sync += before.eq(entry)
        middle = Signal(self.width, name="middle", reset_less=True)
        place = delay(m, "middle_at", at, 1)
        late = delay(m, "middle_bank", bank, 1)
        m.d.sync += middle.eq((before + entry) >> 1)
        for s in range(bits):
            # Those whose number has as many zeros below as bits come after this one.
            zeros = bits - 1 - s
            here = place[zeros] & ~place[:zeros].any()
            writes = delay(m, f"middle_now_{s}", en, 1, reset=True) & here
            for stores in self.stores:
                port = stores[s].write
                m.d.comb += [
                    port.en.eq(writes),
                    port.addr.eq(Cat(place[zeros + 1 : bits], late)),
                    port.data.eq(middle),
                ]
        return en & at.any() & (entry < before)

    def search(self, k: int, fraction: Value, bank: Value) -> Value:
        """Return the index of lane ``k``, two cycles late for each bit."""
        m = self.m
        index: Value = fraction[:0]
        for s in range(self.bits):
            store = self.stores[k][s]
            m.d.comb += store.at.eq(Cat(index, bank))
            fraction = delay(m, f"fraction_{k}_{s}", fraction, 1)
            above = delay(m, f"above_{k}_{s}", fraction > store.o, 1)
            # The higher bits come first, and the lowest is found last.
            index = Cat(above, delay(m, f"index_{k}_{s}", index, 2))
            fraction = delay(m, f"fraction_{k}_{s}_late", fraction, 1)
            bank = delay(m, f"bank_{k}_{s}", bank, 2)
        return index
