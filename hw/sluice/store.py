"""Memories that are read a cycle later."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.hdl import Shape
from amaranth.lib import memory

__all__ = ["Store"]


class Store:
    """A memory with a port to write and one to read, of which no word is both in one cycle.

    Block RAMs of many kinds give anything in such a cycle. To promise that it does not happen, or
    does not matter, saves registers and a multiplexer behind the memory's slow output.

    Parameters
    ----------
    m : Module
    name : str
        Of the submodule.
    shape : shape
    depth : int, >= 1

    Attributes
    ----------
    write : memory.WritePort
    at : Signal(range(depth))
        Read this word.
    o : Signal(shape)
        What it is, a cycle later.
    """

    def __init__(self, m: Module, name: str, *, shape: Any, depth: int):
        # The stubs know of attributes that are text, and Yosys of one that is a number.
        attributes: Any = {"no_rw_check": 1}
        m.submodules[name] = store = memory.Memory(
            shape=shape, depth=depth, init=[], attrs=attributes
        )
        self.write = store.write_port()
        # Synthesis takes the register into the memory, and the attribute counts only then.
        read = store.read_port(domain="comb")
        self.at = read.addr
        self.o: Any = Signal(Shape.cast(shape).width, name=f"{name}_read", reset_less=True)
        m.d.sync += self.o.eq(Value.cast(read.data))
