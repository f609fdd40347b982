"""Sums of products with weights in a table: the golden model against matrix products.

In floating point it is held against NumPy's own fp32 in the same order, and against float64.
"""

import ml_dtypes
import numpy as np
import pytest

from sluice.catalogue import RequestError, find_block
from sluice_sim.golden.gather import bin_sums, centroid_dot, centroid_dot_float

FP32 = {"element": "fp32", "weight": "fp32"}
SHAPES = [(1, 2), (3, 4), (4, 8), (5, 16), (8, 8)]


def bits_of(values):
    return np.asarray(values, np.float32).view(np.uint32)


def in_order(x, at, table, lanes, phases):
    """Return the same in NumPy's own fp32, element by element."""
    sums = np.full((len(table), phases, lanes), -0.0, np.float32)
    for n, (value, index) in enumerate(zip(x, at, strict=True)):
        sums[index, n // lanes % phases, n % lanes] += value

    def tree(terms):
        while len(terms) > 1:
            pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
            terms = [pair[0] + pair[1] if len(pair) > 1 else pair[0] for pair in pairs]
        return terms[0]

    total = np.float32(-0.0)
    for index in range(len(table)):
        if index in at:
            row = [tree(list(sums[index, p])) for p in range(phases)]
            total = np.float32(total + tree(row) * table[index])
    return total


@pytest.mark.parametrize(("lanes", "phases"), SHAPES)
@pytest.mark.parametrize("spread", [1, 30])
def test_order_of_floats_is_that_of_numpy(lanes, phases, spread):
    rng = np.random.default_rng([lanes, phases, spread])
    for size in (1, lanes, 7 * lanes + 1, 40 * lanes):
        x = np.ldexp(rng.normal(size=size), rng.integers(-spread, spread, size))
        x, table = x.astype(np.float32), rng.normal(size=9).astype(np.float32)
        at = rng.integers(0, 9, size)
        found = centroid_dot_float(
            bits_of(x), at, bits_of(table), lanes=lanes, phases=phases, **FP32
        )
        assert found == bits_of(in_order(x, at, table, lanes, phases))


@pytest.mark.parametrize(("lanes", "phases"), SHAPES)
def test_sum_of_floats_is_near_that_of_float64(lanes, phases):
    """By the bound of any order: as many roundings of the sum of magnitudes as there are."""
    rng = np.random.default_rng([lanes, phases])
    x, table = (rng.normal(size=n).astype(ml_dtypes.bfloat16) for n in (1500, 16))
    at = rng.integers(0, 16, 1500)
    words = [v.view(np.uint16) for v in (x, table)]
    how = {"element": "bf16", "weight": "bf16", "lanes": lanes, "phases": phases}
    found = np.uint32(centroid_dot_float(words[0], at, words[1], **how)).view(np.float32)
    terms = x.astype(np.float64) * table.astype(np.float64)[at]
    roundings = 1500 / (lanes * phases) + 16 + lanes.bit_length() + phases.bit_length() + 1
    assert abs(found - terms.sum()) <= roundings * 2.0**-24 * np.abs(terms).sum()


@pytest.mark.parametrize(
    ("x", "at", "expected"),
    [
        ([1.0, -1.0], [0, 0], 0.0),
        ([-0.0, -0.0], [0, 0], -0.0),
        ([], [], 0.0),
        # The centroids 2 and 3 are an infinity and NaN.
        ([1.0, 3.0], [0, 1], 7.0),
        ([1.0, 0.0], [0, 2], np.nan),
        ([1.0, 1.0], [0, 2], np.inf),
        ([1.0, 1.0], [3, 0], np.nan),
        ([np.inf, -np.inf], [1, 1], np.nan),
        ([2.0**-149] * 3, [0, 0, 0], 3 * 2.0**-149),
        ([3.0e38, 3.0e38], [0, 0], np.inf),
    ],
)
def test_special_numbers(x, at, expected):
    table = bits_of([1.0, 2.0, np.inf, -np.nan])
    found = centroid_dot_float(bits_of(x), at, table, lanes=2, phases=2, **FP32)
    assert found == (0x7FC00000 if np.isnan(expected) else bits_of(expected))


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
    with pytest.raises(ValueError, match="one length"):
        centroid_dot_float([1, 2], [0], [0], lanes=1, phases=1, **FP32)
    with pytest.raises(ValueError, match=r"0\.\.0"):
        centroid_dot_float([1], [1], [0], lanes=1, phases=1, **FP32)


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
