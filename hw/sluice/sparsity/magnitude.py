"""Absolute values, in an order that is that of unsigned integers."""

from amaranth import Mux, Value

from sluice.formats import Float, Format

__all__ = ["magnitude", "magnitude_bits"]


def magnitude_bits(number: Format) -> int:
    """Return the bits of a magnitude: of a float all but its sign, of an integer as many."""
    return number.width - isinstance(number, Float)


def magnitude(number: Format, word: Value) -> Value:
    """Return a float without its sign, or the absolute value of an integer."""
    if isinstance(number, Float):
        return word[:-1]
    if not word.shape().signed:
        return word
    return Mux(word[-1], -word, word)[: number.width]
