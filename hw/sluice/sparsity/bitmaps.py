"""Bitmaps, of which some blocks have none."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from sluice.stream import SkidBuffer

__all__ = ["hold_back"]


def hold_back(m: Module, come: Any, bits: Any, without: Value, o: Any) -> None:
    """Pass beats of ``bits`` on to ``o``, but for those that come ``without``.

    What ends a packet may be one of these. A beat is therefore held until another one comes, or the
    packet ends: its last beat is never empty, but for a packet of which nothing is passed on.
    ``come.ready`` is a register.
    """
    m.submodules.held_back = output = SkidBuffer(shape=bits.shape())
    wiring.connect(m, output.o, o)
    go = output.i.ready
    lanes = bits.shape().lanes
    kept = Signal(2 * lanes, name="kept_bits", reset_less=True)
    full, ends = Signal(), Signal()
    # As what is held is never more than one beat, and one that ends a packet leaves whatever comes,
    # nothing waits.
    has, last = come.valid & ~without, come.valid & bits.last
    held = full & ~ends
    m.d.comb += [
        come.ready.eq(go),
        output.i.valid.eq(full & (ends | has)),
        Value.cast(output.i.payload).eq(Cat(kept, ends)),
    ]
    with m.If(go):
        with m.If(has):
            m.d.sync += kept.eq(Value.cast(bits)[: 2 * lanes])
        with m.Elif(last & ~held):
            m.d.sync += kept.eq(0)
        m.d.sync += [full.eq(has | last | held), ends.eq(Mux(has | last, last, 0))]
