"""Golden model of the rounding unit; the generators of its random bits are in `random`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.formats import FixedFormat, FloatFormat, check_codes, find_format

__all__ = ["MAX_RANDOM_BITS", "MODES", "round_bits"]

MODES = ("nearest_even", "towards_zero", "own_bits", "generator")

# The widest field of a source word is the magnitude of 32-bit fixed point.
MAX_RANDOM_BITS = 32


class Parts(NamedTuple):
    """Values taken apart: ``significand * 2**exponent`` unless infinite or NaN, all of one shape.

    Attributes
    ----------
    negative : array of bool
        Sign, of zeros too.
    significand : array of uint64, 0..2**53-1
        Not normalised: leading zeros may stand for a subnormal or nothing.
    exponent : array of int64
        Weight of the lowest bit of the significand.
    is_inf, is_nan : array of bool
        Where either holds, significand and exponent say nothing.
    """

    negative: NDArray[np.bool_]
    significand: NDArray[np.uint64]
    exponent: NDArray[np.int64]
    is_inf: NDArray[np.bool_]
    is_nan: NDArray[np.bool_]


def round_bits(
    bits: ArrayLike,
    *,
    source: str,
    target: str,
    mode: str,
    random_bits: int = 8,
    position: int = 0,
    saturate: bool = False,
    random: ArrayLike | None = None,
) -> NDArray[np.uint64]:
    """Round bit patterns of format ``source`` to bit patterns of format ``target``.

    The magnitude ``|x|`` is cut at the quantum ``q`` of the target, the spacing of the target's
    values at ``x``: ``|x| = (kept + delta) * q`` with ``0 <= delta < 1``. The result is
    ``(kept + up) * q`` with the sign of ``x``, and ``up`` is

    - ``towards_zero``: 0,
    - ``nearest_even``: ``delta > 1/2``, or ``delta == 1/2`` and ``kept`` odd,
    - ``own_bits`` and ``generator``: ``floor(delta * 2**R) + r >= 2**R`` for an R-bit ``r``.

    Parameters
    ----------
    bits : array of integers, any shape
        Bit patterns in the low bits of each element.
    source, target : str
        Names of formats, see :func:`sluice_sim.golden.formats.find_format`.
    mode : {"nearest_even", "towards_zero", "own_bits", "generator"}
        How to round.
    random_bits : int, 1..32
        R, the width of ``r``, for the two stochastic modes.
    position : int, 0..31
        ``own_bits`` only: ``r`` is bits ``position`` to ``position + random_bits - 1`` of the
        mantissa field of the source word, or of the 32-bit magnitude of a fixed-point source.
        Bits above the mantissa field are zero, never those of the exponent.
    saturate : bool
        Whether overflow and infinities become the largest finite value of the target.
    random : array of integers, broadcast to ``bits``
        ``generator`` only: ``r`` of each element.

    Returns
    -------
    array of uint64
        Bit patterns of the target, in the shape of ``bits``.

    Notes
    -----
    Overflow of a floating-point target gives infinity, or NaN where the format has no infinity;
    the largest finite value with ``saturate``, or in mode ``towards_zero`` if the source is finite.
    A NaN gives the target's canonical quiet NaN with the sign of the source. Zeros, and results
    that round to zero, keep their sign. Integer and fixed-point targets always saturate, to the
    ends of two's complement; for them NaN gives 0.

    Raises
    ------
    TypeError
        If ``bits`` or ``random`` are not integers.
    ValueError
        If a pattern is too wide for its format, or a parameter is out of range.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    src, dst = find_format(source), find_format(target)
    code = check_codes(bits, src)
    r = None
    if mode in ("own_bits", "generator"):
        r = _rounding_value(code, src, mode, random_bits, position, random)
    return round_parts(
        unpack(code, src), dst, mode=mode, saturate=saturate, random_bits=random_bits, random=r
    )


