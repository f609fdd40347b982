"""Bytes into and out of a host link, many per look of the simulator's Python side."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.export import ports_of, to_verilog
from sluice.link import HostLink

__all__ = ["CHUNK", "Transactor", "clocked"]

CHUNK = 32
# Cycles without an answer's byte after which what has come is shown.
PAUSE = 4


class Transactor(Block):
    """A host link whose bytes move in chunks, so that a bench looks once in many cycles.

    Parameters
    ----------
    link : HostLink

    Members
    -------
    put, put_count, put_turn : In
        A change of ``put_turn`` sends the lowest ``put_count`` bytes of ``put``.
    put_seen : Out(1)
        Equal to ``put_turn`` when the chunk has been copied, and the next may be shown.
    got, got_count, got_valid : Out
        With ``got_valid`` the highest ``got_count`` bytes of ``got`` have come, and stay.
    got_turn : In(1)
        A change takes them.
    """

    put: Signal
    put_count: Signal
    put_turn: Signal
    put_seen: Signal
    got: Signal
    got_count: Signal
    got_valid: Signal
    got_turn: Signal

    def __init__(self, link: HostLink):
        self.link = link
        super().__init__(
            {
                "put": In(8 * CHUNK),
                "put_count": In(range(CHUNK + 1)),
                "put_turn": In(1),
                "put_seen": Out(1),
                "got": Out(8 * CHUNK),
                "got_count": Out(range(CHUNK + 1)),
                "got_valid": Out(1),
                "got_turn": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.link = link = self.link
        word, left = Signal(8 * CHUNK), Signal(range(CHUNK + 1))
        m.d.comb += [link.i.valid.eq(left != 0), link.i.payload.eq(word[:8])]
        with m.If((left == 0) & (self.put_turn != self.put_seen)):
            m.d.sync += [
                word.eq(self.put),
                left.eq(self.put_count),
                self.put_seen.eq(self.put_turn),
            ]
        with m.Elif((left != 0) & link.i.ready):
            m.d.sync += [word.eq(word >> 8), left.eq(left - 1)]

        quiet, turn = Signal(range(PAUSE + 1)), Signal()
        m.d.comb += link.o.ready.eq(~self.got_valid)
        with m.If(self.got_valid):
            m.d.sync += turn.eq(self.got_turn)
            with m.If(self.got_turn != turn):
                m.d.sync += [self.got_valid.eq(0), self.got_count.eq(0), quiet.eq(0)]
        with m.Elif(link.o.valid):
            m.d.sync += [
                self.got.eq(Cat(self.got, link.o.payload)[8:]),
                self.got_count.eq(self.got_count + 1),
                self.got_valid.eq(self.got_count == CHUNK - 1),
                quiet.eq(0),
            ]
        with m.Elif(self.got_count != 0):
            m.d.sync += [quiet.eq(quiet + 1), self.got_valid.eq(quiet == PAUSE)]
        return m


def clocked(block: Block, name: str, sim: str = "icarus") -> str:
    """Return Verilog of ``block`` as ``name``, with a clock of 10 ns in it where that pays.

    On Icarus a clock that the bench makes costs more than the circuit. Verilator would need a
    compiler with coroutines for the other one.
    """
    if sim != "icarus":
        return to_verilog(block, name)
    ports = list(ports_of(block))
    heads = ["input rst"]
    heads += [f"{'input' if p.is_input else 'output'} [{p.width - 1}:0] {p.name}" for p in ports]
    wires = [".clk(own_clock)", *(f".{n}({n})" for n in ("rst", *(p.name for p in ports)))]
    return (
        f"{to_verilog(block, f'{name}_clocked')}\n"
        f"module {name}({', '.join(heads)});\n"
        "  reg own_clock = 0;\n"
        "  always #5 own_clock = ~own_clock;\n"
        f"  {name}_clocked inner({', '.join(wires)});\n"
        "endmodule\n"
    )
