"""Bring a source word to where the target's last bit has a fixed place."""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Const, Mux, Value

from sluice.formats import Fixed, Float
from sluice.rounding.lane import Lane, ones_groups

__all__ = ["Aligned", "Plan", "add_align", "plan_align"]


@dataclass(frozen=True)
class Plan:
    """How a pair of formats is aligned.

    Attributes
    ----------
    kind : str
        ``down`` (a float is shifted down), ``up`` (a fixed-point word is normalised) or ``still``.
    width : int
        Bits of the word that is shifted.
    kept : int
        Its top bits that are not rounded away.
    reach : int
        Longest shift that still matters.
    field : int
        Bits of the exponent field made; none for fixed-point targets.
    stages : int
    """

    kind: str
    width: int
    kept: int
    reach: int
    field: int
    stages: int

    @property
    def levels(self) -> int:
        return self.reach.bit_length()


def plan_align(source: Any, target: Any, random_bits: int) -> Plan:
    """Return how to align ``source`` words for ``target``."""
    field = target.exponent_bits if isinstance(target, Float) else 0
    if isinstance(source, Float):
        kept = target.fraction_bits + 1 if field else target.width
        width = max(source.fraction_bits + 1, kept + random_bits)
        reach = kept + random_bits
        stages = 4 + -(-reach.bit_length() // 2)
        return Plan("down", width, kept, reach, field, stages)
    if field:
        kept = target.fraction_bits + 1
        width = max(source.width, kept + random_bits)
        # Beyond this shift the target's exponent field would fall below that of subnormals.
        lowest = source.width - source.fraction_bits + target.bias - 2
        reach = min(source.width - 1, lowest)
        return Plan("up", width, kept, reach, field, 2 + reach.bit_length() + 1)
    drop = source.fraction_bits - target.fraction_bits
    top = max(source.width - drop, target.width)
    return Plan("still", top + max(drop, random_bits), top, 0, 0, 3)


@dataclass
class Aligned:
    """A word after alignment: its value is ``word`` with the point below the ``kept`` top bits.

    ``beyond`` says that the source is finite, and too large even to be aligned.
    """

    sign: Value
    word: Value
    sticky: Value
    field: Value
    beyond: Value
    infinite: Value
    nan: Value
    rounding: Value


def add_align(lane: Lane, plan: Plan, word: Value, random: Value) -> Aligned:
    """Add the stages of ``plan``."""
    add = {"down": _shift_down, "up": _normalise, "still": _place}[plan.kind]
    aligned = add(lane, plan, word, random)
    assert lane.depth == plan.stages
    return aligned


def _shift_down(lane: Lane, plan: Plan, word: Value, random: Value) -> Aligned:
    source: Float = lane.source
    target: Float | Fixed = lane.target
    fraction_bits = source.fraction_bits
    exponent = word[fraction_bits:-1]
    a: Any = lane.step(
        word=word, ones=ones_groups(exponent), some=~ones_groups(~exponent), sign=word[-1]
    )

    # Subnormals have the exponent of the smallest normal numbers, without the hidden one.
    normal = a.some.any()
    fraction = a.word[:fraction_bits]
    exponent = a.word[fraction_bits:-1]
    some = Cat(fraction[k : k + 4].any() for k in range(0, fraction_bits, 4))
    b: Any = lane.step(
        sign=a.sign,
        exponent=Cat(exponent[0] | ~normal, exponent[1:]),
        word=Cat(Const(0, plan.width - fraction_bits - 1), fraction, normal),
        special=a.ones.all(),
        some=some,
        rounding=lane.rounding_value(a.word, random),
    )

    if isinstance(target, Float):
        top = source.bias - target.bias + 1
        # The field of the unshifted word; it may be beyond the target's.
        field: Value = (b.exponent - (top - 1)).as_unsigned()
    else:
        top = source.bias + target.width - 1 - target.fraction_bits
        field = Const(0, 1)
    c: Any = lane.step(
        sign=b.sign,
        word=b.word,
        shift=(top - b.exponent).as_unsigned(),
        field=field,
        nan=b.special & b.some.any(),
        infinite=b.special & ~b.some.any(),
        special=b.special,
        rounding=b.rounding,
    )

    early = c.shift[-1]
    low, high = c.shift[: plan.levels], c.shift[plan.levels : -1]
    amount = Mux(early, 0, low | high.any().replicate(plan.levels))[: plan.levels]
    if plan.field:
        whole = early | ~c.shift.any()
        field = Mux(whole, c.field[: plan.field], 0)
        beyond = whole & c.field[plan.field :].any() & ~c.special
    else:
        beyond = early & ~c.special
    d: Any = lane.step(
        sign=c.sign,
        word=c.word,
        amount=amount,
        field=field,
        beyond=beyond,
        nan=c.nan,
        infinite=c.infinite,
        rounding=c.rounding,
        sticky=Const(0, 1),
    )

    for top in range(plan.levels - 1, -1, -2):
        shifted, sticky = d.word, d.sticky
        for k in range(top, max(top - 2, -1), -1):
            distance = min(1 << k, plan.width)
            if lane.has_ties:
                sticky = sticky | (d.amount[k] & shifted[:distance].any())
            shifted = Mux(d.amount[k], shifted >> distance, shifted)[: plan.width]
        d = lane.step(**lane.also(d, "word", "sticky"), word=shifted, sticky=sticky)
    return Aligned(d.sign, d.word, d.sticky, d.field, d.beyond, d.infinite, d.nan, d.rounding)


def _magnitude(lane: Lane, word: Value, random: Value) -> Any:
    """Add the two stages that every fixed-point source begins with."""
    a: Any = lane.step(word=word)
    sign = a.word[-1]
    return lane.step(
        sign=sign,
        word=((a.word ^ sign.replicate(len(word))) + sign)[: len(word)],
        random=random,
    )


def _normalise(lane: Lane, plan: Plan, word: Value, random: Value) -> Aligned:
    source: Fixed = lane.source
    target: Float = lane.target
    width = source.width
    b: Any = _magnitude(lane, word, random)
    d: Any = b
    values = {
        "sign": b.sign,
        "rounding": lane.rounding_value(b.word, b.random),
        "word": b.word,
        "count": Const(0, 0),
    }
    for k in range(plan.levels - 1, -1, -1):
        current: Value = values["word"]
        count: Value = values["count"]
        # How far the shift may still go, whatever the levels before this one did.
        within = (Cat(Const(1 << k, k + 1), count)) <= plan.reach
        shift = ~current[width - (1 << k) :].any() & within
        values["word"] = Mux(shift, current << (1 << k), current)[:width]
        values["count"] = Cat(shift, count)
        d = lane.step(**values)
        values = vars(d)

    highest = width - 1 - source.fraction_bits + target.bias
    size = max(highest.bit_length(), plan.field + 1)
    e: Any = lane.step(
        **lane.also(d, "word", "count"),
        word=Cat(Const(0, plan.width - width), d.word),
        field=Mux(d.word[-1], (highest - d.count)[:size], 0)[:size],
    )
    return Aligned(
        e.sign,
        e.word,
        Const(0, 1),
        e.field[: plan.field],
        e.field[plan.field :].any(),
        Const(0, 1),
        Const(0, 1),
        e.rounding,
    )


def _place(lane: Lane, plan: Plan, word: Value, random: Value) -> Aligned:
    source: Fixed = lane.source
    target: Fixed = lane.target
    b: Any = _magnitude(lane, word, random)
    c: Any = lane.step(sign=b.sign, word=b.word, rounding=lane.rounding_value(b.word, b.random))
    drop = source.fraction_bits - target.fraction_bits
    placed = Cat(Const(0, max(0, plan.width - plan.kept - drop)), c.word)
    placed = Cat(placed, Const(0, plan.width))[: plan.width]
    return Aligned(
        c.sign,
        placed,
        Const(0, 1),
        Const(0, 1),
        Const(0, 1),
        Const(0, 1),
        Const(0, 1),
        c.rounding,
    )
