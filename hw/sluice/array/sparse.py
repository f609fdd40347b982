"""Any matrix as rows with one weight per column of a group, and which rows go together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pass", "Row", "compress", "depths", "schedule"]


@dataclass
class Row:
    """One row of a constrained matrix, which takes one row of the array.

    Attributes
    ----------
    group : int
        Of which group of rows of the original.
    values : array of uint64, (N,)
        A non-zero of each column, or zero where there is none left.
    tags : array of int, (N,)
        Its place in the group; ``G``, which is none, where there is none left.
    """

    group: int
    values: NDArray[np.uint64]
    tags: NDArray[np.int64]


@dataclass
class Pass:
    """Rows that are in the array together.

    Attributes
    ----------
    window : int
        The first of the two windows of ``size`` groups that their groups are in.
    rows : list of Row
        At most ``size``; of their groups, no two differ by a multiple of ``size``.
    """

    window: int
    rows: list[Row] = field(default_factory=list)

    def slots(self, size: int) -> tuple[list[int], int]:
        """Return each row's place in a window, and a mask of places that are of the second."""
        after = 0
        for row in self.rows:
            after |= int(row.group // size > self.window) << row.group % size
        return [row.group % size for row in self.rows], after


def compress(w: NDArray[np.uint64], group: int, *, sign: int = 0) -> list[Row]:
    """Return the constrained matrices of ``w``, row by row; their sum is ``w``.

    Of every ``group`` rows, row ``i`` of its constrained matrices has the ``i``-th non-zero of
    each column. A group without one needs no row, one with a full column needs ``group``.

    Parameters
    ----------
    w : array of uint64, (K, N)
        Bit patterns.
    group : int, >= 1
    sign : int
        Bits that a zero may have set.

    Notes
    -----
    Method: the distributive law, ``x (w1 + w2 + ...) = x w1 + x w2 + ...``, with matrices that have
    at most one non-zero per column and group, as systolic arrays with a choice of inputs need them
    (US 11803736).
    """
    found: list[Row] = []
    keeps = (w & np.uint64(~sign & (1 << 64) - 1)) != 0
    for g, first in enumerate(range(0, len(w), group)):
        part, kept = w[first : first + group], keeps[first : first + group]
        order = np.cumsum(kept, axis=0) - 1
        for i in range(int(kept.sum(axis=0).max(initial=0))):
            chosen = kept & (order == i)
            any_left = chosen.any(axis=0)
            at = chosen.argmax(axis=0)
            values = part[at, np.arange(w.shape[1])]
            found.append(
                Row(
                    g,
                    np.where(any_left, values, 0).astype(np.uint64),
                    np.where(any_left, at, group),
                )
            )
    return found


def depths(w: NDArray[np.uint64], group: int, *, sign: int = 0) -> list[int]:
    """Return how many rows each group of ``w`` needs."""
    kept = (w & np.uint64(~sign & (1 << 64) - 1)) != 0
    return [int(kept[k : k + group].sum(axis=0).max(initial=0)) for k in range(0, len(w), group)]


def schedule(rows: Sequence[Row], size: int) -> list[Pass]:
    """Return the passes that take all rows through an array of ``size`` rows.

    In their order, but that a row whose group's place in the window is taken by another group waits
    for a later pass: a place holds one element of a row at a time.
    """
    left = list(rows)
    passes: list[Pass] = []
    while left:
        now = Pass(left[0].group // size)
        places: dict[int, int] = {}
        later: list[Row] = []
        for n, row in enumerate(left):
            if len(now.rows) == size or row.group // size > now.window + 1:
                later += left[n:]
                break
            if places.setdefault(row.group % size, row.group) == row.group:
                now.rows.append(row)
            else:
                later.append(row)
        passes.append(now)
        left = later
    return passes
