"""The same, some cycles later."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Delay", "delay", "delay_line", "keep"]

# A line of fewer registers is cheaper than a memory with its counter, and so are as many of them
# behind one as `_REST`. Memories of up to this many rows are in logic; longer lines are several of
# them, since the output of a block RAM comes late in the cycle.
_REGISTERS, _REST, _ROWS = 5, 2, 16


class Delay(wiring.Component):
    """Give ``i`` again after ``cycles`` cycles, in registers or, if those are many, in memories.

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
        memories, rows, left = plan_delay(self.cycles)
        if memories:
            # A row is read when it is written: what was there is as many cycles old as there are
            # rows, and one more in the register behind.
            at = Signal(range(rows))
            m.d.sync += at.eq(Mux(at == rows - 1, 0, at + 1) if rows & (rows - 1) else at + 1)
            for k in range(memories):
                store = memory.Memory(shape=self.width, depth=rows, init=[])
                m.submodules[f"memory_{k}"] = store
                write, read = store.write_port(), store.read_port()
                m.d.comb += [
                    write.addr.eq(at),
                    write.data.eq(value),
                    write.en.eq(1),
                    read.addr.eq(at),
                ]
                value = read.data
        m.d.comb += self.o.eq(delay(m, "stage", value, left))
        return m


def delay(m: Module, name: str, value: Value, cycles: int, *, reset: bool = False) -> Value:
    """Return ``value`` after ``cycles`` cycles, from registers ``name_1``, ``name_2``, ...

    Anything comes first, or zeros, after reset as well, with ``reset``.
    """
    for k in range(cycles):
        later = Signal(len(value), name=f"{name}_{k + 1}", reset_less=not reset)
        m.d.sync += later.eq(value)
        value = later
    return value


def keep(m: Module, name: str, value: Value, when: Value) -> Value:
    """Return register ``name``: ``value`` as it was when ``when`` was true last."""
    kept = Signal(len(value), name=name, reset_less=True)
    with m.If(when):
        m.d.sync += kept.eq(value)
    return kept


def delay_line(m: Module, name: str, value: Any, cycles: int) -> Value:
    """Return ``value`` after ``cycles`` cycles, from a :class:`Delay`."""
    m.submodules[f"delay_{name}"] = line = Delay(len(Value.cast(value)), cycles)
    m.d.comb += line.i.eq(Value.cast(value))
    return line.o


def plan_delay(cycles: int) -> tuple[int, int, int]:
    """Return how many memories, of how many rows, and registers make a delay."""
    if cycles < _REGISTERS:
        return 0, 0, cycles
    memories = 1 + max(0, cycles - _REST - 1) // (_ROWS + 1)
    rows = min(_ROWS, cycles // memories - 1)
    return memories, rows, cycles - memories * (rows + 1)
