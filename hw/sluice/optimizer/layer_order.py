"""Layers begin in order, and none before what it reads has been written."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LAYERS", "LayerOrder"]

# Layers that have been begun and not finished.
LAYERS = 4


class LayerOrder(wiring.Component):
    """Pass commands on, each when there is a place for it and nothing is to be written there.

    Parameters
    ----------
    command : StructLayout
        With ``w``, the address of the weights in beats, ``offset`` from there to where they are
        written, modulo what addresses can count, and ``count``, how many there are.
    shift : int
        Weights of a beat, as an exponent of two.
    beat_bits : int
        Of the number of beats.

    Members
    -------
    i : In(stream.Signature(command))
    o : Out(stream.Signature(StructLayout({"command": command, "beats": beat_bits})))
        The same, with the number of beats of the weights, three cycles later.
    ended : In(1)
        The first one of those under way has been written.
    """

    i: stream.Interface
    o: stream.Interface
    ended: Signal

    def __init__(self, command: data.StructLayout, *, shift: int, beat_bits: int):
        self.shift = shift
        begun = data.StructLayout({"command": command, "beats": beat_bits})
        super().__init__(
            {
                "i": In(stream.Signature(command)),
                "o": Out(stream.Signature(begun)),
                "ended": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        o: Any = self.o.payload
        held, full, goes = o.command, Signal(), Signal()
        end = Signal.like(held.w)
        m.d.comb += [self.i.ready.eq(~full), goes.eq(self.o.valid & self.o.ready)]
        with m.If(~full):
            m.d.sync += [held.eq(self.i.payload), full.eq(self.i.valid)]
        # A cycle to see how long it is, and one to see whether it meets another.
        more = (held.count - held.count.any()) >> self.shift
        looks = Signal(2)
        m.d.sync += [
            o.beats.eq(more + 1),
            end.eq(held.w + more),
            looks.eq(Mux(goes, 0, Cat(full, looks[0]))),
        ]

        active, meets = Signal(LAYERS), Signal(LAYERS)
        head, tail = Signal(range(LAYERS)), Signal(range(LAYERS))
        for k in range(LAYERS):
            low, high = (Signal.like(end, name=f"{n}_{k}") for n in ("from", "to"))
            m.d.sync += meets[k].eq(active[k] & (held.w <= high) & (low <= end))
            with m.If(goes & (tail == k)):
                m.d.sync += [
                    active[k].eq(1),
                    low.eq(held.w + held.offset),
                    high.eq(end + held.offset),
                ]
            with m.Elif(self.ended & (head == k)):
                m.d.sync += active[k].eq(0)
        with m.If(self.ended):
            m.d.sync += head.eq(head + 1)
        with m.If(goes):
            m.d.sync += [full.eq(0), tail.eq(tail + 1)]
        m.d.comb += self.o.valid.eq(looks.all() & full & ~meets.any() & ~active.all())
        return m
