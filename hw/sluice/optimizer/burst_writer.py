"""Arrays to memory, by bursts, each when all of it is there."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.optimizer.burst_reader import request_layout
from sluice.optimizer.burst_walk import BurstWalk, span_layout
from sluice.stream import Beat, Fifo

__all__ = ["BurstWriter"]

# Bursts that each buffer holds, and that memory has not confirmed.
_BURSTS = 4
_ON_THEIR_WAY = 32


class BurstWriter(wiring.Component):
    """Gather bursts of several streams, and write them in turns.

    Parameters
    ----------
    arrays, burst, address_bits, beat_bits
        Those of :class:`BurstWalk`.
    beat : Beat

    Members
    -------
    i : In(stream.Signature(span_layout(...)))
    data : In(stream.Signature(beat)).array(arrays)
        A packet of each array that is walked.
    request : Out(stream.Signature(request_layout(address_bits, burst)))
    o : Out(stream.Signature(beat))
        Beats of what was asked for, a packet per burst, as fast as they are taken. The lanes that
        are not kept must not be written.
    confirmed : In(stream.Signature(1))
        For each burst, in order, whether it failed.
    done : Out(stream.Signature(1))
        For each span, whether a burst of it failed.
    """

    i: stream.Interface
    data: Any
    request: stream.Interface
    o: stream.Interface
    confirmed: stream.Interface
    done: stream.Interface

    def __init__(self, *, arrays: int, burst: int, address_bits: int, beat_bits: int, beat: Beat):
        self.arrays, self.burst, self.beat = arrays, burst, beat
        self.walk = BurstWalk(
            arrays=arrays, burst=burst, address_bits=address_bits, beat_bits=beat_bits
        )
        self.walk._MustUse__silence = True
        super().__init__(
            {
                "i": In(stream.Signature(span_layout(arrays, address_bits, beat_bits))),
                "data": In(stream.Signature(beat)).array(arrays),
                "request": Out(stream.Signature(request_layout(address_bits, burst))),
                "o": Out(stream.Signature(beat)),
                "confirmed": In(stream.Signature(1)),
                "done": Out(stream.Signature(1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.walk = walk = self.walk
        wiring.connect(m, wiring.flipped(self.i), walk.i)
        planned: Any = walk.o.payload
        m.submodules.requests = requests = Fifo(shape=self.request.payload.shape(), depth=4)
        wiring.connect(m, requests.o, wiring.flipped(self.request))
        m.submodules.ends = ends = Fifo(shape=1, depth=_ON_THEIR_WAY)

        runs, array, left = Signal(), Signal(2), Signal(range(self.burst))
        starts, over, moves = Signal(), Signal(), Signal()
        whole = Signal(self.arrays)
        buffers = [self._gather(m, k, starts, whole[k]) for k in range(self.arrays)]
        now: Any = stream.Signature(self.beat).create()
        for k, buffer in enumerate(buffers):
            with m.If(array == k):
                m.d.comb += [now.valid.eq(buffer.valid), now.payload.eq(buffer.payload)]
            m.d.comb += buffer.ready.eq(runs & self.o.ready & (array == k))
        m.d.comb += [
            self.o.valid.eq(runs & now.valid),
            self.o.payload.data.eq(now.payload.data),
            self.o.payload.keep.eq(now.payload.keep),
            self.o.payload.last.eq(left == 0),
            moves.eq(self.o.valid & self.o.ready),
            over.eq(moves & (left == 0)),
        ]
        there = whole.bit_select(planned.array, 1)
        free = (~runs | over) & requests.i.ready & ends.i.ready & there
        m.d.comb += [
            starts.eq(walk.o.valid & free),
            walk.o.ready.eq(free),
            requests.i.valid.eq(starts),
            requests.i.payload.at.eq(planned.at),
            requests.i.payload.beats.eq(planned.beats),
            ends.i.valid.eq(starts),
            ends.i.payload.eq(planned.last),
        ]
        with m.If(starts):
            m.d.sync += [runs.eq(1), array.eq(planned.array), left.eq(planned.beats)]
        with m.Elif(over):
            m.d.sync += runs.eq(0)
        with m.Elif(moves):
            m.d.sync += left.eq(left - 1)
        self._confirm(m, ends.o)
        return m

    def _gather(self, m: Module, k: int, starts: Signal, whole: Value) -> stream.Interface:
        """Buffer the beats of an array; say whether a whole burst is there."""
        m.submodules[f"buffer_{k}"] = buffer = Fifo(
            shape=self.beat, depth=_BURSTS * self.burst, read_ahead=True
        )
        planned: Any = self.walk.o.payload
        wiring.connect(m, wiring.flipped(self.data[k]), buffer.i)
        place = Signal(range(self.burst), name=f"place_{k}")
        bursts = Signal(range(_BURSTS * self.burst + 1), name=f"bursts_{k}")
        comes, completes = Signal(name=f"comes_{k}"), Signal(name=f"completes_{k}")
        m.d.comb += comes.eq(buffer.i.valid & buffer.i.ready)
        m.d.comb += completes.eq(comes & (buffer.i.payload.last | (place == self.burst - 1)))
        with m.If(comes):
            m.d.sync += place.eq(place + 1)
            with m.If(completes):
                m.d.sync += place.eq(0)
        taken = starts & (planned.array == k)
        m.d.sync += bursts.eq(bursts + completes - taken)
        m.d.comb += whole.eq(bursts.any())
        return buffer.o

    def _confirm(self, m: Module, ends: stream.Interface) -> None:
        """Gather what memory says of the bursts of a span."""
        failed = Signal()
        m.d.comb += [
            self.done.valid.eq(ends.valid & ends.payload & self.confirmed.valid),
            self.done.payload.eq(failed | self.confirmed.payload),
            self.confirmed.ready.eq(ends.valid & (~ends.payload | self.done.ready)),
            ends.ready.eq(self.confirmed.valid & self.confirmed.ready),
        ]
        with m.If(ends.valid & ends.ready):
            m.d.sync += failed.eq((failed | self.confirmed.payload) & ~ends.payload)
