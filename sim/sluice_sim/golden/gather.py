"""Golden models of sums of products whose weights are indices into a table."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import add, multiply
from sluice_sim.golden.arith_convert import convert

__all__ = ["bin_sums", "centroid_dot", "centroid_dot_float", "centroid_matmul", "sum_pairs"]

# -0, which changes no number that it is added to.
MINUS_ZERO = 1 << 31


def bin_sums(elements: ArrayLike, indices: ArrayLike, *, count: int) -> NDArray[np.int64]:
    """Return, for each index, the sum of the elements that have it.

    Parameters
    ----------
    elements, indices : arrays of int, shape ``(n,)``
        Indices are less than ``count``.
    """
    x, at = np.asarray(elements, np.int64), np.asarray(indices, np.int64)
    if x.shape != at.shape or x.ndim != 1:
        raise ValueError(f"elements and indices must be of one length, not {x.shape}, {at.shape}")
    if at.size and not 0 <= at.min() <= at.max() < count:
        raise ValueError(f"indices must be in 0..{count - 1}")
    found = np.zeros(count, np.int64)
    np.add.at(found, at, x)
    return found


def centroid_dot(elements: ArrayLike, indices: ArrayLike, table: ArrayLike) -> int:
    """Return ``sum(elements * table[indices])``, by one product for each centroid that is there.

    Exact modulo ``2**32``, as a signed number.
    """
    centroids = np.asarray(table, np.int64)
    sums = bin_sums(elements, indices, count=centroids.size)
    total = int((sums * centroids).sum())
    return (total + (1 << 31)) % (1 << 32) - (1 << 31)


def centroid_dot_float(
    elements: ArrayLike,
    indices: ArrayLike,
    table: ArrayLike,
    *,
    element: str,
    weight: str,
    lanes: int,
    phases: int,
) -> int:
    """Return ``sum(elements * table[indices])`` in fp32, by one product for each centroid there is.

    Element ``n`` is in lane ``n % lanes`` of beat ``n // lanes``. Each index has a sum for every
    lane and phase, which is the number of the beat modulo ``phases``; it begins with -0, and
    elements are added in their order. Then lanes are added in pairs of neighbours, pairs of these,
    and so on, one that has no neighbour going on as it is; and then phases likewise. The sum is
    multiplied with its centroid. The products are added in the order of the indices, beginning with
    that of the first one. Each addition and multiplication is rounded to fp32, to nearest even.

    Parameters
    ----------
    elements, indices : arrays of int, shape ``(n,)``
        Bit patterns of format ``element``; indices are less than there are centroids.
    table : array of int, shape ``(centroids,)``
        Bit patterns of format ``weight``.
    element, weight : str
    lanes, phases : int

    Returns
    -------
    int
        Bit pattern of fp32; NaN is the canonical one, and without an element it is +0.
    """
    x = convert(elements, source=element, target="fp32")
    at, centroids = np.asarray(indices, np.int64), convert(table, source=weight, target="fp32")
    if x.shape != at.shape or x.ndim != 1:
        raise ValueError(f"elements and indices must be of one length, not {x.shape}, {at.shape}")
    if at.size and not 0 <= at.min() <= at.max() < centroids.size:
        raise ValueError(f"indices must be in 0..{centroids.size - 1}")
    sums = np.full((centroids.size, phases, lanes), MINUS_ZERO, np.uint64)
    # All phases and lanes at once.
    step = phases * lanes
    for start in range(0, x.size, step):
        part = slice(start, start + step)
        beat, lane = np.divmod(np.arange(x[part].size), lanes)
        place = at[part], beat, lane
        sums[place] = add(sums[place], x[part], source="fp32")
    totals = sum_pairs(sum_pairs(sums))
    products = multiply(totals, centroids, source="fp32")
    total = np.uint64(MINUS_ZERO)
    for index in np.unique(at):
        total = add(total, products[index], source="fp32")
    return int(total) if at.size else 0


def sum_pairs(sums: NDArray[np.uint64], *, flush: bool = False) -> NDArray[np.uint64]:
    """Return the sum over the last axis, in fp32, by pairs of neighbours; one alone waits."""
    while sums.shape[-1] > 1:
        even = sums.shape[-1] // 2 * 2
        pairs = add(sums[..., :even:2], sums[..., 1:even:2], source="fp32", flush=flush)
        sums = np.concatenate([pairs, sums[..., even:]], axis=-1)
    return sums[..., 0]


def centroid_matmul(
    x: ArrayLike, indices: ArrayLike, table: ArrayLike, *, transpose: bool = False
) -> NDArray[np.int64]:
    """Return ``x @ table[indices]``, or with ``transpose`` ``x @ table[indices].T``.

    Parameters
    ----------
    x : array of int, shape ``(M, K)``, or ``(M, N)`` with ``transpose``
    indices : array of int, shape ``(K, N)``
    table : array of int, shape ``(centroids,)``

    Returns
    -------
    array of int, shape ``(M, N)``, or ``(M, K)``
        Each element is a :func:`centroid_dot`.
    """
    vectors, matrix = np.asarray(x, np.int64), np.asarray(indices, np.int64)
    if vectors.ndim != 2 or matrix.ndim != 2:
        raise ValueError(f"x and indices must be matrices, not {vectors.shape}, {matrix.shape}")
    lines = matrix if transpose else matrix.T
    found = [[centroid_dot(vector, line, table) for line in lines] for vector in vectors]
    return np.array(found, np.int64)