def round_parts(
    parts: Parts,
    dst: FloatFormat | FixedFormat,
    *,
    mode: str = "nearest_even",
    saturate: bool = False,
    flush: bool = False,
    random_bits: int = 0,
    random: NDArray[np.uint64] | None = None,
) -> NDArray[np.uint64]:
    """Round values to bit patterns of ``dst``, as :func:`round_bits` says.

    Parameters
    ----------
    parts : Parts
        The values. Where the lowest bit of a significand is above that of a fixed-point target,
        the significand must be below ``2**32``; in the stochastic modes it is that of a source.
    dst : FloatFormat or FixedFormat
        The target.
    mode, saturate
        As in :func:`round_bits`.
    flush : bool
        Floating-point targets only: round as if the exponent had no lower end, and make zero, of
        the sign of the value, what is then below the smallest normal value.
    random_bits, random : int and array of uint64
        R and ``r`` of each element, for the two stochastic modes.
    """
    negative, significand, exponent, is_inf, is_nan = parts
    if isinstance(dst, FixedFormat):
        quantum = np.full(significand.shape, -dst.fraction_bits)
    else:
        # frexp counts the bits of an integer; zero gets the target's smallest exponent.
        length = np.frexp(significand.astype(np.float64))[1].astype(np.int64)
        lowest = 1 - dst.bias
        leading = np.where(significand == 0, lowest, exponent + length - 1)
        quantum = (leading if flush else np.maximum(leading, lowest)) - dst.mantissa_bits

    # Of a source word, only floating point, of at most 24 bits, ever drops more than 32. With 32
    # bits of r, dropping more than 63 is then the same as dropping 63, and so it is to nearest with
    # 53 bits. A shift to the left by more than 32 overflows any fixed-point target.
    drop = np.clip(quantum - exponent, -32, 63)
    right = np.maximum(drop, 0).astype(np.uint64)
    kept = (significand << np.maximum(-drop, 0).astype(np.uint64)) >> right
    dropped = significand & ((np.uint64(1) << right) - np.uint64(1))

    if mode == "nearest_even":
        # Twice the dropped part against one whole, so that drop = 0 needs no case of its own.
        twice, whole = dropped << np.uint64(1), np.uint64(1) << right
        kept = kept + ((twice > whole) | ((twice == whole) & (kept & np.uint64(1) > 0)))
    elif random is not None:
        shift = right.astype(np.int64) - random_bits
        second = np.where(
            shift >= 0,
            dropped >> np.maximum(shift, 0).astype(np.uint64),
            dropped << np.maximum(-shift, 0).astype(np.uint64),
        )
        kept = kept + ((second + random) >> np.uint64(random_bits))

    if isinstance(dst, FixedFormat):
        largest = np.where(negative, 1 << dst.width - 1, (1 << dst.width - 1) - 1).astype(np.uint64)
        magnitude = np.where(is_inf, largest, np.minimum(kept, largest)).astype(np.int64)
        result = np.where(is_nan, 0, np.where(negative, -magnitude, magnitude))
        result &= (1 << dst.width) - 1
    else:
        # Exponent field and mantissa in one addition: a carry out of the significand, and a
        # subnormal that reaches the smallest normal value, step the exponent by themselves.
        field = quantum + dst.mantissa_bits + dst.bias - 1
        result = (field << dst.mantissa_bits) + kept.astype(np.int64)
        if flush:
            result = np.where(result < 1 << dst.mantissa_bits, 0, result)
        overflow = result > dst.max_code
        beyond = dst.inf_code if dst.has_inf else dst.nan_code
        finite_overflow = dst.max_code if mode == "towards_zero" else beyond
        result = np.where(overflow, finite_overflow, result)
        result = np.where(is_inf, beyond, result)
        if saturate:
            result = np.where(overflow | is_inf, dst.max_code, result)
        result = np.where(is_nan, dst.nan_code, result)
        result |= negative.astype(np.int64) << dst.width - 1
    return result.astype(np.uint64)


def unpack(code: NDArray[np.int64], fmt: FloatFormat | FixedFormat) -> Parts:
    """Take bit patterns apart that :func:`sluice_sim.golden.formats.check_codes` has passed."""
    negative = (code >> fmt.width - 1).astype(bool)
    never = np.zeros(code.shape, bool)
    if isinstance(fmt, FixedFormat):
        magnitude = np.where(negative, (1 << fmt.width) - code, code)
        exponent = np.full(code.shape, -fmt.fraction_bits)
        return Parts(negative, magnitude.astype(np.uint64), exponent, never, never)
    magnitude = code & ((1 << fmt.width - 1) - 1)
    field = magnitude >> fmt.mantissa_bits
    hidden = np.where(field > 0, 1 << fmt.mantissa_bits, 0)
    significand = (magnitude & ((1 << fmt.mantissa_bits) - 1)) + hidden
    exponent = np.maximum(field, 1) - fmt.bias - fmt.mantissa_bits
    is_inf = magnitude == fmt.inf_code if fmt.has_inf else never
    is_nan = (magnitude > fmt.max_code) & ~is_inf
    return Parts(negative, significand.astype(np.uint64), exponent, is_inf, is_nan)


def _rounding_value(
    code: NDArray[np.int64],
    src: FloatFormat | FixedFormat,
    mode: str,
    random_bits: int,
    position: int,
    random: ArrayLike | None,
) -> NDArray[np.uint64]:
    """Return ``r`` of each element."""
    if not 1 <= random_bits <= MAX_RANDOM_BITS:
        raise ValueError(f"random_bits must be in 1..{MAX_RANDOM_BITS}, not {random_bits}")
    if mode == "own_bits":
        if not 0 <= position < MAX_RANDOM_BITS:
            raise ValueError(f"position must be in 0..{MAX_RANDOM_BITS - 1}, not {position}")
        if isinstance(src, FixedFormat):
            field = np.where(code >> src.width - 1, (1 << src.width) - code, code)
        else:
            field = code & ((1 << src.mantissa_bits) - 1)
        return ((field >> position) & ((1 << random_bits) - 1)).astype(np.uint64)
    if random is None:
        raise ValueError("mode 'generator' needs random, the R-bit integers")
    r = np.asarray(random)
    if r.dtype.kind not in "iu":
        raise TypeError(f"random must be integers, not {r.dtype}")
    if r.size and (int(r.min()) < 0 or int(r.max()) >> random_bits):
        raise ValueError(f"random must be in 0..2**{random_bits}-1")
    return np.broadcast_to(r, code.shape).astype(np.uint64)
