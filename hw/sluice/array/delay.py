"""The same, some cycles later."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Delay"]

# A line of fewer registers is cheaper than a memory with its counter. A longer one is in block RAM,
# whose output comes so late in the cycle that a register must follow.
_REGISTERS, _SHALLOW = 5, 33


class Delay(wiring.Component):
    """Give ``i`` again after ``cycles`` cycles, in registers or, if those are many, in a memory.

    Parameters
    ----------
    width : int, bits
    cycles : int, >= 0

    Members
    -------
    i : In(width)
    o : Out(width)
        Anything in the first ``cycles`` cycles, after reset as well.
    """

    i: Signal
    o: Signal

    def __init__(self, width: int, cycles: int):
        self.width, self.cycles = width, cycles
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        value: Value = self.i
        left = self.cycles
        if left >= _REGISTERS:
            rows = left - 1 - (left > _SHALLOW)
            m.submodules.memory = store = memory.Memory(shape=self.width, depth=rows, init=[])
            write, read = store.write_port(), store.read_port()
            # The row that is read is the next one to be written.
            last, at = Signal(range(rows)), Signal(range(rows), init=1)
            m.d.comb += [
                write.addr.eq(last),
                write.data.eq(self.i),
                write.en.eq(1),
                read.addr.eq(at),
            ]
            m.d.sync += [last.eq(at), at.eq(Mux(at == rows - 1, 0, at + 1))]
            value, left = read.data, left - rows
        for k in range(left):
            later = Signal(self.width, name=f"stage_{k + 1}", reset_less=True)
            m.d.sync += later.eq(value)
            value = later
        m.d.comb += self.o.eq(value)
        return m
