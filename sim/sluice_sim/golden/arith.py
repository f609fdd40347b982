"""Golden models of floating-point arithmetic on bit patterns: IEEE 754, and OCP for eight bits.

All functions here and in `arith_compare`, `arith_convert` and `arith_exact` share these rules.

- Operands are integer arrays of bit patterns and are broadcast against one another. Results are
  uint64 arrays of bit patterns, rounded once from the exact result, to nearest, ties to even.
- Every NaN result is the target's canonical quiet NaN with the sign clear: exponent all ones and
  only the top fraction bit set; 0x7F for E4M3. Sign and payload of a NaN operand are ignored.
- Where IEEE 754 signals invalid (``inf - inf``, ``0 * inf``, ``0 / 0``, ``inf / inf``, roots of
  what is below zero), the result is NaN. Subtraction of equal values gives +0, and -0 + -0 is -0.
- E4M3 has no infinity: overflow and infinite results are NaN. With ``saturate`` they are, in every
  format, the largest finite value with their sign; NaN stays NaN.
- With ``flush``, subnormal operands count as zeros of their sign, so that ``0 * inf`` is met with
  a subnormal too. A result is rounded as if the exponent had no lower end; if it is then below the
  smallest normal value it becomes zero of its sign. What rounds up to that value therefore stays.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.formats import FixedFormat, FloatFormat, check_codes, find_format
from sluice_sim.golden.rounding import Parts, round_parts, unpack

__all__ = [
    "add",
    "divide",
    "multiply",
    "multiply_add",
    "reciprocal_square_root",
    "square_root",
]

# Operands of an addition are aligned with their leading one here: the sum cannot leave 64 bits.
TOP = 60
# The adder's sums have at most TOP + 2 bits; `Parts` has 53.
SURPLUS = TOP + 2 - 53
# Most random bits of a result; `round_parts` drops 63 bits at most, so that of a significand as
# long as the rest, r never meets one that stands too low for it.
MAX_RANDOM_BITS = 16
MAX_DROP = 63 - MAX_RANDOM_BITS
# Widest significand of a source, fp32.
PRECISION = 24


def multiply(
    a: ArrayLike,
    b: ArrayLike,
    *,
    source: str,
    target: str | None = None,
    flush: bool = False,
    saturate: bool = False,
) -> NDArray[np.uint64]:
    """Return ``a * b``.

    Parameters
    ----------
    a, b : array of integers, broadcast against each other
        Bit patterns of format ``source``.
    source, target : str
        Floating-point formats; the target is the source unless given.
    flush, saturate : bool
        See the module.

    Raises
    ------
    TypeError
        If patterns are not integers.
    ValueError
        If a pattern is too wide for its format, or a format is not floating point.
    """
    src, dst = float_format(source), float_format(target or source)
    x, y = operands(src, a, b, flush=flush)
    return finish(product(x, y), dst, flush=flush, saturate=saturate)


def add(
    a: ArrayLike,
    b: ArrayLike,
    *,
    source: str,
    target: str | None = None,
    subtract: bool = False,
    flush: bool = False,
    saturate: bool = False,
) -> NDArray[np.uint64]:
    """Return ``a + b``, or ``a - b`` with ``subtract``; otherwise as :func:`multiply`."""
    src, dst = float_format(source), float_format(target or source)
    x, y = operands(src, a, b, flush=flush)
    if subtract:
        y = y._replace(negative=~y.negative)
    return finish(_sum(x, y), dst, flush=flush, saturate=saturate)


def multiply_add(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    *,
    source: str,
    addend: str,
    target: str | None = None,
    flush: bool = False,
    saturate: bool = False,
    random: ArrayLike | None = None,
    random_bits: int = 8,
) -> NDArray[np.uint64]:
    """Return ``a * b + c``, fused: the product is not rounded.

    Parameters
    ----------
    a, b : array of integers, broadcast against each other and ``c``
        Bit patterns of format ``source``.
    c : array of integers
        Bit patterns of format ``addend``.
    source, addend, target : str
        Floating-point formats; the target is the addend's unless given.
    flush, saturate : bool
        See the module. The product is no result: it is never flushed.
    random : array of integers, broadcast to the result
        With these the exact result is rounded stochastically, as the mode ``generator`` of
        :func:`sluice_sim.golden.rounding.round_bits` does, and not to nearest even.
    random_bits : int, 1..16
        Bits of ``random`` that count.

    Raises
    ------
    TypeError, ValueError
        As :func:`multiply`; also if ``random`` does not have ``random_bits`` bits.
    """
    src, other, dst = float_format(source), float_format(addend), float_format(target or addend)
    x, y = operands(src, a, b, flush=flush)
    (z,) = operands(other, c, flush=flush)
    exact = _sum(product(x, y), z)
    return finish(
        exact, dst, flush=flush, saturate=saturate, random=random, random_bits=random_bits
    )


def divide(
    a: ArrayLike,
    b: ArrayLike,
    *,
    source: str,
    target: str | None = None,
    flush: bool = False,
    saturate: bool = False,
) -> NDArray[np.uint64]:
    """Return ``a / b``; finite over zero is infinity, otherwise as :func:`multiply`."""
    src, dst = float_format(source), float_format(target or source)
    x, y = operands(src, a, b, flush=flush)
    over, under = _normalise(x, PRECISION - 1), _normalise(y, PRECISION - 1)
    zero_x, zero_y = x.significand == 0, y.significand == 0
    # 28 bits or more of quotient: room below the 25th for what the remainder says.
    extra = PRECISION + 4
    dividend = over.significand << np.uint64(extra)
    quotient, rest = np.divmod(dividend, np.where(zero_y, np.uint64(1), under.significand))
    quotient |= rest > 0
    result = Parts(
        x.negative ^ y.negative,
        np.where(zero_x | y.is_inf, np.uint64(0), quotient),
        over.exponent - under.exponent - extra,
        x.is_inf | zero_y,
        x.is_nan | y.is_nan | (x.is_inf & y.is_inf) | (zero_x & zero_y),
    )
    return finish(result, dst, flush=flush, saturate=saturate)


def square_root(
    a: ArrayLike,
    *,
    source: str,
    target: str | None = None,
    flush: bool = False,
    saturate: bool = False,
) -> NDArray[np.uint64]:
    """Return ``sqrt(a)``; that of -0 is -0, of less NaN. Otherwise as :func:`multiply`."""
    src, dst = float_format(source), float_format(target or source)
    (x,) = operands(src, a, flush=flush)
    radicand, half = _even(x)
    # Exact in float64, for only the upper 25 bits are set. That the root of float64 is never
    # rounded up to an integer is tried for all 2**24 radicands by a test, here and below.
    shifted = radicand << np.uint64(30)
    root = np.floor(np.sqrt(shifted.astype(np.float64))).astype(np.uint64)
    result = Parts(
        x.negative,
        root | (root * root < shifted),
        half - 15,
        x.is_inf,
        x.is_nan | (x.negative & ((x.significand > 0) | x.is_inf)),
    )
    return finish(result, dst, flush=flush, saturate=saturate)


def reciprocal_square_root(
    a: ArrayLike,
    *,
    source: str,
    target: str | None = None,
    flush: bool = False,
    saturate: bool = False,
) -> NDArray[np.uint64]:
    """Return ``1 / sqrt(a)``, correctly rounded.

    As rSqrt of IEEE 754: that of a zero is infinity with its sign, of infinity +0, of what is below
    zero NaN. Otherwise as :func:`multiply`.
    """
    src, dst = float_format(source), float_format(target or source)
    (x,) = operands(src, a, flush=flush)
    zero = x.significand == 0
    radicand, half = _even(x)
    radicand = np.where(zero | x.is_inf, np.uint64(1) << np.uint64(PRECISION - 1), radicand)
    # The largest root with root**2 * radicand <= 2**78: 27 or 28 bits of it.
    root = np.floor(2.0**39 / np.sqrt(radicand.astype(np.float64))).astype(np.uint64)
    result = Parts(
        x.negative,
        np.where(x.is_inf, np.uint64(0), root | (_square_times(root, radicand) < 0)),
        -half - 39,
        zero,
        x.is_nan | (x.negative & ~zero),
    )
    return finish(result, dst, flush=flush, saturate=saturate)


# --------------------------------------------------------------- shared with the other files


def float_format(name: str) -> FloatFormat:
    """Return the floating-point format called ``name``."""
    fmt = find_format(name)
    if not isinstance(fmt, FloatFormat):
        raise ValueError(f"arithmetic needs a floating-point format, not {name}")
    return fmt


def operands(fmt: FloatFormat | FixedFormat, *bits: ArrayLike, flush: bool = False) -> list[Parts]:
    """Check bit patterns, give them one shape and take them apart."""
    parts = [unpack(check_codes(one, fmt), fmt) for one in np.broadcast_arrays(*bits)]
    if flush and isinstance(fmt, FloatFormat):
        hidden = np.uint64(1 << fmt.mantissa_bits)
        parts = [
            p._replace(significand=np.where(p.significand < hidden, np.uint64(0), p.significand))
            for p in parts
        ]
    return parts


def product(x: Parts, y: Parts) -> Parts:
    """Return the exact product; at most 48 bits, for the significands have at most 24."""
    zero = (x.significand == 0) | (y.significand == 0)
    is_inf = x.is_inf | y.is_inf
    return Parts(
        x.negative ^ y.negative,
        x.significand * y.significand,
        x.exponent + y.exponent,
        is_inf,
        x.is_nan | y.is_nan | (is_inf & zero),
    )


def jam(significand: NDArray[np.uint64], shift: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Shift right by 0..63; the lowest bit of the result is set if any bit that falls off is.

    Rounding to nearest gives the same for the result and the original as long as what is kept has
    two bits more than the target.
    """
    kept = significand >> shift
    return kept | (kept << shift != significand)


