"""Arrays from memory, by bursts, into a buffer for each."""

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.optimizer.burst_walk import BurstWalk, span_layout
from sluice.stream import Fifo

__all__ = ["BurstReader", "request_layout"]

# Bursts that each buffer holds.
_BURSTS = 4


def request_layout(address_bits: int, burst: int) -> data.StructLayout:
    """Return the layout of a request to memory: ``beats`` is one less than how many there are."""
    return data.StructLayout({"at": address_bits, "beats": range(burst)})


class BurstReader(wiring.Component):
    """Ask for bursts as soon as there is room for them, and sort what comes.

    Parameters
    ----------
    arrays, burst, address_bits, beat_bits
        Those of :class:`BurstWalk`.
    width : int
        Bits of a beat.

    Members
    -------
    i : In(stream.Signature(span_layout(...)))
    request : Out(stream.Signature(request_layout(address_bits, burst)))
    come : In(stream.Signature(width))
        Beats, in the order in which they were asked for, which are taken as they come.
    o : Out(stream.Signature(width)).array(arrays)
    """

    i: stream.Interface
    request: stream.Interface
    come: stream.Interface
    o: Any

    def __init__(self, *, arrays: int, burst: int, address_bits: int, beat_bits: int, width: int):
        self.arrays, self.burst, self.width = arrays, burst, width
        self.walk = BurstWalk(
            arrays=arrays, burst=burst, address_bits=address_bits, beat_bits=beat_bits
        )
        self.walk._MustUse__silence = True
        self.depth = _BURSTS * burst
        self.buffers = [
            Fifo(shape=width, depth=self.depth, always_ready=True, read_ahead=True)
            for _ in range(arrays)
        ]
        super().__init__(
            {
                "i": In(stream.Signature(span_layout(arrays, address_bits, beat_bits))),
                "request": Out(stream.Signature(request_layout(address_bits, burst))),
                "come": In(stream.Signature(width)),
                "o": Out(stream.Signature(width)).array(arrays),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.walk = walk = self.walk
        wiring.connect(m, wiring.flipped(self.i), walk.i)
        asked: Any = walk.o.payload
        turn = data.StructLayout({"array": unsigned(2), "beats": range(self.burst)})
        m.submodules.turns = turns = Fifo(shape=turn, depth=_BURSTS * self.arrays)
        m.submodules.requests = requests = Fifo(shape=self.request.payload.shape(), depth=4)
        wiring.connect(m, requests.o, wiring.flipped(self.request))
        depth = self.depth
        rooms = [Signal(range(depth + 1), init=depth, name=f"room_{k}") for k in range(self.arrays)]
        # Whether there is room for a burst, as it was a cycle ago, but for what was taken then.
        has = Signal(self.arrays, init=(1 << self.arrays) - 1)
        goes = Signal()
        room = has.bit_select(asked.array, 1)
        m.d.comb += [
            goes.eq(walk.o.valid & room & turns.i.ready & requests.i.ready),
            walk.o.ready.eq(room & turns.i.ready & requests.i.ready),
            turns.i.valid.eq(goes),
            turns.i.payload.array.eq(asked.array),
            turns.i.payload.beats.eq(asked.beats),
            requests.i.valid.eq(goes),
            requests.i.payload.at.eq(asked.at),
            requests.i.payload.beats.eq(asked.beats),
        ]
        now: Any = turns.o.payload
        left, begun = Signal(range(self.burst)), Signal()
        rest = Mux(begun, left, now.beats)
        moves = self.come.valid & turns.o.valid
        m.d.comb += [
            self.come.ready.eq(turns.o.valid),
            turns.o.ready.eq(moves & (rest == 0)),
        ]
        with m.If(moves):
            m.d.sync += [left.eq(rest - 1), begun.eq(rest != 0)]
        for k, o in enumerate(self.o):
            m.submodules[f"buffer_{k}"] = buffer = self.buffers[k]
            m.d.comb += [
                buffer.i.valid.eq(moves & (now.array == k)),
                buffer.i.payload.eq(self.come.payload),
            ]
            wiring.connect(m, buffer.o, wiring.flipped(o))
            taken = goes & (asked.array == k)
            after = rooms[k] + (buffer.o.valid & buffer.o.ready)
            after = after - Mux(taken, asked.beats + 1, 0)
            m.d.sync += rooms[k].eq(after)
            m.d.sync += has[k].eq((rooms[k] >= self.burst) & ~taken)
        return m
