"""Bitmaps, of which some blocks have none."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from sluice.stream import Fork, SkidBuffer

__all__ = ["hold_back", "show_bits"]


def hold_back(m: Module, come: Any, without: Value, o: Any) -> None:
    """Pass beats of bits on to ``o``, but for those that come ``without``.

    What ends a packet may be one of these. A beat is therefore held until another one comes, or the
    packet ends: its last beat is never empty, but for a packet of which nothing is passed on.
    ``come.ready`` is a register.
    """
    bits = come.payload
    m.submodules.held_back = output = SkidBuffer(shape=bits.shape())
    wiring.connect(m, output.o, o)
    go = output.i.ready
    lanes = bits.shape().lanes
    kept = Signal(2 * lanes, name="kept_bits", reset_less=True)
    full, ends, blank = Signal(), Signal(), Signal()
    # As what is held is never more than one beat, and one that ends a packet leaves whatever comes,
    # nothing waits.
    has, last = come.valid & ~without, come.valid & bits.last
    held = full & ~ends
    m.d.comb += [
        come.ready.eq(go),
        output.i.valid.eq(full & (ends | has)),
        Value.cast(output.i.payload).eq(Cat(kept & ~blank.replicate(2 * lanes), ends)),
    ]
    with m.If(go):
        with m.If(has):
            m.d.sync += kept.eq(Value.cast(bits)[: 2 * lanes])
        with m.If(~held):
            m.d.sync += blank.eq(~has)
        m.d.sync += [full.eq(has | last | held), ends.eq(Mux(has | last, last, 0))]


def show_bits(m: Module, come: Any, bits: Value, *, o: Any, bits_o: Any) -> None:
    """Pass the beats of ``come`` on to ``o``, and to ``bits_o`` a bit for each of their lanes.

    ``bits`` hold as long as the beat is offered. Either output may take a beat before the other.
    """
    m.submodules.shown = fork = Fork(shape=come.payload.shape(), outputs=2)
    wiring.connect(m, come, fork.i)
    wiring.connect(m, fork.o[0], o)
    copy = fork.o[1]
    m.d.comb += [
        bits_o.valid.eq(copy.valid),
        copy.ready.eq(bits_o.ready),
        Value.cast(bits_o.payload).eq(Cat(bits, copy.payload.keep, copy.payload.last)),
    ]