def finish(
    parts: Parts,
    dst: FloatFormat,
    *,
    flush: bool = False,
    saturate: bool = False,
    random: ArrayLike | None = None,
    random_bits: int = 8,
) -> NDArray[np.uint64]:
    """Round to bit patterns of ``dst``, with one pattern for NaN."""
    mode, r = "nearest_even", None
    if random is not None:
        mode, r = "generator", _random_words(random, random_bits, parts.negative.shape)
        # What is further below the fraction than r reaches must not come back within its reach.
        length = np.frexp(parts.significand.astype(np.float64))[1].astype(np.int64)
        shift = np.maximum(length - MAX_DROP, 0)
        parts = parts._replace(
            significand=jam(parts.significand, shift.astype(np.uint64)),
            exponent=parts.exponent + shift,
        )
    bits = round_parts(
        parts, dst, mode=mode, flush=flush, saturate=saturate, random_bits=random_bits, random=r
    )
    magnitude = bits & np.uint64((1 << dst.width - 1) - 1)
    is_nan = magnitude > dst.max_code + int(dst.has_inf)
    return np.where(is_nan, np.uint64(dst.nan_code), bits)


# --------------------------------------------------------------------------------- steps


def _random_words(
    random: ArrayLike, random_bits: int, shape: tuple[int, ...]
) -> NDArray[np.uint64]:
    """Check the random bits of each result."""
    if not 1 <= random_bits <= MAX_RANDOM_BITS:
        raise ValueError(f"random_bits must be in 1..{MAX_RANDOM_BITS}, not {random_bits}")
    r = np.asarray(random)
    if r.dtype.kind not in "iu":
        raise TypeError(f"random must be integers, not {r.dtype}")
    if r.size and (int(r.min()) < 0 or int(r.max()) >> random_bits):
        raise ValueError(f"random must be in 0..2**{random_bits}-1")
    return np.broadcast_to(r, shape).astype(np.uint64)


