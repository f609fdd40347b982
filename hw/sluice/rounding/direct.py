"""The lane for targets with the exponent of their source: no alignment, one adder."""

from typing import Any

from amaranth import Cat, Const, Mux, Signal, Value

from sluice.rounding.lane import Lane, Result, ones_groups

__all__ = ["add_direct", "direct_stages"]


def direct_stages(*, saturation: bool) -> int:
    """Return the stages of :func:`add_direct`."""
    return 5 if saturation else 4


def add_direct(lane: Lane, word: Value, random: Value, *, saturation: bool) -> Result:
    """Round by adding below the last bit kept; a carry steps the exponent by itself.

    Words with an exponent of ones make the same adder tell infinity from NaN: the rounding value
    and the zeros above it are forced to ones, so that a carry arrives at the exponent where
    any fraction bit of the sum is set. The fraction bits below the sum, which such words do
    not need for rounding, are added to the exponent of ones. It overflows for a NaN only, and
    for no other word at all.
    """
    shared, go = lane.shared, lane.shared.go
    source, target = lane.source, lane.target
    kept = target.fraction_bits
    dropped = source.fraction_bits - kept
    bits = shared.random_bits

    exponent = word[source.fraction_bits : -1]
    a: Any = lane.step(word=word, ones=ones_groups(exponent))

    special = a.ones.all()
    second = a.word[max(0, dropped - bits) : dropped]
    below = a.word[: max(0, dropped - bits)]
    high = a.word[dropped:-1]
    size = -(-len(below) // source.exponent_bits)
    groups = Cat(below[k : k + size].any() for k in range(0, len(below), size or 1))
    # Only force sets the register behind this, which costs no table.
    never = Signal()
    carry: Value = Const(0, 1)
    if lane.has_ties:
        carry = lane.carry(high[0], below.any() if len(below) else Const(0, 1))
    b: Any = lane.step(
        {"rounding": -1, "special": 1},
        sign=a.word[-1],
        main=Cat(Const(0, max(0, bits - dropped)), second, high),
        special=never,
        rounding=lane.rounding_value(a.word, random) | Const(0, bits),
        carry=carry,
        below=groups,
    )
    set_special, set_normal = go & special, go & ~special
    lane.force(b.rounding, set_special)
    lane.force(b.special, set_special)
    if lane.has_ties:
        lane.force(b.carry, set_special)
    if len(below):
        lane.force(b.below, set_normal)

    total = lane.add(b.main, Cat(b.rounding, b.special.replicate(kept), b.below), b.carry)
    c: Any = lane.step(sign=b.sign, total=total[bits:], special=b.special)

    nan = c.total[-1]
    full = c.total[kept:-1].all()
    fraction, top = c.total[: kept - 1], c.total[kept - 1]
    d: Any = lane.step(
        {"exponent": -1},
        sign=c.sign,
        fraction=fraction,
        quiet=Mux(c.special, nan, top),
        exponent=c.total[kept:-1],
        overflow=full & ~c.special,
        limit=shared.saturates(lane.depth) & (full | c.special) & ~nan,
        invalid=nan,
    )
    forced = go & c.special
    lane.force(d.fraction, forced)
    lane.force(d.exponent, forced)
    flags = (d.overflow, d.invalid, lane.depth)
    out = Cat(d.fraction, d.quiet, d.exponent)
    if saturation:
        e: Any = lane.step({"out": target.max_bits}, sign=d.sign, out=out)
        lane.force(e.out, go & d.limit)
        return Result(Cat(e.out, e.sign), lane.depth, *flags)
    return Result(Cat(out, d.sign), lane.depth, *flags)
