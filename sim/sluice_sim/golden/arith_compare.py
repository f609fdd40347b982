"""Golden models of comparison, maximum and minimum on bit patterns. The rules are in `arith`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.formats import FixedFormat, FloatFormat, check_codes, find_format
from sluice_sim.golden.rounding import unpack

__all__ = ["Order", "compare", "maximum", "minimum"]


class Order(NamedTuple):
    """What :func:`compare` found; exactly one is true of each element."""

    less: NDArray[np.bool_]
    equal: NDArray[np.bool_]
    greater: NDArray[np.bool_]
    unordered: NDArray[np.bool_]


def compare(a: ArrayLike, b: ArrayLike, *, source: str, flush: bool = False) -> Order:
    """Compare values of any format of `formats`: -0 equals +0, and a NaN is unordered.

    Parameters
    ----------
    a, b : array of integers, broadcast against each other
        Bit patterns of format ``source``.
    source : str
        Name of a format, fixed point too.
    flush : bool
        Whether subnormal values count as zeros.

    Raises
    ------
    TypeError
        If patterns are not integers.
    ValueError
        If there is no such format, or a pattern is too wide for it.
    """
    fmt = find_format(source)
    x, y = (_ordinal(bits, fmt, flush) for bits in np.broadcast_arrays(a, b))
    unordered = x.is_nan | y.is_nan
    less, equal, greater = x.key < y.key, x.key == y.key, x.key > y.key
    return Order(less & ~unordered, equal & ~unordered, greater & ~unordered, unordered)


def maximum(
    a: ArrayLike, b: ArrayLike, *, source: str, number: bool = False, flush: bool = False
) -> NDArray[np.uint64]:
    """Return the larger operand, where -0 is less than +0.

    This is maximum of IEEE 754-2019, in which NaN wins; with ``number`` it is maximumNumber, in
    which NaN loses against everything else. Parameters and errors are those of :func:`compare`; a
    subnormal winner is given as zero with ``flush``.
    """
    return _extreme(a, b, source, number, flush, largest=True)


def minimum(
    a: ArrayLike, b: ArrayLike, *, source: str, number: bool = False, flush: bool = False
) -> NDArray[np.uint64]:
    """Return the smaller operand, minimum or minimumNumber; otherwise as :func:`maximum`."""
    return _extreme(a, b, source, number, flush, largest=False)


class _Ordinal(NamedTuple):
    """Operands of a comparison: ``key`` is monotonic in the value, and 0 for both zeros."""

    bits: NDArray[np.uint64]
    key: NDArray[np.int64]
    negative: NDArray[np.bool_]
    is_nan: NDArray[np.bool_]


def _ordinal(bits: ArrayLike, fmt: FloatFormat | FixedFormat, flush: bool) -> _Ordinal:
    code = check_codes(bits, fmt)
    parts = unpack(code, fmt)
    sign = code & 1 << fmt.width - 1
    if isinstance(fmt, FixedFormat):
        key = code - 2 * sign
    else:
        magnitude = code - sign
        if flush:
            magnitude = np.where(magnitude < 1 << fmt.mantissa_bits, 0, magnitude)
            code = magnitude + sign
        key = np.where(sign > 0, -magnitude, magnitude)
    return _Ordinal(code.astype(np.uint64), key, parts.negative, parts.is_nan)


def _extreme(
    a: ArrayLike, b: ArrayLike, source: str, number: bool, flush: bool, *, largest: bool
) -> NDArray[np.uint64]:
    fmt = find_format(source)
    x, y = (_ordinal(bits, fmt, flush) for bits in np.broadcast_arrays(a, b))
    x_first = (x.key < y.key) | ((x.key == y.key) & x.negative)
    result = np.where(x_first ^ largest, x.bits, y.bits)
    if isinstance(fmt, FixedFormat):
        return result
    if number:
        result = np.where(x.is_nan, y.bits, np.where(y.is_nan, x.bits, result))
        is_nan = x.is_nan & y.is_nan
    else:
        is_nan = x.is_nan | y.is_nan
    return np.where(is_nan, np.uint64(fmt.nan_code), result)
