"""Round an aligned word and pack it."""

from typing import Any

from amaranth import Cat, Const, Mux

from sluice.formats import Float
from sluice.rounding.align import Aligned, Plan
from sluice.rounding.lane import Lane, Result, aligned_parts

__all__ = ["FINISH_STAGES", "add_finish"]

FINISH_STAGES = 4


def add_finish(lane: Lane, plan: Plan, aligned: Aligned) -> Result:
    """Add the adder and what comes behind it."""
    start = lane.depth
    target, bits = lane.target, lane.shared.random_bits
    kept, second, rest = aligned_parts(aligned.word, plan.kept, bits)
    if plan.field:
        # The leading one is in the field already: a word that is shifted has neither.
        kept = Cat(kept[:-1], aligned.field)
    common = {
        "sign": aligned.sign,
        "beyond": aligned.beyond,
        "infinite": aligned.infinite,
        "nan": aligned.nan,
    }
    a: Any = lane.step(
        **common,
        word=Cat(second, kept),
        rounding=aligned.rounding,
        carry=lane.carry(kept[0], aligned.sticky | rest),
    )
    total = lane.add(a.word, a.rounding, a.carry)[bits:]
    b: Any = lane.step(**lane.also(a, "word", "rounding", "carry"), code=total)
    finish = _finish_float if isinstance(target, Float) else _finish_fixed
    result = finish(lane, b)
    assert lane.depth == start + FINISH_STAGES
    return result


def _finish_float(lane: Lane, b: Any) -> Result:
    target: Float = lane.target
    width = target.width - 1
    c: Any = lane.step(
        **lane.also(b, "code", "beyond"),
        code=b.code[:width],
        overflow=(b.beyond | (b.code > target.max_bits)) & ~b.infinite & ~b.nan,
    )
    saturate, truncates = (
        lane.shared.saturates(lane.depth),
        lane.shared.mode_is("towards_zero", lane.depth),
    )
    limit = (c.overflow & (saturate | truncates)) | (c.infinite & saturate)
    past = Const(target.max_bits + 1, width)
    out = Mux(c.overflow | c.infinite, past, c.code)
    out = Mux(limit, target.max_bits, out)
    out = Mux(c.nan, target.nan_bits, out)[:width]
    d: Any = lane.step(out=Cat(out, c.sign), overflow=c.overflow, nan=c.nan)
    return Result(d.out, lane.depth, d.overflow, d.nan, lane.depth)


def _finish_fixed(lane: Lane, b: Any) -> Result:
    width = lane.target.width
    # The most negative value is one further from zero than the largest.
    high = b.code[width:].any()
    largest = b.code[width - 1] & (~b.sign | b.code[: width - 1].any())
    negated = (b.code[:width] ^ b.sign.replicate(width)) + b.sign
    c: Any = lane.step(
        sign=b.sign,
        overflow=(b.beyond | high | largest) & ~b.infinite & ~b.nan,
        infinite=b.infinite,
        nan=b.nan,
        value=negated[:width],
    )
    end = Cat((~c.sign).replicate(width - 1), c.sign)
    out = Mux(c.overflow | c.infinite, end, c.value)
    d: Any = lane.step(out=Mux(c.nan, 0, out)[:width], overflow=c.overflow, nan=c.nan)
    return Result(d.out, lane.depth, d.overflow, d.nan, lane.depth)
