"""The end of every datapath that rounds: shift a result down, round it, and put it in a word."""

from amaranth import Cat, Const, Mux, Value

from sluice.arith.flow import Flow
from sluice.formats import Float

__all__ = [
    "ROUND_STEPS",
    "add_carry",
    "place_and_round",
    "place_steps",
    "round_and_pack",
    "shift_down",
]

# Steps of `round_and_pack`.
ROUND_STEPS = 3


def add_carry(a: Value, b: Value, carry: Value) -> Value:
    """Return ``a + b + carry`` such that synthesis finds one carry chain, and not two."""
    return (Cat(Const(1, 1), a) + Cat(carry, b))[1:]


def shift_down(flow: Flow, levels: int) -> Value:
    """Return ``flow.shifted`` shifted down by ``flow.distance``, which is unsigned.

    The lowest bit is set if it or anything that was shifted out is. One step ends on the way.

    Parameters
    ----------
    levels : int, at least 3
        Binary digits of the longest shift that leaves anything.
    """
    half = 2
    far = flow.distance[levels:].any()
    width = len(flow.shifted)
    value: Value = flow.shifted
    lost: Value = Const(0, 1)
    for level in reversed(range(levels)):
        by = 1 << level
        bit = flow.distance[level] if level < len(flow.distance) else Const(0, 1)
        lost = lost | (bit & value[:by].any())
        value = Mux(bit, value[by:], value)[:width]
        if level == half:
            # All of it is lost. This comes last, where a register can be cleared by it.
            flow.lost = Mux(far, flow.shifted.any(), lost)
            flow.shifted = Mux(far, 0, value)[:width]
            flow.step()
            value, lost = flow.shifted, flow.lost
    return Cat(value[0] | lost, value[1:])


def place_steps(*, subnormal: bool) -> int:
    """Return the steps of :func:`place_and_round`."""
    return (3 if subnormal else 2) + ROUND_STEPS


def place_and_round(flow: Flow, target: Float, *, flush: bool, subnormal: bool) -> None:
    """Set ``flow.result`` to a word of ``target``, rounded to nearest even.

    The flow must have

    - ``magnitude``, with three bits or more below the fraction, the lowest of which may stand for
      all that is below: the leading one is one of the two top bits, or the number is zero, or so
      small that a subnormal number has room for it;
    - ``exponent``, signed and biased as the target is, of the second bit;
    - ``sign``, ``nan`` and ``infinity``.

    ``subnormal`` says that the result may be. With ``flush``, when it is never looked at, a result
    below the smallest normal number after rounding is a zero of its sign.
    """
    flow.room = flow.exponent
    if subnormal:
        below = flow.exponent[-1]
        flow.may_rise = flow.exponent.any() & ~below
        flow.distance = Mux(below, -flow.exponent, 0)[: len(flow.exponent)]
    flow.step()

    # One place up where the leading one is in the second bit, and down where the exponent is too
    # small, but never both.
    flow.shift = ~flow.magnitude[-1] & (flow.may_rise if subnormal else Const(1, 1))
    value: Value = flow.magnitude
    if subnormal:
        flow.shifted = value
        value = shift_down(flow, max(3, (len(flow.magnitude) - 1).bit_length()))
    flow.magnitude = Mux(flow.shift, Cat(Const(0, 1), value[:-1]), value)
    flow.step()
    round_and_pack(flow, target, flush=flush)


def round_and_pack(flow: Flow, target: Float, *, flush: bool, complement: bool = False) -> None:
    """Set ``flow.result`` to a word of ``target``, rounded to nearest even.

    The flow must have

    - ``magnitude``, with two bits or more below the fraction: the top bit is the leading one, or
      the number is subnormal;
    - ``room`` and ``shift``, the difference of which is one less than the exponent field, where
      the leading one is there;
    - ``sign``, ``nan`` and ``infinity``.

    With ``complement`` there are ones without end behind the last bit where ``ones`` is set. With
    ``flush`` a result below the smallest normal number after rounding is a zero of its sign.
    """
    fraction_bits, exponent_bits = target.fraction_bits, target.exponent_bits
    kept = flow.magnitude[-fraction_bits - 1 :]
    rest = flow.magnitude[: -fraction_bits - 1]
    up = rest[-1] & (kept[0] | rest[:-1].any())
    if complement:
        # The rest is half a unit where all but its top bit are set.
        up = Mux(flow.ones, rest[-1] | (kept[0] & rest[:-1].all()), up)
    flow.up = up
    flow.fraction = kept[:-1]
    flow.hidden = kept[-1]
    # The leading one is added to the field; it is zero of subnormals.
    field = (flow.room - flow.shift)[: exponent_bits + 2]
    flow.field = Mux(flow.hidden, field, 0)
    flow.step()

    packed = add_carry(Cat(flow.fraction, flow.field), flow.hidden << fraction_bits, flow.up)
    flow.packed = packed[: fraction_bits + exponent_bits + 2]
    flow.step()

    size = target.width - 1
    number, negative = flow.packed[:size], flow.packed[-1]
    if target.has_infinity:
        overflow = (flow.packed[size:-1].any() | number[fraction_bits:].all()) & ~negative
    else:
        overflow = (flow.packed[size:-1].any() | number.all()) & ~negative
    if flush:
        # Without a leading one, however far it was shifted, there was nothing, or next to nothing.
        tiny = ~number[fraction_bits:].any() | negative | ~flow.hidden
        number = Mux(tiny, 0, number)[:size]
    # The three that are no numbers have the exponent in common, and in E4M3 all.
    special = flow.nan | flow.infinity | overflow
    above = Const(target.max_bits + 1, size)
    if target.has_infinity:
        top = Mux(special, flow.nan, number[fraction_bits - 1])
        rest = [Mux(special, above[k], number[k]) for k in range(size)]
        number = Cat(rest[: fraction_bits - 1], top, rest[fraction_bits:])
        is_nan = flow.nan
    else:
        number = Mux(special, above, number)[:size]
        is_nan = special
    flow.result = Cat(number, flow.sign & ~is_nan)
    flow.step()
