"""Centroids of integers on a line: the best there are, and Lloyd's, which are found sooner."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["best_centroids", "lloyd"]


def best_centroids(
    values: ArrayLike, weights: ArrayLike, count: int
) -> tuple[NDArray[np.float64], float]:
    """Return ``count`` centroids with the least sum of squared distances, and that sum.

    By dynamic programming over the sorted values: the last centroid's values begin at a place that
    never moves down when one more value comes, so that a level of a binary division of all places
    looks at each only once.

    Parameters
    ----------
    values : array of numbers, shape ``(n,)``
        Different from each other and ascending.
    weights : array of numbers, shape ``(n,)``
        How often each is there.
    count : int, >= 1
        If there are fewer values, each is a centroid, and there are no others.

    Notes
    -----
    Time grows as ``count * n * log(n)``. Method: X. Wu, Optimal quantization by matrix searching,
    1991, in the simpler form that needs a logarithm more.
    """
    x, w = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    if x.size <= count:
        return x, 0.0
    # About a point in the middle, so that differences of large sums keep their digits.
    shift = float((x * w).sum() / w.sum())
    y = x - shift
    sums = [np.concatenate([[0.0], np.cumsum(w * y**k)]) for k in range(3)]

    def cost(first: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
        total, linear, square = (s[end] - s[first] for s in sums)
        return np.maximum(square - linear * linear / total, 0.0)

    places = np.arange(x.size + 1)
    best = np.concatenate([[0.0], cost(np.zeros(x.size, np.int64), places[1:])])
    begins: list[NDArray[np.int64]] = []
    for clusters in range(2, count + 1):
        found = np.full(x.size + 1, np.inf)
        begin = np.zeros(x.size + 1, np.int64)
        # Ranges of places whose best begin lies between two that are known.
        low, high = np.array([clusters]), np.array([x.size])
        at_least, at_most = np.array([clusters - 1]), np.array([x.size - 1])
        while low.size:
            middle = (low + high) // 2
            last = np.minimum(at_most, middle - 1)
            sizes = last - at_least + 1
            owner = np.repeat(np.arange(middle.size), sizes)
            starts = np.cumsum(sizes) - sizes
            first = np.arange(sizes.sum()) - starts[owner] + at_least[owner]
            totals = best[first] + cost(first, middle[owner])
            least = np.minimum.reduceat(totals, starts)
            hit = np.flatnonzero(totals == least[owner])
            # The first of those that are as good.
            _, which = np.unique(owner[hit], return_index=True)
            chosen = first[hit[which]]
            found[middle], begin[middle] = least, chosen
            below, above = low < middle, middle < high
            low, high, at_least, at_most = (
                np.concatenate([low[below], middle[above] + 1]),
                np.concatenate([middle[below] - 1, high[above]]),
                np.concatenate([at_least[below], chosen[above]]),
                np.concatenate([chosen[below], at_most[above]]),
            )
        best = found
        begins.append(begin)
    ends = [x.size]
    for begin in reversed(begins):
        ends.append(int(begin[ends[-1]]))
    edges = np.array([0, *reversed(ends)])
    total = sums[0][edges[1:]] - sums[0][edges[:-1]]
    linear = sums[1][edges[1:]] - sums[1][edges[:-1]]
    return linear / total + shift, float(best[-1])


def lloyd(
    values: ArrayLike, weights: ArrayLike, count: int, *, iterations: int = 20
) -> NDArray[np.float64]:
    """Return ``count`` centroids after Lloyd's iterations, from centroids evenly spread.

    A centroid without a value stays where it is.
    """
    x, w = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    span = (x.max() - x.min()) / count
    found = x.min() + span * (np.arange(count) + 0.5)
    for _ in range(iterations):
        index = np.searchsorted((found[:-1] + found[1:]) / 2, x, "left")
        total = np.bincount(index, w, count)
        linear = np.bincount(index, w * x, count)
        moved = np.where(total > 0, linear / np.maximum(total, 1e-300), found)
        if np.array_equal(moved, found):
            break
        found = moved
    return found
