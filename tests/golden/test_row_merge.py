"""The golden row merger: each merged row has as many elements as the matrix rows, by its pairs."""

import numpy as np
import pytest

from sluice_sim.golden.row_merge import merge_order, merge_rows


@pytest.mark.parametrize("rows", range(1, 40))
def test_rows_are_filled(rows):
    """Every row goes once; all are full but the middle one of an even number, which is half."""
    order = merge_order(rows)
    assert sorted(r for sources in order for r in sources) == list(range(rows))
    assert len(order) == rows // 2 + 1
    assert order[-1] == (rows - 1,)
    lengths = [sum(r + 1 for r in sources) for sources in order]
    middle = [rows // 2] if rows % 2 == 0 else []
    assert lengths == [rows] * ((rows - 1) // 2) + middle + [rows]
    assert all(i + j == rows - 2 for i, j in order[: (rows - 1) // 2])


@pytest.mark.parametrize("rows", [1, 2, 5, 8])
def test_softmax_of_segments(rows):
    """Normalised by segment, merged rows hold what rows do that are masked by minus infinity."""
    rng = np.random.default_rng(rows)
    matrix = rng.standard_normal((rows, rows))
    masked = np.where(np.tril(np.ones((rows, rows), bool)), matrix, -np.inf)
    weights = np.exp(masked - masked.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    for sources, (values, marks) in zip(merge_order(rows), merge_rows(matrix), strict=True):
        for k, r in enumerate(sources):
            part = values[marks == (k == 1)]
            part = np.exp(part - part.max())
            assert np.allclose(part / part.sum(), weights[r, : r + 1])
            assert not weights[r, r + 1 :].any()


def test_published_order():
    assert merge_order(5) == [(0, 3), (1, 2), (4,)]
    assert merge_order(6) == [(0, 4), (1, 3), (2,), (5,)]
