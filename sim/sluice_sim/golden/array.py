"""Golden model of the systolic array and of matrix products on it."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import multiply_add
from sluice_sim.golden.formats import FixedFormat, check_codes, find_format

__all__ = ["multiply_sparse_tile", "multiply_tile"]


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
    return _multiply(
        np.asarray(x)[:, :, None], np.asarray(w), p, operand=operand, total=total, flush=flush
    )


def multiply_sparse_tile(
    x: ArrayLike,
    w: ArrayLike,
    tags: ArrayLike,
    p: ArrayLike,
    *,
    operand: str,
    total: str,
    flush: bool = False,
) -> NDArray[np.uint64]:
    """Return ``p`` plus the sum over ``r`` of ``x[:, r, tags[r, c]] * w[r, c]``.

    Parameters
    ----------
    x : array of integers, (M, R, G)
        Bit patterns of format ``operand``: in each row a group of values to choose from.
    w : array of integers, (R, C)
    tags : array of integers, (R, C)
        Which of the group each weight is multiplied by, below G.
    p, operand, total, flush
        As in :func:`multiply_tile`, and so are result, order of additions and errors.
    """
    values, chosen = np.asarray(x), np.asarray(tags)
    rows = np.arange(values.shape[1])[:, None]
    return _multiply(
        values[:, rows, chosen], np.asarray(w), p, operand=operand, total=total, flush=flush
    )


def _multiply(
    x: NDArray[Any], w: NDArray[Any], p: ArrayLike, *, operand: str, total: str, flush: bool
) -> NDArray[np.uint64]:
    """Multiply as above, with ``x`` (M, R, C), or (M, R, 1) where columns have it in common."""
    number, sum_format = find_format(operand), find_format(total)
    a, b, c = check_codes(x, number), check_codes(w, number), check_codes(p, sum_format)
    if isinstance(number, FixedFormat) != isinstance(sum_format, FixedFormat):
        raise ValueError(f"{operand} cannot be accumulated in {total}")
    if isinstance(number, FixedFormat):
        a, b = (v - (v >> number.width - 1 << number.width) for v in (a, b))
        mask = (1 << sum_format.width) - 1
        sums = a[:, :, 0] @ b if a.shape[2] == 1 else (a * b).sum(axis=1)
        return ((c + sums) & mask).astype(np.uint64)
    partial = np.broadcast_to(c, (len(a), b.shape[1])).astype(np.uint64)
    for k in range(a.shape[1]):
        partial = multiply_add(
            a[:, k], b[None, k], partial, source=operand, addend=total, flush=flush
        )
    return partial
