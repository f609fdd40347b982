"""Operands of matrix products, of which rows and columns are read alike."""

from collections.abc import Sequence
from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

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

    Members
    -------
    en : In(1)
        Write ``row``.
    to_block, to_row : In
        Which row.
    row : In(ArrayLayout(width, size))
    block, index, across : In
        What is read: row ``index`` of ``block``, or column ``index`` where ``across`` is set.
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
    o: Any

    def __init__(self, *, width: int, size: int, blocks: int):
        self.width, self.size, self.blocks = width, size, blocks
        self.levels = size.bit_length() - 1
        self.latency = 2 + -(-self.levels // _LEVELS)
        vector = data.ArrayLayout(width, size)
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
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        size = self.size
        at: Value = self.index
        for k in range(2):
            later = Signal(self.levels, name=f"index_{k + 1}", reset_less=True)
            m.d.sync += later.eq(at)
            at = later
        # Element j goes to bank j + i, so that bank b gets element b - i.
        turned = rotate(m, "write", list(self.row), -self.to_row, register=False)
        lanes: list[Value] = []
        for b in range(size):
            store = memory.Memory(shape=self.width, depth=max(2, self.blocks) * size, init=[])
            m.submodules[f"bank_{b}"] = store
            write, read = store.write_port(), store.read_port()
            word = Mux(self.across, (b - self.index)[: self.levels], self.index)
            kept = Signal(self.width, name=f"bank_{b}_o", reset_less=True)
            m.d.comb += [
                write.en.eq(self.en),
                write.addr.eq((self.to_block << self.levels) | self.to_row),
                write.data.eq(turned[b]),
                read.addr.eq((self.block << self.levels) | word),
            ]
            m.d.sync += kept.eq(read.data)
            lanes.append(kept)
        lanes = rotate(m, "read", lanes, at)
        for lane, value in zip(self.o, lanes, strict=True):
            m.d.comb += lane.eq(value)
        return m


def rotate(
    m: Module, name: str, lanes: Sequence[Value], by: Value, *, register: bool = True
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
