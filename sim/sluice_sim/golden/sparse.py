"""Golden models of sparse matrices: their encoding, and their products with dense ones."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import add, multiply_add
from sluice_sim.golden.formats import FixedFormat, check_codes, find_format

__all__ = ["Encoded", "accumulate_rows", "encode_columns", "multiply_sparse", "update_row"]


class Encoded(NamedTuple):
    """The two vectors that let a matrix be used as its transpose.

    Attributes
    ----------
    columns : array of int64, (C,)
        The columns that are not empty, sorted.
    places : array of int64, (nnz,)
        For each non-zero where its column is among these; -1 of one that is out of range.
    """

    columns: NDArray[np.int64]
    places: NDArray[np.int64]


def encode_columns(indices: ArrayLike, columns: int) -> Encoded:
    """Return the encoding of a matrix of so many columns.

    Parameters
    ----------
    indices : array of integers, (nnz,)
        The column of each non-zero, in any order, twice as well. What is not below ``columns`` is
        out of range.
    """
    given = np.asarray(indices, np.int64)
    fits = (given >= 0) & (given < columns)
    found = np.unique(given[fits])
    places = np.where(fits, np.searchsorted(found, given), -1)
    return Encoded(found, places.astype(np.int64))


def accumulate_rows(
    at: ArrayLike,
    taken: ArrayLike,
    values: ArrayLike,
    d: ArrayLike,
    *,
    outputs: int,
    banks: int,
    operand: str,
    total: str,
    flush: bool = False,
) -> NDArray[np.uint64]:
    """Return rows of sums, bit patterns: ``values[k] * d[taken[k]]`` is added to row ``at[k]``.

    Parameters
    ----------
    at, taken : arrays of integers, (nnz,)
        Where either is -1, nothing is added, and the non-zero counts all the same.
    values : array of integers, (nnz,)
        Bit patterns of format ``operand``.
    d : array of integers, (rows, N)
        Bit patterns of format ``operand``.
    outputs : int
        Rows of sums.
    banks : int
        Floats only: non-zero ``k`` adds to bank ``k % banks`` of its row, each product fused into
        the sum, which begins with plus zero. In the end the banks are added up, each to the sum of
        those before it. Integers are exact modulo ``2**width`` of the total, in any order.
    operand, total : str
        Both integers, or both floats.
    flush : bool
        Floats only, see :mod:`sluice_sim.golden.arith`.

    Returns
    -------
    array of uint64, (outputs, N)

    Raises
    ------
    TypeError
        If patterns are not integers.
    ValueError
        If a pattern is too wide for its format, or the formats do not go together.
    """
    number, sum_format = find_format(operand), find_format(total)
    rows, sources = np.asarray(at, np.int64), np.asarray(taken, np.int64)
    a, b = check_codes(values, number), check_codes(d, number)
    if isinstance(number, FixedFormat) != isinstance(sum_format, FixedFormat):
        raise ValueError(f"{operand} cannot be accumulated in {total}")
    if isinstance(number, FixedFormat):
        a, b = (v - (v >> number.width - 1 << number.width) for v in (a, b))
        sums, fine = np.zeros((outputs, b.shape[1]), np.int64), (rows >= 0) & (sources >= 0)
        np.add.at(sums, rows[fine], a[fine, None] * b[sources[fine]])
        return (sums & ((1 << sum_format.width) - 1)).astype(np.uint64)
    held = np.zeros((banks, outputs, b.shape[1]), np.uint64)
    for k in np.flatnonzero((rows >= 0) & (sources >= 0)).tolist():
        sum_of: Any = (k % banks, rows[k])
        held[sum_of] = multiply_add(
            a[k], b[sources[k]], held[sum_of], source=operand, addend=total, flush=flush
        )
    whole = held[0]
    for bank in held[1:]:
        whole = add(whole, bank, source=total, flush=flush)
    return whole


def multiply_sparse(
    row_ptr: ArrayLike,
    indices: ArrayLike,
    values: ArrayLike,
    d: ArrayLike,
    *,
    columns: int,
    transpose: bool = False,
    operand: str,
    total: str,
    lanes: int,
    slices: int,
    sums: int,
    dense: int,
    flush: bool = False,
) -> NDArray[np.uint64]:
    """Return ``A D``, or with ``transpose`` the rows of ``Aᵀ D`` that are not zero, bit patterns.

    The order of additions of floats is that of the engine: rows of ``A`` one after the other, and
    the non-zeros of each as they are given. Where the sums need more than ``dense`` rows of ``D``,
    those that need the first ``dense`` rows come first, then those that need the next ones. For
    banks, non-zeros are counted within each part of ``sums`` rows of the result.

    Parameters
    ----------
    row_ptr : array of integers, (M + 1,)
    indices, values : arrays of integers, (nnz,)
        The matrix; values are bit patterns of format ``operand``.
    d : array of integers, (columns, N), or (M, N) with ``transpose``
    columns : int
        Of the matrix.
    lanes, slices, sums, dense : int
        Of the engine. Columns of ``D`` are done in parts of ``lanes * slices``; there are as many
        banks in each as fit beside as many slices as it needs, rounded up to a power of two.
    operand, total, flush
        See :func:`accumulate_rows`.

    Returns
    -------
    array of uint64, (M, N), or (C, N) with ``transpose``
    """
    ptr, matrix = np.asarray(row_ptr, np.int64), np.asarray(d)
    words = np.asarray(values)
    found = encode_columns(indices, columns)
    rows = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
    if transpose:
        at, taken, outputs = found.places, rows, len(found.columns)
    else:
        at, taken, outputs = rows, found.places, len(ptr) - 1
        matrix = matrix[found.columns]
    result = np.zeros((outputs, matrix.shape[1]), np.uint64)
    for first in range(0, matrix.shape[1], lanes * slices):
        part = matrix[:, first : first + lanes * slices]
        beats = -(-part.shape[1] // lanes)
        banks = slices >> (beats - 1).bit_length()
        for row in range(0, outputs, sums):
            chosen = np.flatnonzero((at >= row) & (at < row + sums))
            chosen = chosen[np.argsort(taken[chosen] // dense, kind="stable")]
            count = min(sums, outputs - row)
            result[row : row + count, first : first + lanes * slices] = accumulate_rows(
                at[chosen] - row,
                taken[chosen],
                words[chosen],
                part,
                outputs=count,
                banks=banks,
                operand=operand,
                total=total,
                flush=flush,
            )
    return result


def update_row(
    row: ArrayLike, words: ArrayLike, *, store: bool, rate: int, element: str
) -> NDArray[np.uint64]:
    """Return what becomes of a row of weights: ``words``, or ``row + rate * words``, rounded once.

    Parameters
    ----------
    row, words : arrays of integers, (n,)
        Bit patterns of format ``element``, a floating-point format.
    rate : int
        A bit pattern of it.
    """
    if store:
        return np.array(words, np.uint64)
    return multiply_add(words, np.uint64(rate), row, source=element, addend=element)
