"""Golden models of what is zero and is left out."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["compact", "expand"]


def compact(words: ArrayLike, flags: ArrayLike) -> NDArray[np.uint64]:
    """Return the words whose flag is set, in their order.

    Parameters
    ----------
    words : array of integers, shape ``(n,)``
    flags : array of 0 and 1, shape ``(n,)``

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    a, chosen = np.asarray(words, np.uint64), np.asarray(flags, bool)
    if a.ndim != 1 or a.shape != chosen.shape:
        raise ValueError(f"words and flags must be of one length, not {a.shape}, {chosen.shape}")
    return a[chosen]


def expand(words: ArrayLike, flags: ArrayLike) -> NDArray[np.uint64]:
    """Return an array that has the words, in their order, where flags are set, and else zeros.

    Parameters
    ----------
    words : array of integers, shape ``(k,)``
        What there are too few of are zeros; too many are left out.
    flags : array of 0 and 1, shape ``(n,)``
    """
    a, chosen = np.asarray(words, np.uint64), np.asarray(flags, bool)
    found = np.zeros(chosen.shape, np.uint64)
    places = np.flatnonzero(chosen)[: a.size]
    found[places] = a[: places.size]
    return found
