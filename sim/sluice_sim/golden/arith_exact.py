"""Golden models of exact accumulation: many products, at most one rounding.

The rules are in `arith`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import finish, float_format, jam, operands, product
from sluice_sim.golden.formats import FixedFormat, FloatFormat, check_codes, find_format
from sluice_sim.golden.rounding import Parts

__all__ = ["Kulisch", "dot", "dot_integer", "kulisch_add", "kulisch_round"]

LIMB = 32
MASK = np.int64((1 << LIMB) - 1)
# Rows summed at once: their limbs should stay in the cache.
CHUNK = 1 << 13


def dot(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    *,
    source: str,
    addend: str,
    other: str | None = None,
    target: str | None = None,
    flush: bool = False,
    saturate: bool = False,
) -> NDArray[np.uint64]:
    """Return the sum over the last axis of ``a * b``, plus ``c``, rounded once.

    Parameters
    ----------
    a, b : array of integers, shape ``(..., terms)``, broadcast against each other
        Bit patterns of format ``source``; at most ``2**28`` terms.
    c : array of integers, shape ``(...)``
        Bit patterns of format ``addend``.
    source, other, addend, target : str
        Floating-point formats; that of ``b`` is the source unless ``other`` is given, and the
        target is the addend's.
    flush, saturate : bool
        See `arith`. Neither the products nor any partial sum is flushed or saturated.

    Notes
    -----
    Infinities of both signs among products and ``c`` give NaN, wherever they stand. A sum of zeros
    is -0 only if all products and ``c`` are -0; no terms give ``c``.

    Raises
    ------
    TypeError
        If patterns are not integers.
    ValueError
        If a pattern is too wide for its format, a format is not floating point, or there is no
        axis of terms.
    """
    src, partner = float_format(source), float_format(other or source)
    third, dst = float_format(addend), float_format(target or addend)
    a, b = np.broadcast_arrays(a, b)
    if not a.ndim:
        raise ValueError("a and b need an axis of terms")
    shape = np.broadcast_shapes(a.shape[:-1], np.shape(c))
    terms = a.shape[-1]
    a, b = (np.broadcast_to(x, (*shape, terms)) for x in (a, b))
    c = np.broadcast_to(c, shape).reshape(-1)
    a, b = (x.reshape(c.size, terms) for x in (a, b))
    result = np.empty(c.size, np.uint64)
    for start in range(0, c.size, CHUNK):
        rows = slice(start, start + CHUNK)
        # Terms first: a row of limbs then meets contiguous operands.
        (x,) = operands(src, a[rows].T, flush=flush)
        (y,) = operands(partner, b[rows].T, flush=flush)
        (z,) = operands(third, c[rows], flush=flush)
        lsb = min(_lsb(src) + _lsb(partner), _lsb(third))
        exact = _exact_sum(product(x, y), z, lsb=lsb)
        result[rows] = finish(exact, dst, flush=flush, saturate=saturate)
    return result.reshape(shape)


def dot_integer(
    a: ArrayLike, b: ArrayLike, c: ArrayLike, *, source: str, target: str = "int32"
) -> NDArray[np.uint64]:
    """Return the sum over the last axis of ``a * b``, plus ``c``, modulo ``2**width``.

    Parameters
    ----------
    a, b : array of integers, shape ``(..., terms)``, broadcast against each other
        Bit patterns of format ``source``; at most ``2**20`` terms.
    c : array of integers, shape ``(...)``
        Bit patterns of format ``target``.
    source, target : str
        Formats of signed integers, of at most 16 and 32 bits.

    Raises
    ------
    TypeError
        If patterns are not integers.
    ValueError
        If a pattern is too wide for its format, or a format is floating point.
    """
    factor, result = find_format(source), find_format(target)
    if not isinstance(factor, FixedFormat) or not isinstance(result, FixedFormat):
        raise ValueError(f"dot_integer needs integers, not {source} and {target}")

    def signed(bits: ArrayLike, number: FixedFormat) -> NDArray[np.int64]:
        spare = 64 - number.width
        return check_codes(bits, number) << spare >> spare

    total = np.sum(signed(a, factor) * signed(b, factor), axis=-1) + signed(c, result)
    return (total & (1 << result.width) - 1).astype(np.uint64)


@dataclass(frozen=True)
class Kulisch:
    """Layout of a fixed-point accumulator that holds every sum of products exactly.

    The method is that of Kulisch, "Computer Arithmetic and Validity" (2008): the accumulator spans
    all weights of all products, so that nothing is ever aligned away or rounded.

    Parameters
    ----------
    source : str
        Floating-point format of the factors.
    terms : int, at least 1
        Number of products that must fit, whatever their values.

    Attributes
    ----------
    lsb : int
        The weight of the lowest bit is ``2**lsb``: the product of two smallest subnormals.
    width : int
        Bits of two's complement. E4M3 needs 37 for one product, E5M2 65.

    Raises
    ------
    ValueError
        If the format is not floating point or ``terms`` is below 1.
    """

    source: str
    terms: int = 1

    def __post_init__(self) -> None:
        float_format(self.source)
        if self.terms < 1:
            raise ValueError(f"terms must be at least 1, not {self.terms}")

    @property
    def lsb(self) -> int:
        """Exponent of the weight of the lowest bit."""
        return 2 * _lsb(float_format(self.source))

    @property
    def width(self) -> int:
        """Bits of two's complement that ``terms`` products of the largest magnitude need."""
        fmt = float_format(self.source)
        (largest,) = operands(fmt, [fmt.max_code])
        factor = int(largest.significand[0]) << int(largest.exponent[0]) - _lsb(fmt)
        return (self.terms * factor**2).bit_length() + 1


