"""Golden models of sums of products whose weights are indices into a table."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["bin_sums", "centroid_dot", "centroid_matmul"]


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
