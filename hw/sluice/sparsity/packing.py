"""Elements with a flag, packed beat by beat: what :class:`Compact` does behind its handshake."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from sluice.sparsity.places import add_places, place_steps
from sluice.sparsity.switches import gather, levels
from sluice.stream import Beat, SkidBuffer

__all__ = ["add_packing", "packed_layout", "packing_steps", "put_together"]


def packing_steps(lanes: int) -> int:
    """Return the steps that :func:`add_packing` ends."""
    return place_steps(lanes) + levels(lanes)


def packed_layout(beat: Beat) -> data.StructLayout:
    """Return the layout of what :func:`add_packing` makes of a beat.

    ``words`` are its elements, turned to their lanes; ``held`` says which lanes elements of earlier
    beats take; with ``over`` they do not fit into one beat, and ``rest`` are the lanes that are
    taken of the one they reach; ``last`` ends the packet, and with either of ``over`` and ``last``
    it ``emits`` what is kept.
    """
    lanes, flags = beat.lanes, dict.fromkeys(("over", "emits", "last"), 1)
    return data.StructLayout({"words": beat.data_bits, "held": lanes, "rest": lanes, **flags})


def add_packing(
    m: Module, flow: Any, words: list[Value], flags: Value, valid: Value, *, placed: bool = False
) -> Value:
    """Bring the words that have a flag to their lanes; return the bits of :func:`packed_layout`.

    Parameters
    ----------
    flow : Flow
        ``last`` is set, and what :func:`add_places` wants if packets are ``placed``.
        :func:`packing_steps` steps are ended.
    valid : 1 bit
        With the flags; those that are not valid do not count.
    """
    names = [f"word_{k}" for k in range(len(words))]
    for name, word in zip(names, words, strict=True):
        setattr(flow, name, word)
    add_places(m, flow, flags, valid, placed=placed)
    gather(flow, names)
    flow.step()
    found = Cat(getattr(flow, name) for name in names)
    return Cat(found, flow.held, flow.rest, flow.over, flow.over | flow.last, flow.last)


def put_together(m: Module, come: Any, o: Any) -> None:
    """Make full beats for ``o`` of a stream of :func:`packed_layout`, and a last one per packet.

    ``come.ready`` is a register; a beat that becomes full leaves a cycle later.
    """
    word, beat = come.payload, o.payload.shape()
    lanes, width = beat.lanes, beat.element_width
    m.submodules.output = output = SkidBuffer(shape=beat)
    wiring.connect(m, output.o, o)
    go = output.i.ready
    # What is kept ends a packet. What comes then begins another, and takes its place: it is never
    # more than one beat, and leaves at once only where it ends that packet too.
    whole = Signal()
    keep = Signal(lanes, reset_less=True)
    kept = [Signal(width, name=f"kept_{k}", reset_less=True) for k in range(lanes)]
    full = word.rest | word.over.replicate(lanes)
    m.d.comb += [come.ready.eq(go), output.i.valid.eq(whole | (come.valid & word.emits))]
    with m.If(go):
        m.d.sync += [
            whole.eq(come.valid & word.last & (whole | word.over)),
            keep.eq(word.rest),
        ]
    leaves: list[Value] = []
    for k in range(lanes):
        comes, held = word.words.word_select(k, width), word.held[k]
        leaves.append(Mux(whole | held, kept[k], comes))
        with m.If(go & come.valid & (word.emits | ~held)):
            m.d.sync += kept[k].eq(comes)
    made = Cat(*leaves, Mux(whole, keep, full), whole | (word.last & ~word.over))
    m.d.comb += Value.cast(output.i.payload).eq(made)
