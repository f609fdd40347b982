"""Golden model of :class:`sluice.masking.RowMerge`, by the pairs of rows that fill one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["merge_order", "merge_rows"]


def merge_order(rows: int) -> list[tuple[int, ...]]:
    """Return which rows of a lower triangular matrix of ``rows`` rows make each merged row.

    Row ``r`` has ``r + 1`` elements that are not masked. It goes with the row that has
    ``rows - (r + 1)``; a row without such a partner goes alone.
    """
    merged: list[tuple[int, ...]] = []
    for r in range(rows):
        partner = rows - 2 - r
        if partner > r:
            merged.append((r, partner))
        elif partner == r:
            merged.append((r,))
    return [*merged, (rows - 1,)]


def merge_rows(
    matrix: NDArray[Any], order: Sequence[tuple[int, ...]] | None = None
) -> list[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """Return the merged rows of ``matrix``, of shape ``(rows, columns)`` with ``columns >= rows``.

    Each is its elements, and for each of them whether it is of the second of the two rows.
    """
    result = []
    for sources in merge_order(len(matrix)) if order is None else order:
        parts = [matrix[r, : r + 1] for r in sources]
        marks = [np.full(len(part), k == 1) for k, part in enumerate(parts)]
        result.append((np.concatenate(parts), np.concatenate(marks)))
    return result
