"""The end of every datapath that rounds: shift a result down, round it, and put it in a word."""

from amaranth import Cat, Const, Mux, Value, signed

from sluice.arith.flow import Flow
from sluice.formats import Float

__all__ = [
    "RANDOM_STEPS",
    "ROUND_STEPS",
    "add_carry",
    "fixed_steps",
    "hold_exponent",
    "place_and_round",
    "place_steps",
    "round_and_pack",
    "round_fixed",
    "shift_down",
    "shift_out",
    "shift_up",
    "up_steps",
]

# Steps of `round_and_pack`, and how many of them are left when random bits come in.
ROUND_STEPS, RANDOM_STEPS = 3, 2


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
    value, lost = shift_out(flow, levels)
    return Cat(value[0] | lost, value[1:])


def shift_out(flow: Flow, levels: int, *, top: int | None = None) -> tuple[Value, Value]:
    """Return what :func:`shift_down` does, with what was shifted out apart.

    ``top`` is the highest bit there is, where a shift by ``1 << levels`` leaves it in the lowest
    place: one more level would be there for it alone.
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
            if top is None:
                flow.lost = Mux(far, flow.shifted.any(), lost)
                flow.shifted = Mux(far, 0, value)[:width]
            else:
                stays = flow.shifted[top] & (flow.distance == 1 << levels)
                flow.lost = Mux(far, flow.shifted[:top].any() | ~stays & flow.shifted[top], lost)
                flow.shifted = Cat(Mux(far, stays, value[0]), Mux(far, 0, value[1:]))[:width]
            flow.step()
            value, lost = flow.shifted, flow.lost
    return value, lost


def up_steps(width: int, *, digits: int = 2) -> int:
    """Return the steps that :func:`shift_up` ends for a magnitude of ``width`` bits."""
    return -(-(width - 1).bit_length() // digits)


def shift_up(flow: Flow, *, digits: int = 2) -> None:
    """Shift ``flow.magnitude`` up until its top bit is set, and set ``flow.zeros`` to how far.

    A magnitude of zero stays, and gives as many as the binary digits of the longest shift hold;
    ``digits`` of these are found in a step.
    """
    width = len(flow.magnitude)
    levels = (width - 1).bit_length()
    value: Value = flow.magnitude
    zeros: list[Value] = []
    for k, level in enumerate(reversed(range(levels))):
        by = 1 << level
        empty = ~value[-by:].any()
        value = Mux(empty, Cat(Const(0, by), value[:-by]), value)[:width]
        zeros.insert(0, empty)
        if not (k + 1) % digits or not level:
            flow.magnitude, flow.zeros = value, Cat(zeros)
            flow.step()
            value = flow.magnitude
            zeros = [flow.zeros[j] for j in range(len(zeros))]


def hold_exponent(exponent: Value, target: Float) -> tuple[Value, Value]:
    """Return an exponent, signed and biased as the target is, in two bits more than the target's.

    What no exponent of the target comes near is held where it stays too small; that it is too
    large comes second.
    """
    limit = 1 << target.exponent_bits
    held = Mux(exponent < -limit, -limit, exponent)[: target.exponent_bits + 2].as_signed()
    return held, exponent >= limit


def place_steps(*, subnormal: bool) -> int:
    """Return the steps of :func:`place_and_round`."""
    return (3 if subnormal else 2) + ROUND_STEPS


def place_and_round(
    flow: Flow, target: Float, *, flush: bool, subnormal: bool, saturate: bool = False
) -> None:
    """Set ``flow.result`` to a word of ``target``, rounded to nearest even.

    The flow must have

    - ``magnitude``, with three bits or more below the fraction, the lowest of which may stand for
      all that is below: the leading one is one of the two top bits, or the number is zero, or so
      small that a subnormal number has room for it;
    - ``exponent``, signed and biased as the target is, of the second bit;
    - ``sign``, ``nan`` and ``infinity``.

    ``subnormal`` says that the result may be. With ``flush``, when it is never looked at, a result
    below the smallest normal number after rounding is a zero of its sign, and with ``saturate`` one
    beyond the largest number is that.
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
    round_and_pack(flow, target, flush=flush, saturate=saturate)


def fixed_steps(width: int, *, subnormal: bool) -> int:
    """Return the steps of :func:`round_fixed` for a magnitude of ``width`` bits."""
    return up_steps(width, digits=1) + 1 + place_steps(subnormal=subnormal)


def round_fixed(flow: Flow, target: Float, *, lowest: int, flush: bool, subnormal: bool) -> None:
    """Set ``flow.result`` to a number in fixed point as a word of ``target``.

    The flow must have ``magnitude``, in units of ``2**lowest``, and ``sign``, ``nan`` and
    ``endless``, which says that it is infinite. ``subnormal`` and ``flush`` are those of
    :func:`place_and_round`.
    """
    width = len(flow.magnitude)
    shift_up(flow, digits=1)
    # Three bits to round by, the lowest of which stands for the rest.
    size = target.fraction_bits + 4
    long = Cat(Const(0, max(0, size - width)), flow.magnitude)
    rest = long[: len(long) - size + 1]
    flow.magnitude = Cat(rest.any(), long[len(rest) :])
    top = lowest + width - 2 + target.bias
    exponent, beyond = hold_exponent(Const(top, signed(12)) - flow.zeros, target)
    flow.exponent, flow.infinity = exponent, flow.endless | (beyond & flow.magnitude[-1])
    flow.step()
    place_and_round(flow, target, flush=flush, subnormal=subnormal)


def round_and_pack(
    flow: Flow,
    target: Float,
    *,
    flush: bool,
    saturate: bool = False,
    complement: bool = False,
    random: Value | None = None,
) -> None:
    """Set ``flow.result`` to a word of ``target``, rounded to nearest even or stochastically.

    The flow must have

    - ``magnitude``, with two bits or more below the fraction and as many as ``random`` has: the
      top bit is the leading one, or the number is subnormal;
    - ``room`` and ``shift``, the difference of which is one less than the exponent field, where
      the leading one is there;
    - ``sign``, ``nan`` and ``infinity``.

    With ``complement`` there are ones without end behind the last bit where ``ones`` is set; with
    ``random`` and where ``cut`` is set anything but those. With ``flush`` a result below the
    smallest normal number after rounding is a zero of its sign.

    With ``saturate`` a result beyond the largest number, and an infinity, is that number.

    ``random``, looked at in the second step, is added to as many bits below the fraction; a carry
    out of these rounds up, and what is below them does not count.
    """
    fraction_bits, exponent_bits = target.fraction_bits, target.exponent_bits
    kept = flow.magnitude[-fraction_bits - 1 :]
    rest = flow.magnitude[: -fraction_bits - 1]
    random = Const(0, 0) if random is None else random
    bits = len(random)
    if bits:
        # Ones without end are one more in the place above them, if nothing was lost there.
        up = flow.ones & ~flow.cut & rest[:-bits].all() if complement else Const(0, 1)
        flow.second = rest[-bits:]
    else:
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

    if bits:
        word = Cat(flow.second, flow.fraction, flow.field)
        addend = Cat(random, flow.hidden << fraction_bits)
        packed = add_carry(word, addend, flow.up)[bits:]
    else:
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
    if saturate:
        number = Mux(special, target.max_bits, number)[:size]
        special = flow.nan
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
