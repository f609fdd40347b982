"""Sums of products with weights in a table: the golden model against matrix products."""

import numpy as np
import pytest

from sluice.catalogue import RequestError, find_block
from sluice_sim.golden.gather import bin_sums, centroid_dot


@pytest.mark.parametrize("count", [2, 5, 16, 256])
def test_forward_and_backward_are_matrix_products(count):
    """One table and one matrix of indices serve both: backward it is read by its other axis."""
    rng = np.random.default_rng(count)
    table = rng.integers(-128, 128, count)
    indices = rng.integers(0, count, (13, 7))
    x, error = rng.integers(-128, 128, (4, 13)), rng.integers(-128, 128, (4, 7))
    weights = table[indices]
    forward = [[centroid_dot(row, column, table) for column in indices.T] for row in x]
    assert (np.array(forward) == x @ weights).all()
    backward = [[centroid_dot(row, column, table) for column in indices] for row in error]
    assert (np.array(backward) == error @ weights.T).all()


def test_sums_are_those_of_bincount():
    rng = np.random.default_rng(1)
    x, at = rng.integers(-128, 128, 1000), rng.integers(0, 16, 1000)
    assert (bin_sums(x, at, count=20) == np.bincount(at, x, 20)).all()
    assert bin_sums([], [], count=3).tolist() == [0, 0, 0]


def test_results_are_modulo_2_to_the_32():
    assert centroid_dot([1 << 17] * 4, [1] * 4, [0, 1 << 12]) == -(1 << 31)


def test_bad_shapes_and_indices():
    with pytest.raises(ValueError, match="one length"):
        bin_sums([1, 2], [0], count=2)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        bin_sums([1], [2], count=2)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sums": "trees", "index_bits": 6}, "index_bits must be at most 5"),
        ({"element": "int16", "sum_bits": 16}, "sum_bits must be more than 16"),
        ({"sum_bits": 30}, "sum_bits must be at most 29 with 8 lanes"),
    ],
)
def test_parameters_that_do_not_go_together(changes, text):
    with pytest.raises(RequestError, match=text):
        find_block("centroid_dot").make(**changes)
