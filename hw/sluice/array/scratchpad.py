"""Operands of matrix products, of which rows and columns are read alike."""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sluice.delay import delay
from sluice.store import Store

__all__ = ["Scratchpad"]

# Levels of two-to-one choice between registers.
_LEVELS = 3


class Scratchpad(wiring.Component):
    """Blocks of ``size`` by ``size`` elements; a row is written, a row or column read per cycle.

    Element (i, j) of a block lies in bank ``(i + j) mod size``, at word ``i``. The elements of a
    row lie in all banks, and so do those of a column: no transposed copy is needed.

    Parameters
    ----------
    width : int, bits
        Of an element.
    size : int, a power of two from 2
        Banks.
    blocks : int, >= 1
        Blocks held, ``size * size * width`` bits each.
    chosen : bool
        Lane ``k`` of a row is its element ``slots[k]``, of ``block`` or, where ``after`` says so
        of the element, of the block behind it.

    Members
    -------
    en : In(1)
        Write ``row``.
    to_block, to_row : In
        Which row.
    row : In(ArrayLayout(width, size))
    block, index, across : In
        What is read: row ``index`` of ``block``, or column ``index`` where ``across`` is set.
    slots, after : In(ArrayLayout(range(size), size)), In(size)
        Only if ``chosen``.
    o : Out(ArrayLayout(width, size))
        The row or column, ``latency`` cycles later.

    Attributes
    ----------
    latency : int, cycles
        A memory, its output register, and a register for every three levels of rotation.
    """

    en: Signal
    to_block: Signal
    to_row: Signal
    row: Any
    block: Signal
    index: Signal
    across: Signal
    slots: Any
    after: Signal
    o: Any

    def __init__(self, *, width: int, size: int, blocks: int, chosen: bool = False):
        self.width, self.size, self.blocks, self.chosen = width, size, blocks, chosen
        self.levels = size.bit_length() - 1
        self.latency = 2 + -(-self.levels // _LEVELS)
        vector = data.ArrayLayout(width, size)
        choice: dict[str, Any] = {
            "slots": In(data.ArrayLayout(self.levels, size)),
            "after": In(size),
        }
        super().__init__(
            {
                "en": In(1),
                "to_block": In(range(max(2, blocks))),
                "to_row": In(self.levels),
                "row": In(vector),
                "block": In(range(max(2, blocks))),
                "index": In(self.levels),
                "across": In(1),
                "o": Out(vector),
                **(choice if chosen else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        size = self.size
        behind = rotate(m, "after", list(self.after), -self.index) if self.chosen else None
        # Element j goes to bank j + i, so that bank b gets element b - i.
        turned = rotate(m, "write", list(self.row), -self.to_row)
        lanes: list[Value] = []
        for b in range(size):
            store = Store(m, f"bank_{b}", shape=self.width, depth=max(2, self.blocks) * size)
            write = store.write
            word = Mux(self.across, (b - self.index)[: self.levels], self.index)
            block: Value = self.block
            if behind is not None:
                block = Mux(self.across, block, (block + behind[b])[: len(block)])
            kept = Signal(self.width, name=f"bank_{b}_o", reset_less=True)
            m.d.comb += [
                write.en.eq(self.en),
                write.addr.eq((self.to_block << self.levels) | self.to_row),
                write.data.eq(turned[b]),
                store.at.eq((block << self.levels) | word),
            ]
            m.d.sync += kept.eq(store.o)
            lanes.append(kept)
        for k, value in enumerate(self._turn_back(m, lanes)):
            m.d.comb += self.o[k].eq(value)
        return m

    def _turn_back(self, m: Module, lanes: list[Value]) -> list[Value]:
        """Return the lanes of what was read, of which element ``j`` is in bank ``j + index``."""
        if not self.chosen:
            at = delay(m, "index", self.index, 2)
            return rotate(m, "read", lanes, at, register=True)
        found: list[Value] = []
        for k in range(self.size):
            # Rows are chosen from, columns are not.
            slot = Mux(self.across, k, self.slots[k]) + self.index
            bank = delay(m, f"slot_{k}", slot[: self.levels], 2)
            lane: Value = Cat(lanes).word_select(bank, self.width)
            found.append(delay(m, f"lane_{k}", lane, self.latency - 2))
        return found


def rotate(
    m: Module, name: str, lanes: Sequence[Value], by: Value, *, register: bool = False
) -> list[Value]:
    """Return lanes of which lane ``k`` is lane ``k + by``, with registers between some levels."""
    found: list[Value] = [Value.cast(lane) for lane in lanes]
    levels = len(found).bit_length() - 1
    by = by[:levels]
    for level in range(levels):
        far = 1 << level
        found = [Mux(by[0], found[(k + far) % len(found)], lane) for k, lane in enumerate(found)]
        by = by[1:]
        if register and (level % _LEVELS == _LEVELS - 1 or level == levels - 1):
            kept = [
                Signal(len(lane), name=f"{name}_{level}_{k}", reset_less=True)
                for k, lane in enumerate(found)
            ]
            m.d.sync += [k.eq(lane) for k, lane in zip(kept, found, strict=True)]
            found = [*kept]
            if len(by):
                later = Signal(len(by), name=f"{name}_by_{level}", reset_less=True)
                m.d.sync += later.eq(by)
                by = later
    return found
