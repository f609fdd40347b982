"""The sum of two floating-point numbers, rounded once: align, add, normalise, round."""

from dataclasses import dataclass

from amaranth import Cat, Const, Mux, Value

from sluice.arith.flow import Flow
from sluice.arith.round import ROUND_STEPS, add_carry, round_and_pack, shift_down, shift_out
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
        Format of the sum.
    product_bits, addend_bits : int
        Bits of the operands below their units.
    headroom : int, 1 or 2
        Bits of the product from its unit up.
    random_bits : int
        Bits below the fraction that decide in stochastic rounding; none to nearest even.
    """

    target: Float
    product_bits: int
    addend_bits: int
    headroom: int = 2
    random_bits: int = 0

    @property
    def unit(self) -> int:
        # With exponents two or more apart at most one bit cancels, so that below the unit stand the
        # fraction, that bit and those to round by. Closer together, all bits of the smaller operand
        # must still be there.
        longest = max(self.target.fraction_bits, self.product_bits, self.addend_bits)
        return max(3 + longest, 1 + self.target.fraction_bits + self.random_bits)

    @property
    def tail(self) -> int:
        """Low bits that hold something only where exponents are two or more apart.

        There the leading bit is one of the top ones, or has no room to rise.
        """
        longest = max(self.target.fraction_bits, self.product_bits, self.addend_bits)
        return self.unit - 3 - longest

    @property
    def width(self) -> int:
        # A product is below 4, a number and an addend below 2: one bit more holds the sum.
        return self.unit + self.headroom + 1

    @property
    def levels(self) -> int:
        """Binary digits of the longest shift up."""
        return (self.width - self.tail - 1).bit_length()

    @property
    def down_levels(self) -> int:
        """Binary digits of the longest shift down that leaves something.

        The last place is for what is lost, but to stochastic rounding, which then may have one
        distance more that is left with a single bit.
        """
        return (self.unit - 1).bit_length()

    @property
    def steps(self) -> int:
        """Steps of :func:`add_and_round`."""
        return 4 + self.levels + ROUND_STEPS


def add_and_round(flow: Flow, frame: Frame, *, flush: bool, random: Value | None = None) -> None:
    """Set ``flow.result`` to the sum of a product and an addend, rounded once.

    To nearest even, or with ``random``, the ``frame.random_bits`` bits that go with the sum two
    steps before the end, stochastically.

    The flow must have

    - ``p_sign``, ``p_exponent`` (signed, biased as the target is), ``p_significand`` in [1, 4) or
      zero, and ``p_zero`` where the exponent of a zero says nothing;
    - ``c_sign``, ``c_exponent`` (at least 1) and ``c_significand`` in [0, 2), of which only
      the smallest exponent has less than 1;
    - ``nan``, ``infinity`` and ``infinity_sign``, where the operands alone decide.

    With ``flush`` a result below the smallest normal number after rounding is a zero of its sign.
    """
    _align(flow, frame)
    width = frame.width

    small = Cat(flow.small, flow.subtract)
    carry = flow.subtract & ~flow.cut if frame.random_bits else flow.subtract
    flow.total = add_carry(flow.large, small, carry)[: width + 1]
    flow.step()

    _normalise(flow, frame, flush=flush)
    sign = flow.sum_sign & ~(flow.is_nothing & flow.subtract)
    flow.sign = Mux(flow.infinity, flow.infinity_sign, sign)
    round_and_pack(flow, frame.target, flush=flush, complement=True, random=random)


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
    addend = Cat(Const(0, unit - frame.addend_bits), flow.c_significand)
    flow.large = Mux(swap, addend, product)[:width]
    low = Mux(swap, product[1:], addend)
    flow.shifted = Cat(low, Const(0, width - len(low)))
    flow.large_sign = Mux(swap, flow.c_sign, flow.p_sign)
    flow.exponent = Mux(swap, flow.c_exponent, flow.p_exponent)[: target.exponent_bits + 2]
    # One less than the distance where the product is the smaller, which stands one lower for that.
    flow.distance = flow.difference[:-1] ^ negative.replicate(len(flow.difference) - 1)
    flow.step()

    if frame.random_bits:
        # What is cut off is a borrow, not a bit: then the sum is that of all bits, cut off.
        levels = frame.down_levels
        value, flow.cut = shift_out(flow, levels, top=unit if unit == 1 << levels else None)
    else:
        value = shift_down(flow, frame.down_levels)
    flow.small = value ^ flow.subtract.replicate(width)
    # How far up the sum may be shifted before its exponent is that of subnormal numbers.
    flow.room = flow.exponent + (frame.headroom - 1)
    flow.step()


def _normalise(flow: Flow, frame: Frame, *, flush: bool) -> None:
    """Shift the sum up until its top bit is set, or its exponent is the smallest.

    A negative sum ``-(~total + 1)`` is kept as ``~total`` with ones behind the last bit without
    end, which is as much.
    """
    negative = flow.total[-1]
    flow.is_nothing = ~flow.total.any() & ~flow.cut if frame.random_bits else ~flow.total.any()
    flow.sum_sign = flow.large_sign ^ negative
    flow.ones = negative
    room = flow.room
    free: Value = Const(1) if flush else room[frame.levels :].any()
    value = flow.total[frame.tail : frame.width] ^ negative.replicate(frame.width - frame.tail)
    if frame.tail:
        flow.tail = flow.total[: frame.tail]
    shifts: list[Value] = []
    for level in reversed(range(frame.levels)):
        by = 1 << level
        if level == 1 and frame.tail:
            value = Cat(flow.tail ^ flow.ones.replicate(frame.tail), value)
        empty = ~value[-by:].any()
        # Digit by digit: where a shift was not needed, what is left is less than may be.
        shift = empty & (free | room[level])
        free = free | (room[level] & ~empty)
        value = Mux(shift, Cat(flow.ones.replicate(by), value[:-by]), value)[: len(value)]
        shifts.append(shift)
        if level != 2:
            flow.magnitude, flow.free = value, free
            flow.shift = Cat(reversed(shifts))
            flow.step()
            value, free, room = flow.magnitude, flow.free, flow.room
            shifts = list(reversed([flow.shift[k] for k in range(len(shifts))]))
