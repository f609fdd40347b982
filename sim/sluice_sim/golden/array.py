"""Golden model of the systolic array and of matrix products on it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import multiply_add
from sluice_sim.golden.formats import FixedFormat, check_codes, find_format

__all__ = ["multiply_tile"]


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
