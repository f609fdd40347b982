"""The next weights of a row."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WeightStack"]


class WeightStack(wiring.Component):
    """Take a row's weights, the last column first, and give them to its columns one by one.

    Parameters
    ----------
    width : int, bits
    columns : int, >= 1

    Members
    -------
    load, first : In(1)
        ``i`` is a weight of the next tile, and the first to come. They come in ``columns`` cycles
        in a row.
    i : In(width)
    swap : In(1)
        ``columns`` cycles after the one before it, or later.
    o : Out(width)
        The weight of column 0 with ``swap``, and that of each further column in the next cycle.

    Notes
    -----
    A tile is written behind the one that is being read, into its places, so that every other tile
    is stored in the opposite direction. The weight of column 0 is not read from there: it comes
    last, and stays in the output's register.
    """

    load: Signal
    first: Signal
    i: Signal
    swap: Signal
    o: Signal

    def __init__(self, *, width: int, columns: int):
        self.width, self.columns = width, columns
        super().__init__(
            {
                "load": In(1),
                "first": In(1),
                "i": In(width),
                "swap": In(1),
                "o": Out(width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        top = Signal(self.width, reset_less=True)
        m.d.comb += self.o.eq(top)
        with m.If(self.load):
            m.d.sync += top.eq(self.i)
        if self.columns > 1:
            self._keep(m, top)
        return m

    def _keep(self, m: Module, top: Signal) -> None:
        end = self.columns - 1
        m.submodules.memory = store = memory.Memory(shape=self.width, depth=self.columns, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        # The tile that is written goes from above to below; the one that is read does.
        down, falling = Signal(), Signal()
        next_write, next_read = Signal(range(end + 1)), Signal(range(end + 1))
        busy = Signal()
        turned = ~down
        m.d.comb += [
            write.en.eq(self.load),
            write.data.eq(self.i),
            write.addr.eq(Mux(self.first, Mux(turned, end, 0), next_write)),
            read.addr.eq(next_read),
        ]
        with m.If(self.load):
            m.d.sync += next_write.eq(_beside(write.addr, Mux(self.first, turned, down)))
            with m.If(self.first):
                m.d.sync += down.eq(turned)
        with m.If(self.swap | busy):
            m.d.sync += [
                top.eq(read.data),
                next_read.eq(_beside(next_read, falling)),
                busy.eq(next_read != Mux(falling, 0, end)),
            ]
        with m.Else():
            # What was written from below is read from above, but for the last, which is in the
            # output.
            m.d.sync += [next_read.eq(Mux(down, 1, end - 1)), falling.eq(~down)]


def _beside(address: Value, below: Value) -> Value:
    return Mux(below, address - 1, address + 1)