def kulisch_add(acc: ArrayLike, a: ArrayLike, b: ArrayLike, *, source: str) -> NDArray:
    """Return ``acc + a * b`` in units of ``2**Kulisch(source).lsb``, elementwise.

    Parameters
    ----------
    acc : array of int64, or of objects that are Python integers
        Sums so far; the result has the same type. Broadcast against ``a`` and ``b``.
    a, b : array of integers
        Bit patterns of format ``source``, finite: a fixed-point number has no place for infinity
        and NaN, which hardware notes in flags beside it.
    source : str
        Floating-point format.

    Raises
    ------
    TypeError
        If patterns are not integers, or ``acc`` is neither type.
    ValueError
        If a pattern is too wide or not finite, or the format is not floating point.
    OverflowError
        If ``acc`` is int64 and a magnitude reaches ``2**62`` in a product or a sum leaves it.
    """
    acc = _accumulator(acc)
    fmt = float_format(source)
    x, y = operands(fmt, a, b)
    p = product(x, y)
    if np.any(p.is_inf | p.is_nan):
        raise ValueError("an exact accumulator holds neither infinity nor NaN")
    shift = p.exponent - 2 * _lsb(fmt)
    if acc.dtype == object:
        magnitude = p.significand.astype(object) << shift.astype(object)
        return np.asarray(acc + np.where(p.negative, -magnitude, magnitude), object)
    length = np.frexp(p.significand.astype(np.float64))[1]
    fits = length + shift < 63
    magnitude = np.where(fits, p.significand << np.where(fits, shift, 0).astype(np.uint64), 0)
    term = np.where(p.negative, -1, 1) * magnitude.astype(np.int64)
    total = acc + term
    if np.any(~fits | ((acc ^ total) & (term ^ total) < 0)):
        raise OverflowError(f"int64 does not hold the sum of products of {source}: use objects")
    return total


def kulisch_round(
    acc: ArrayLike, *, source: str, target: str, flush: bool = False, saturate: bool = False
) -> NDArray[np.uint64]:
    """Round sums of :func:`kulisch_add` to bit patterns of ``target``; zero is +0.

    Parameters
    ----------
    acc : array of int64, or of objects that are Python integers
        Sums in units of ``2**Kulisch(source).lsb``.
    source, target : str
        Floating-point formats of the factors and of the result.
    flush, saturate : bool
        See `arith`.

    Raises
    ------
    TypeError
        If ``acc`` is neither type.
    ValueError
        If a format is not floating point.
    """
    acc = _accumulator(acc)
    lsb, dst = Kulisch(source).lsb, float_format(target)
    flat = acc.reshape(-1)
    longest = max((int(x).bit_length() for x in flat), default=0) if acc.dtype == object else 63
    count = longest // LIMB + 2
    words = [flat >> LIMB * i & int(MASK) for i in range(count - 1)]
    limbs = np.stack([*words, flat >> LIMB * (count - 1)]).astype(np.int64)
    never = np.zeros(flat.shape, bool)
    exact = Parts(*_from_limbs(limbs, lsb), never, never)
    return finish(exact, dst, flush=flush, saturate=saturate).reshape(acc.shape)


