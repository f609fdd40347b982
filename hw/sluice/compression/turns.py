"""A turn for each escape of a beat."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data

__all__ = ["RawWriter", "Turns", "first_turn", "lowest", "next_turn", "turn_layout"]


def several(bits: Value) -> Value:
    """Say whether more than one bit is set."""
    if len(bits) < 2:
        return Const(0, 1)
    half = len(bits) // 2
    low, high = bits[:half], bits[half:]
    return several(low) | several(high) | (low.any() & high.any())


def lowest(bits: Value) -> Value:
    """Return the lowest bit that is set, alone."""
    return Cat(bits[k] & ~bits[:k].any() if k else bits[0] for k in range(len(bits)))


def turn_layout(lanes: int) -> data.StructLayout:
    """Return the layout of a turn.

    It is that of ``lane``, if the beat ``needs`` any; those of ``others`` follow, if there are
    ``more``.
    """
    return data.StructLayout({"lane": lanes, "others": lanes, "needs": 1, "more": 1})


def next_turn(bits: Value) -> tuple[Value, Value, Value]:
    """Return the lane whose turn it is of ``bits``, the others, and whether there are any."""
    lane = lowest(bits)
    return lane, bits & ~lane, several(bits)


def first_turn(escapes: Value) -> Value:
    """Return the bits of the turn with which a beat begins."""
    lane, others, more = next_turn(escapes)
    return Cat(lane, others, escapes.any(), more)


class Turns:
    """Holds a beat for as many cycles as it has turns.

    Parameters
    ----------
    m : Module
    come : stream
        Whose payload has a field ``turn`` of :func:`turn_layout`, the first one.
    goes_if : 1 bit
        A turn may go.

    Attributes
    ----------
    beat : view
        With the turn that it has.
    goes : Signal
        The turn goes.
    """

    def __init__(self, m: Module, come: Any, *, goes_if: Value):
        valid, self.goes = Signal(name="turn_valid"), Signal(name="turn_goes")
        self.beat: Any = Signal(come.payload.shape(), name="turn_beat", reset_less=True)
        turn = self.beat.turn
        m.d.comb += [
            self.goes.eq(valid & goes_if),
            come.ready.eq(~valid | (self.goes & ~turn.more)),
        ]
        with m.If(come.ready):
            m.d.sync += [valid.eq(come.valid), self.beat.eq(come.payload)]
        with m.Elif(self.goes):
            lane, others, more = next_turn(turn.others)
            m.d.sync += [turn.lane.eq(lane), turn.others.eq(others), turn.more.eq(more)]


class RawWriter:
    """Makes packets of words that come one by one, of which nobody knows yet which is the last.

    A word is kept until another comes, or the packet ends; a packet without a word is an empty
    beat. It takes a word and gives one in every cycle.

    Parameters
    ----------
    m : Module
    o : stream of Beat(element, 1)
        Whose ``ready`` is a register.
    goes : 1 bit
        What ``comes`` and ``ends`` say is so in this cycle; only where ``o.ready`` is set.
    comes : 1 bit
        There is a ``word``.
    ends : 1 bit
        The packet ends, behind that word if there is one.
    """

    def __init__(self, m: Module, o: Any, *, goes: Value, comes: Value, ends: Value, word: Value):
        held = Signal(name="raw_held")
        kept: Any = Signal(o.payload.shape(), name="raw_kept")
        # Whether it waits for nothing any more.
        whole = held & kept.last
        alone = ends & ~comes
        m.d.comb += [
            o.valid.eq(whole | (held & goes & (comes | ends))),
            Value.cast(o.payload.data).eq(Value.cast(kept.data)),
            o.payload.keep.eq(kept.keep),
            o.payload.last.eq(kept.last | alone),
        ]
        with m.If(goes & (comes | ends)):
            m.d.sync += [
                Value.cast(kept.data).eq(word),
                kept.keep.eq(comes),
                kept.last.eq(ends),
                held.eq(comes | ~held | whole),
            ]
        with m.Elif(whole & o.ready):
            m.d.sync += held.eq(0)
