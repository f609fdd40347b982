"""Golden model of the systolic array and of matrix products on it."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import multiply_add
from sluice_sim.golden.formats import FixedFormat, check_codes, find_format
from sluice_sim.golden.rounding import round_bits

__all__ = ["multiply_matrices", "multiply_sparse_tile", "multiply_tile"]


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
    order: ArrayLike | None = None,
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
    order : array of integers, (S, N), optional
        Which elements of the inner dimension are added, step by step, to the sums of each column,
        where not all are or not in their order; -1 adds nothing.

    Returns
    -------
    array of uint64, (M, N)
    """
    x, w = np.asarray(a), np.asarray(b)
    sums = np.zeros((len(x), w.shape[1]), np.uint64)
    if order is None:
        sums = multiply_tile(x, w, sums, operand=operand, total=total, flush=flush)
    else:
        for step in np.asarray(order):
            at = np.flatnonzero(step >= 0)
            chosen, weights = x[:, step[at]], w[step[at], at]
            sums[:, at] = _multiply(
                chosen[:, None],
                weights[None],
                sums[:, at],
                operand=operand,
                total=total,
                flush=flush,
            )
    if result == total:
        return sums
    rounded = round_bits(
        sums.reshape(-1), source=total, target=result, mode=mode, saturate=saturate
    )
    return np.asarray(rounded, np.uint64).reshape(sums.shape)
