"""Golden model of the means of the values of each index."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.gather import bin_sums

__all__ = ["centroid_means"]


def centroid_means(values: ArrayLike, indices: ArrayLike, table: ArrayLike) -> NDArray[np.int64]:
    """Return, for each index, the mean of the values that have it, rounded to nearest, halves up.

    Parameters
    ----------
    values, indices : arrays of int, shape ``(n,)``
        Values are less than ``2**32``, and indices less than ``2 * table.size``; values whose index
        is ``table.size`` or more belong to none.
    table : array of int
        The centroid that an index keeps if no value has it.
    """
    x, at = np.asarray(values, np.int64), np.asarray(indices, np.int64)
    kept = np.asarray(table, np.int64)
    sums = bin_sums(x, at, count=2 * kept.size)[: kept.size]
    counts = bin_sums(np.ones_like(x), at, count=2 * kept.size)[: kept.size]
    means = (2 * sums + counts) // np.maximum(2 * counts, 1)
    return np.where(counts > 0, means, kept)