def _accumulator(acc: ArrayLike) -> NDArray:
    acc = np.asarray(acc)
    if acc.dtype not in (np.dtype(np.int64), np.dtype(object)):
        raise TypeError(f"an accumulator is of int64 or of objects, not {acc.dtype}")
    return acc


def _lsb(fmt: FloatFormat) -> int:
    """Return the exponent of the smallest subnormal."""
    return 1 - fmt.bias - fmt.mantissa_bits


def _exact_sum(p: Parts, z: Parts, *, lsb: int) -> Parts:
    """Return the sum of ``p``, shape ``(terms, rows)``, over its terms and of ``z``, ``(rows,)``.

    A sum is held in limbs of 32 bits, each in an int64: carries collect in the upper half, and one
    pass at the end moves them on.
    """
    terms, rows = p.negative.shape
    highest = max(int(x.exponent.max(initial=lsb)) for x in (p, z)) - lsb + 53
    limbs = np.zeros(((highest + terms.bit_length()) // LIMB + 2, rows), np.int64)
    for term in range(terms):
        _deposit(limbs, Parts(*(field[term] for field in p)), lsb)
    _deposit(limbs, z, lsb)
    negative, significand, exponent = _from_limbs(limbs, lsb)

    up = np.any(p.is_inf & ~p.negative, axis=0) | (z.is_inf & ~z.negative)
    down = np.any(p.is_inf & p.negative, axis=0) | (z.is_inf & z.negative)
    negative = np.where(significand == 0, np.all(p.negative, axis=0) & z.negative, negative)
    return Parts(
        np.where(up | down, down, negative),
        significand,
        exponent,
        up | down,
        np.any(p.is_nan, axis=0) | z.is_nan | (up & down),
    )


def _deposit(limbs: NDArray[np.int64], x: Parts, lsb: int) -> None:
    """Add ``x``, shape ``(rows,)``, to ``limbs``, shape ``(limbs, rows)``, in place."""
    rows = x.negative.size
    flat = limbs.reshape(-1)
    offset = x.exponent - lsb
    place = (offset // LIMB) * rows + np.arange(rows)
    within = (offset % LIMB).astype(np.uint64)
    sign = np.where(x.negative, -1, 1)
    mask, limb = np.uint64(MASK), np.uint64(LIMB)
    pieces = [x.significand & mask, x.significand >> limb]
    for step, piece in enumerate(pieces if pieces[1].any() else pieces[:1]):
        shifted = piece << within
        # No element meets another: each has a row of its own.
        flat[place + step * rows] += sign * (shifted & mask).astype(np.int64)
        flat[place + (step + 1) * rows] += sign * (shifted >> limb).astype(np.int64)


def _from_limbs(
    limbs: NDArray[np.int64], lsb: int
) -> tuple[NDArray[np.bool_], NDArray[np.uint64], NDArray[np.int64]]:
    """Return sign, significand and exponent of a number that rounds as the one in the limbs.

    ``limbs`` has the shape ``(limbs, rows)``, least first, and is overwritten.
    """
    _carry(limbs)
    negative = limbs[-1] < 0
    limbs *= np.where(negative, -1, 1)
    _carry(limbs)
    used = limbs != 0
    top = np.maximum(len(limbs) - 1 - np.argmax(used[::-1], axis=0), 1)
    rows = np.arange(limbs.shape[1])
    head, tail = (limbs[top - i, rows].astype(np.uint64) for i in (0, 1))
    below = used.any(axis=0) & (np.argmax(used, axis=0) < top - 1)
    # 33 bits at least unless the number is exact, and 53 at most.
    shift = np.where(head >> np.uint64(21) > 0, 11, 0)
    significand = jam(head << np.uint64(LIMB) | tail, shift.astype(np.uint64)) | below
    return negative, significand, lsb + LIMB * (top - 1) + shift


def _carry(limbs: NDArray[np.int64]) -> None:
    for i in range(len(limbs) - 1):
        limbs[i + 1] += limbs[i] >> LIMB
        limbs[i] &= MASK
