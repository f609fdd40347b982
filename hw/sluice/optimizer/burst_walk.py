"""Arrays in memory, taken by bursts in turns."""

from typing import Any

from amaranth import Array, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BurstWalk", "burst_layout", "span_layout"]


def span_layout(arrays: int, address_bits: int, beat_bits: int) -> data.StructLayout:
    """Return the layout of where arrays of equal length begin.

    ``more`` says how many are walked besides the first, and ``beats``, at least 1, how long each of
    them is.
    """
    return data.StructLayout(
        {
            "at": data.ArrayLayout(address_bits, arrays),
            "beats": beat_bits,
            "more": unsigned(2),
        }
    )


def burst_layout(address_bits: int, burst: int) -> data.StructLayout:
    """Return the layout of a burst: ``beats`` is one less than how many there are.

    ``array`` says to which array it belongs, and ``last`` that it is the last one of all.
    """
    return data.StructLayout(
        {
            "array": unsigned(2),
            "at": address_bits,
            "beats": range(burst),
            "last": 1,
        }
    )


class BurstWalk(wiring.Component):
    """Cut arrays into bursts: the first burst of each array, the second one of each, and so on.

    Parameters
    ----------
    arrays : int, 1..3
    burst : int
        Beats of a burst, a power of two; the last one of each array may be shorter.
    address_bits, beat_bits : int
        Of an address, which counts beats, and of the length of an array.

    Members
    -------
    i : In(stream.Signature(span_layout(...)))
    o : Out(stream.Signature(burst_layout(...)))
        A burst per cycle.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, arrays: int, burst: int, address_bits: int, beat_bits: int):
        self.arrays, self.burst = arrays, burst
        self.address_bits = address_bits
        span = span_layout(arrays, address_bits, beat_bits)
        super().__init__(
            {
                "i": In(stream.Signature(span)),
                "o": Out(stream.Signature(burst_layout(address_bits, burst))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        span: Any = self.i.payload
        o: Any = self.o.payload
        at = [Signal(self.address_bits, name=f"at_{k}") for k in range(self.arrays)]
        left, more = Signal.like(span.beats, reset_less=True), Signal(2)
        runs, array = Signal(), Signal(2)
        # The last burst of each array.
        ends = Signal()
        ends_next = Mux(runs, left - self.burst, span.beats) <= self.burst
        turn = self.o.valid & self.o.ready
        over = array == more
        m.d.comb += [
            self.i.ready.eq(~runs),
            self.o.valid.eq(runs),
            o.array.eq(array),
            o.at.eq(Array(at)[array] if self.arrays > 1 else at[0]),
            o.beats.eq(Mux(ends, left - 1, self.burst - 1)),
            o.last.eq(ends & over),
        ]
        with m.If(~runs):
            m.d.sync += [runs.eq(self.i.valid), left.eq(span.beats), ends.eq(ends_next)]
            m.d.sync += [more.eq(span.more), array.eq(0)]
            m.d.sync += [one.eq(span.at[k]) for k, one in enumerate(at)]
        with m.Elif(turn):
            m.d.sync += array.eq(array + 1)
            with m.If(over):
                m.d.sync += [array.eq(0), left.eq(left - self.burst), ends.eq(ends_next)]
                m.d.sync += [one.eq(one + self.burst) for one in at]
                m.d.sync += runs.eq(~ends)
        return m
