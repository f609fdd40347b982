"""What arithmetic needs of a floating-point word."""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Const, Mux, Value

from sluice.formats import FORMATS, Float

__all__ = ["FLOATS", "Unpacked", "find_floats", "leading_zeros", "unpack"]

FLOATS = tuple(name for name, f in FORMATS.items() if isinstance(f, Float))


def find_floats(source: str, target: str) -> tuple[Float, Float]:
    """Return two floating-point formats.

    Raises
    ------
    ValueError
        If the exponent of the target has fewer bits than the source's.
    """
    a, b = FORMATS[source], FORMATS[target]
    assert isinstance(a, Float)
    assert isinstance(b, Float)
    if b.exponent_bits < a.exponent_bits:
        raise ValueError(f"target must have at least the exponent of {source}, not {target}")
    return a, b


@dataclass(frozen=True)
class Unpacked:
    """The parts of a word; a number is ``significand * 2**(exponent - bias - fraction_bits)``.

    Attributes
    ----------
    exponent : Value
        Biased, and 1 of subnormals, as of the smallest normal numbers.
    significand : Value
        With the leading one, which subnormals and zero lack.
    is_subnormal : Value
        The exponent field is zero, which it is of zero, too.
    """

    sign: Value
    exponent: Value
    significand: Value
    is_subnormal: Value
    is_zero: Value
    is_infinity: Value
    is_nan: Value


def unpack(word: Any, number: Float, *, flush: bool) -> Unpacked:
    """Return the parts of ``word``; with ``flush`` a subnormal is zero."""
    bits = Value.cast(word)
    fraction = bits[: number.fraction_bits]
    exponent = bits[number.fraction_bits : -1]
    subnormal = ~exponent.any()
    if flush:
        fraction = Mux(subnormal, 0, fraction)[: number.fraction_bits]
    empty = ~fraction.any()
    if number.has_infinity:
        infinity, nan = exponent.all() & empty, exponent.all() & ~empty
    else:
        infinity, nan = Const(0), exponent.all() & fraction.all()
    return Unpacked(
        sign=bits[-1],
        exponent=Cat(exponent[0] | subnormal, exponent[1:]),
        significand=Cat(fraction, ~subnormal),
        is_subnormal=subnormal,
        is_zero=subnormal if flush else subnormal & empty,
        is_infinity=infinity,
        is_nan=nan,
    )


def leading_zeros(value: Value) -> Value:
    """Return how many of the top bits of ``value`` are zero; all of them count as one less."""
    count: Value = Const(len(value) - 1, range(len(value)))
    for k, bit in enumerate(value[1:], 1):
        count = Mux(bit, len(value) - 1 - k, count)
    return count
