"""Golden models of sums of products whose weights are indices into a table."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["bin_sums", "centroid_dot"]


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
