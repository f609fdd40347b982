"""Gradients of several workers, side by side, in packets as long as they must be."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.stream import Beat, Fifo

__all__ = ["GradientFrames", "faults_layout"]


def faults_layout(workers: int) -> data.StructLayout:
    """Return the layout of what can be wrong with a packet of each worker."""
    return data.StructLayout({"short": workers, "long": workers, "late": workers})


class GradientFrames(wiring.Component):
    """Take a beat of each worker at a time, from a buffer for each.

    A packet that is too short is filled up with zeros, and of one that is too long the rest is
    dropped.

    Parameters
    ----------
    beat : Beat
    workers : int
    depth : int, beats
        Of each buffer.
    beat_bits : int
        Of the length of a packet.
    patience_bits : int
        A worker that the others have waited for in ``2**patience_bits`` cycles is late.

    Members
    -------
    frame : In(stream.Signature(StructLayout({"beats": beat_bits, "tail": lanes})))
        Beats of a packet, and ``keep`` of the last one.
    g : In(stream.Signature(beat)).array(workers)
    o : Out(stream.Signature(StructLayout({"data", "keep", "last", "faults"})))
        A beat of each worker; with the last one goes what was wrong with their packets.
    late : Out(workers)
        The workers that are late now.
    """

    frame: stream.Interface
    g: Any
    o: stream.Interface
    late: Signal

    def __init__(self, *, beat: Beat, workers: int, depth: int, beat_bits: int, patience_bits: int):
        self.beat, self.workers, self.depth = beat, workers, depth
        self.patience_bits = patience_bits
        frame = data.StructLayout({"beats": beat_bits, "tail": beat.lanes})
        joint = data.StructLayout(
            {
                "data": data.ArrayLayout(beat.data_bits, workers),
                "keep": beat.lanes,
                "last": 1,
                "faults": faults_layout(workers),
            }
        )
        super().__init__(
            {
                "frame": In(stream.Signature(frame)),
                "g": In(stream.Signature(beat)).array(workers),
                "o": Out(stream.Signature(joint)),
                "late": Out(workers),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        frame: Any = self.frame.payload
        o: Any = self.o.payload
        # Beats before the last one.
        before, begun, last = Signal.like(frame.beats), Signal(), Signal()
        now = Signal.like(before)
        moves = self.o.valid & self.o.ready
        there = Signal(self.workers)
        m.d.comb += [
            now.eq(Mux(begun, before, frame.beats - 1)),
            last.eq(~now.any()),
            self.o.valid.eq(self.frame.valid & there.all()),
            self.frame.ready.eq(self.o.ready & there.all() & last),
            o.keep.eq(Mux(last, frame.tail, ~0)),
            o.last.eq(last),
        ]
        with m.If(moves):
            m.d.sync += [before.eq(now - 1), begun.eq(~last)]
        for k in range(self.workers):
            m.submodules[f"buffer_{k}"] = buffer = Fifo(
                shape=self.beat, depth=self.depth, read_ahead=True
            )
            wiring.connect(m, wiring.flipped(self.g[k]), buffer.i)
            self._follow(m, k, buffer.o, moves, last, there[k])
        self._watch(m, there, moves)
        return m

    def _follow(
        self, m: Module, k: int, g: stream.Interface, moves: Value, last: Value, there: Value
    ) -> None:
        """Take a beat of a worker, or zeros where its packet has ended before."""
        o: Any = self.o.payload
        given: Any = g.payload
        ended, drops = Signal(name=f"ended_{k}"), Signal(name=f"drops_{k}")
        short, long = Signal(name=f"short_{k}"), Signal(name=f"long_{k}")
        keep = given.keep & ~ended.replicate(self.beat.lanes)
        lacks = o.keep & ~keep
        goes = moves & ~ended
        m.d.comb += [
            there.eq((g.valid | ended) & ~drops),
            g.ready.eq(goes | drops),
            o.faults.short[k].eq(short | lacks.any()),
            o.faults.long[k].eq(long),
            o.data[k].eq(_masked(given, keep)),
        ]
        surplus = (given.keep & ~o.keep).any() | ~given.last
        m.d.comb += long.eq(last & ~ended & surplus)
        with m.If(moves):
            m.d.sync += [
                ended.eq((ended | given.last) & ~last),
                short.eq((short | lacks.any()) & ~last),
                drops.eq(last & ~ended & ~given.last),
            ]
        with m.If(drops & g.valid):
            m.d.sync += drops.eq(~given.last)

    def _watch(self, m: Module, there: Value, moves: Value) -> None:
        """Count how long some wait for others."""
        waits, late = Signal(self.patience_bits), Signal(self.workers)
        o: Any = self.o.payload
        lacking = self.frame.valid & ~there.all()
        m.d.sync += waits.eq(Mux(lacking, waits + ~waits.all(), 0))
        slow = ~there & (lacking & waits.all()).replicate(self.workers)
        m.d.sync += self.late.eq(slow)
        m.d.comb += o.faults.late.eq(late)
        m.d.sync += late.eq(Mux(moves & o.last, 0, late | self.late))


def _masked(beat: Any, keep: Value) -> Value:
    """Return the elements that count, and zeros for the others."""
    width = beat.shape().element_width
    words = Value.cast(beat.data)
    return Cat(words.word_select(k, width) & keep[k].replicate(width) for k in range(len(keep)))
