"""The sum of two floating-point numbers, rounded once: align, add, normalise, round."""

from dataclasses import dataclass

from amaranth import Cat, Const, Mux, Value

from sluice.arith.flow import Flow
from sluice.formats import Float

__all__ = ["Frame", "add_and_round"]


@dataclass(frozen=True)
class Frame:
    """Where the significands of a sum stand.

    The larger operand stands with its unit (the bit of weight ``2**exponent``) at bit ``unit``; the
    smaller one is shifted down to it. Bit 0 says whether anything was shifted out.

    Parameters
    ----------
    target : Float
        Format of the addend and of the sum.
    product_bits : int
        Bits of the other operand below its unit.
    """

    target: Float
    product_bits: int

    @property
    def unit(self) -> int:
        # With exponents two or more apart at most one bit cancels, so that below the unit stand the
        # fraction, that bit and one to round by. Closer together, all bits of the smaller operand
        # must still be there.
        return 3 + max(self.target.fraction_bits, self.product_bits)

    @property
    def width(self) -> int:
        # A product is below 4 and an addend below 2.
        return self.unit + 3

    @property
    def levels(self) -> int:
        """Binary digits of the longest shift."""
        return (self.width - 1).bit_length()

    @property
    def steps(self) -> int:
        """Steps of :func:`add_and_round`."""
        return 7 + self.levels


def add_and_round(flow: Flow, frame: Frame, *, flush: bool) -> None:
    """Set ``flow.result`` to the sum of a product and an addend, rounded to nearest even.

    The flow must have

    - ``p_sign``, ``p_exponent`` (signed, biased as the target is), ``p_significand`` in [1, 4) or
      zero, and ``p_zero``;
    - ``c_sign``, ``c_exponent`` (at least 1) and ``c_significand`` in [0, 2), of which only
      exponent 1 has less than 1;
    - ``nan``, ``infinity`` and ``infinity_sign``, where the operands alone decide.

    With ``flush`` a result below the smallest normal number after rounding is a zero of its sign.
    """
    _align(flow, frame)
    width = frame.width

    small = Cat(flow.small, flow.subtract)
    flow.total = _add_carry(flow.large, small, flow.subtract)[: width + 1]
    flow.step()

    _normalise(flow, frame, flush=flush)
    _round(flow, frame, flush=flush)


def _add_carry(a: Value, b: Value, carry: Value) -> Value:
    """Return ``a + b + carry`` such that synthesis finds one carry chain, and not two."""
    return (Cat(Const(1, 1), a) + Cat(carry, b))[1:]


def _align(flow: Flow, frame: Frame) -> None:
    """Set ``large`` and ``small``, in the frame, and what the sum needs besides."""
    target, unit, width = frame.target, frame.unit, frame.width
    flow.difference = flow.p_exponent - flow.c_exponent
    flow.subtract = flow.p_sign ^ flow.c_sign
    flow.step()

    # A product that is zero has an exponent that says nothing.
    negative = flow.difference[-1]
    swap = negative | flow.p_zero
    product = Cat(Const(0, unit - frame.product_bits), flow.p_significand)
    addend = Cat(Const(0, unit - target.fraction_bits), flow.c_significand)
    flow.large = Mux(swap, addend, product)[:width]
    low = Mux(swap, product[1:], addend)
    flow.small = Cat(low, Const(0, width - len(low)))
    flow.large_sign = Mux(swap, flow.c_sign, flow.p_sign)
    flow.exponent = Mux(swap, flow.c_exponent, flow.p_exponent)[: target.exponent_bits + 2]
    # One less than the distance where the product is the smaller, which stands one lower for that.
    flow.distance = flow.difference[:-1] ^ negative.replicate(len(flow.difference) - 1)
    flow.step()

    half = 2
    flow.far = flow.distance[frame.levels :].any()
    value, lost = flow.small, Const(0, 1)
    for level in reversed(range(frame.levels)):
        bit, by = flow.distance[level], 1 << level
        lost = lost | (bit & value[:by].any())
        value = Mux(bit, value[by:], value)[:width]
        if level == half:
            # All of it is lost. This comes last, where a register can be cleared by it.
            flow.lost = Mux(flow.far, flow.small.any(), lost)
            flow.small = Mux(flow.far, 0, value)
            flow.step()
            value, lost = flow.small, flow.lost
    value = Cat(value[0] | lost, value[1:])
    flow.small = value ^ flow.subtract.replicate(width)
    # How far up the sum may be shifted before its exponent is that of subnormal numbers.
    flow.room = flow.exponent + 1
    flow.step()


def _normalise(flow: Flow, frame: Frame, *, flush: bool) -> None:
    """Shift the sum up until its top bit is set, or its exponent is the smallest.

    A negative sum ``-(~total + 1)`` is kept as ``~total`` with ones behind the last bit without
    end, which is as much.
    """
    negative = flow.total[-1]
    flow.is_nothing = ~flow.total.any()
    flow.sum_sign = flow.large_sign ^ negative
    flow.ones = negative
    room = flow.room
    free: Value = Const(1) if flush else room[frame.levels :].any()
    value = flow.total[: frame.width] ^ negative.replicate(frame.width)
    shifts: list[Value] = []
    for level in reversed(range(frame.levels)):
        by = 1 << level
        empty = ~value[-by:].any()
        # Digit by digit: where a shift was not needed, what is left is less than may be.
        shift = empty & (free | room[level])
        free = free | (room[level] & ~empty)
        value = Mux(shift, Cat(flow.ones.replicate(by), value[:-by]), value)[: frame.width]
        shifts.append(shift)
        if level != 2:
            flow.magnitude, flow.free = value, free
            flow.shift = Cat(reversed(shifts))
            flow.step()
            value, free, room = flow.magnitude, flow.free, flow.room
            shifts = list(reversed([flow.shift[k] for k in range(len(shifts))]))


def _round(flow: Flow, frame: Frame, *, flush: bool) -> None:
    """Round ``magnitude`` to nearest even, and put in what is no number."""
    target = frame.target
    fraction_bits, exponent_bits = target.fraction_bits, target.exponent_bits
    kept = flow.magnitude[-fraction_bits - 1 :]
    rest = flow.magnitude[: -fraction_bits - 1]
    # With ones without end behind it, the rest is half a unit where all but its top bit are set.
    flow.up = Mux(
        flow.ones,
        rest[-1] | (kept[0] & rest[:-1].all()),
        rest[-1] & (kept[0] | rest[:-1].any()),
    )
    flow.fraction = kept[:-1]
    flow.hidden = kept[-1]
    # One less than the exponent field, to which the leading one is added; zero of subnormals.
    field = (flow.room - flow.shift)[: exponent_bits + 2]
    flow.field = Mux(flow.hidden, field, 0)
    flow.step()

    packed = _add_carry(Cat(flow.fraction, flow.field), flow.hidden << fraction_bits, flow.up)
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
    sign = flow.sum_sign & ~(flow.is_nothing & flow.subtract)
    sign = Mux(flow.infinity, flow.infinity_sign, sign) & ~is_nan
    flow.result = Cat(number, sign)
    flow.step()
