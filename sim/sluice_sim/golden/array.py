"""Golden model of the systolic array and of matrix products on it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import multiply_add
from sluice_sim.golden.formats import FixedFormat, check_codes, find_format
from sluice_sim.golden.rounding import round_bits

__all__ = ["multiply_matrices", "multiply_tile"]


def multiply_tile(
    x: ArrayLike,
    w: ArrayLike,
    p: ArrayLike,
    *,
    operand: str,
    total: str,
    flush: bool = False,
) -> NDArray[np.uint64]:
    """Return ``p + x w`` in bit patterns, in the order in which the array adds.

    Parameters
    ----------
    x : array of integers, (M, R)
        Bit patterns of format ``operand``.
    w : array of integers, (R, C)
    p : array of integers, (M, C)
        Bit patterns of format ``total``.
    operand, total : str
        Both integers, with which the result is exact modulo ``2**width`` of the total; or both
        floats, with which ``p`` is added to first by row 0, then by row 1, and so on, and every
        row rounds once.
    flush : bool
        Floats only, see :mod:`sluice_sim.golden.arith`.

    Returns
    -------
    array of uint64, (M, C)

    Raises
    ------
    TypeError
        If patterns are not integers.
    ValueError
        If a pattern is too wide for its format, or the formats do not go together.
    """
    number, sum_format = find_format(operand), find_format(total)
    a, b, c = check_codes(x, number), check_codes(w, number), check_codes(p, sum_format)
    if isinstance(number, FixedFormat) != isinstance(sum_format, FixedFormat):
        raise ValueError(f"{operand} cannot be accumulated in {total}")
    if isinstance(number, FixedFormat):
        a, b = (v - (v >> number.width - 1 << number.width) for v in (a, b))
        mask = (1 << sum_format.width) - 1
        return ((c + a @ b) & mask).astype(np.uint64)
    partial = np.broadcast_to(c, (len(a), b.shape[1])).astype(np.uint64)
    for k in range(a.shape[1]):
        partial = multiply_add(
            a[:, k, None], b[None, k], partial, source=operand, addend=total, flush=flush
        )
    return partial


def multiply_matrices(
    a: ArrayLike,
    b: ArrayLike,
    *,
    operand: str,
    total: str,
    result: str,
    flush: bool = False,
    mode: str = "nearest_even",
    saturate: bool = False,
) -> NDArray[np.uint64]:
    """Return ``a b`` in bit patterns, as the matrix-product engine rounds it.

    Parameters
    ----------
    a : array of integers, (M, K)
    b : array of integers, (K, N)
    operand, total, flush
        See :func:`multiply_tile`; every sum begins with plus zero.
    result : str
        The format that sums are rounded to once, at the end; ``total`` leaves them.
    mode, saturate
        See :func:`sluice_sim.golden.rounding.round_bits`.

    Returns
    -------
    array of uint64, (M, N)
    """
    x, w = np.asarray(a), np.asarray(b)
    zero = np.zeros((len(x), w.shape[1]), np.uint64)
    sums = multiply_tile(x, w, zero, operand=operand, total=total, flush=flush)
    if result == total:
        return sums
    rounded = round_bits(
        sums.reshape(-1), source=total, target=result, mode=mode, saturate=saturate
    )
    return np.asarray(rounded, np.uint64).reshape(sums.shape)
