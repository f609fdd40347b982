"""Golden models of conversion between formats and to and from the block formats of OCP MX."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import finish, operands
from sluice_sim.golden.formats import FixedFormat, FloatFormat, decode, find_format
from sluice_sim.golden.rounding import Parts, round_parts

__all__ = ["convert", "mx_dequantize", "mx_quantize"]

# E8M0: a power of two with this bias, and one NaN.
SCALE_BIAS = 127
SCALE_NAN = 0xFF
ELEMENTS = ("fp8_e4m3", "fp8_e5m2", "fixed8.6")


def convert(
    a: ArrayLike, *, source: str, target: str, flush: bool = False, saturate: bool = False
) -> NDArray[np.uint64]:
    """Return ``a`` in another format, rounded to nearest even; floating and fixed point both ways.

    Parameters
    ----------
    a : array of integers, any shape
        Bit patterns of format ``source``.
    source, target : str
        Names of formats, see :func:`sluice_sim.golden.formats.find_format`.
    flush, saturate : bool
        See `arith`; a fixed-point target always saturates, and has no subnormals to flush.

    Notes
    -----
    It is :func:`sluice_sim.golden.rounding.round_bits`, but for the sign of NaN and ``flush``.
    Integer and fixed-point targets saturate to the ends of two's complement, with infinities too,
    and give 0 for NaN.

    Raises
    ------
    TypeError
        If patterns are not integers.
    ValueError
        If there is no such format, or a pattern is too wide for it.
    """
    src, dst = find_format(source), find_format(target)
    (x,) = operands(src, a, flush=flush)
    if isinstance(dst, FixedFormat):
        return round_parts(x, dst)
    return finish(x, dst, flush=flush, saturate=saturate)


def mx_quantize(
    values: ArrayLike, *, element: str, block: int = 32
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return scales and elements of blocks that share an exponent, by OCP MX v1.0, section 6.3.

    The scale of a block is ``2**(floor(log2(max|v|)) - emax)``, where ``2**emax`` is the largest
    power of two of the element format; it is held to ``2**-127 .. 2**127``. An element is
    ``v / scale`` rounded to nearest even, and saturates: the largest values of a block may do so,
    for their leading bits are not looked at.

    Parameters
    ----------
    values : array of real numbers, shape ``(..., blocks * block)``
        Taken as float64, exactly.
    element : str
        ``fp8_e4m3`` and ``fp8_e5m2`` are MXFP8; ``fixed8.6`` is MXINT8, whose elements are two's
        complement with six bits after the point, -2 among them.
    block : int, at least 1
        Values that share a scale.

    Returns
    -------
    scales : array of uint64, shape ``(..., blocks)``
        E8M0: the scale is ``2**(code - 127)``, and 0xFF is NaN.
    elements : array of uint64, shape ``(..., blocks * block)``
        Bit patterns of ``element``.

    Notes
    -----
    What the specification leaves open is decided so. Infinity or NaN anywhere in a block makes the
    scale NaN and every element the canonical NaN, or 0 where the format has none. A block of zeros
    has the smallest scale, code 0. Zeros, and elements that round to zero, keep their sign.

    Raises
    ------
    ValueError
        If ``element`` is none of these, or the last axis is no multiple of ``block``.
    """
    fmt = _element(element)
    v = np.asarray(values, np.float64)
    blocks = _split(v, block)
    emax = int(np.frexp(fmt.max)[1]) - 1
    bad = np.asarray(~np.isfinite(blocks).all(axis=-1))
    largest = np.where(bad, 0.0, np.abs(blocks).max(axis=-1))
    # frexp has its fraction in [1/2, 1).
    leading = np.frexp(largest)[1].astype(np.int64) - 1
    exponent = np.clip(leading - emax, -SCALE_BIAS, SCALE_BIAS)
    exponent = np.where(largest == 0, -SCALE_BIAS, exponent)

    fraction, power = np.frexp(np.where(bad[..., None], 0.0, blocks))
    power = power.astype(np.int64) - exponent[..., None]
    scaled = Parts(
        np.signbit(fraction),
        np.ldexp(np.abs(fraction), 53).astype(np.uint64),
        power - 53,
        # Only where the scale is held below what the block needs.
        (power > emax + 1) & (fraction != 0),
        np.broadcast_to(bad[..., None], blocks.shape),
    )
    if isinstance(fmt, FixedFormat):
        elements = round_parts(scaled, fmt)
    else:
        elements = finish(scaled, fmt, saturate=True)
    scales = np.where(bad, SCALE_NAN, exponent + SCALE_BIAS).astype(np.uint64)
    return scales, elements.reshape(v.shape)


def mx_dequantize(
    scales: ArrayLike, elements: ArrayLike, *, element: str, block: int = 32
) -> NDArray[np.float64]:
    """Return the values of blocks of :func:`mx_quantize`, exactly.

    Parameters
    ----------
    scales : array of integers, shape ``(..., blocks)``
        E8M0 codes; 0xFF makes the whole block NaN.
    elements : array of integers, shape ``(..., blocks * block)``
        Bit patterns of ``element``.
    element, block
        As in :func:`mx_quantize`.

    Raises
    ------
    TypeError
        If codes are not integers.
    ValueError
        If a code is out of range, or the shapes do not fit.
    """
    codes = np.asarray(scales)
    if codes.dtype.kind not in "iu":
        raise TypeError(f"scales must be integers, not {codes.dtype}")
    if codes.size and (int(codes.min()) < 0 or int(codes.max()) > SCALE_NAN):
        raise ValueError("scales must be in 0..255")
    values = _split(decode(elements, _element(element).name), block)
    if values.shape[:-1] != codes.shape:
        raise ValueError(f"there are blocks {values.shape[:-1]} but scales {codes.shape}")
    scaled = np.ldexp(values, codes.astype(np.int64)[..., None] - SCALE_BIAS)
    return np.where(codes[..., None] == SCALE_NAN, np.nan, scaled).reshape(np.shape(elements))


def _element(name: str) -> FloatFormat | FixedFormat:
    if name not in ELEMENTS:
        raise ValueError(f"element must be one of {', '.join(ELEMENTS)}, not {name!r}")
    return find_format(name)


def _split(values: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """Return ``values`` with the last axis split into ``(blocks, block)``."""
    if block < 1:
        raise ValueError(f"block must be at least 1, not {block}")
    if not values.ndim or values.shape[-1] % block:
        raise ValueError(f"the last axis of {values.shape} is no multiple of {block}")
    return values.reshape(*values.shape[:-1], values.shape[-1] // block, block)