def _normalise(x: Parts, top: int) -> Parts:
    """Shift left until the leading one is bit ``top``; zeros get an exponent below all others."""
    length = np.frexp(x.significand.astype(np.float64))[1].astype(np.int64)
    zero = length == 0
    shift = np.where(zero, 0, top + 1 - length)
    exponent = np.where(zero, -(1 << 20), x.exponent - shift)
    return x._replace(significand=x.significand << shift.astype(np.uint64), exponent=exponent)


def _sum(x: Parts, y: Parts) -> Parts:
    """Return a sum that rounds as the exact one does, of significands of 48 bits at most."""
    p, q = _normalise(x, TOP), _normalise(y, TOP)
    swap = (q.exponent > p.exponent) | (
        (q.exponent == p.exponent) & (q.significand > p.significand)
    )
    negative = np.where(swap, q.negative, p.negative)
    exponent = np.where(swap, q.exponent, p.exponent)
    large = np.where(swap, q.significand, p.significand)
    small = np.where(swap, p.significand, q.significand)
    # The operands have no bits in the lowest places: only a distance after which the sum keeps its
    # leading bits lets any fall off.
    distance = np.minimum(np.abs(p.exponent - q.exponent), 63).astype(np.uint64)
    small = jam(small, distance)
    total = np.where(x.negative == y.negative, large + small, large - small)
    is_inf = x.is_inf | y.is_inf
    negative = np.where(total == 0, x.negative & y.negative, negative)
    return Parts(
        np.where(is_inf, np.where(x.is_inf, x.negative, y.negative), negative),
        jam(total, np.full(total.shape, SURPLUS, np.uint64)),
        exponent + SURPLUS,
        is_inf,
        x.is_nan | y.is_nan | (x.is_inf & y.is_inf & (x.negative != y.negative)),
    )


def _even(x: Parts) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return ``radicand, half`` with ``radicand * 4**half`` the magnitude: 24 or 25 bits."""
    p = _normalise(x, PRECISION - 1)
    odd = p.exponent & 1
    return p.significand << odd.astype(np.uint64), p.exponent >> 1


def _square_times(root: NDArray[np.uint64], radicand: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the sign of ``root**2 * radicand - 2**78``; 28 and 25 bits, so in two words."""
    low_bits = np.uint64(27)
    mask = np.uint64((1 << 27) - 1)
    square = root * root
    low = (square & mask) * radicand
    high = (square >> low_bits) * radicand + (low >> low_bits)
    one = np.uint64(1 << 78 - 27)
    above = (high > one) | ((high == one) & (low & mask > 0))
    return above.astype(np.int64) - (high < one)
