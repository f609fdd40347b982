"""The matrix-product engine: its cycles, its driver, and what it refuses."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse

from sluice.array import Matmul
from sluice.array.driver import plan_product
from sluice.array.sparse import compress, depths, schedule
from sluice_sim.bench.array import matrix_words
from sluice_sim.golden.array import multiply_matrices
from sluice_sim.golden.formats import decode
from sluice_sim.play import play_product

TINY: dict[str, Any] = {"size": 4, "columns": 4, "a_blocks": 16, "b_blocks": 16, "sums": 64}


FLOATS: dict[str, Any] = {"operand": "fp8_e4m3", "total": "fp16", "result": "fp16"}


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ((16, 16, 16), {}),
        ((13, 9, 7), {}),
        ((16, 12, 16), {"columns": 8, "b_blocks": 32}),
        ((4, 4, 4), {}),
        ((1, 17, 2), {}),
        ((7, 16, 4), FLOATS),
        ((28, 7, 4), FLOATS),
    ],
    ids=["16x16x16", "ragged", "wide array", "one tile", "one vector", "few floats", "floats"],
)
def test_cycles(shape, changes):
    """A vector per cycle, but for the first tile's load and the way of the last vector.

    Where all tiles across have fewer vectors than is far enough from a sum to its next addend,
    they take that long, again and again.
    """
    engine = Matmul(**{**TINY, **changes})
    m, k, n = shape
    rng = np.random.default_rng(1)
    a, b = (matrix_words(engine.operand, rng, size) for size in ((m, k), (k, n)))
    product = plan_product(engine, a, b)
    y, at = play_product(engine, product)
    formats = {name: getattr(engine, name) for name in ("operand", "total", "result")}
    assert np.array_equal(y, multiply_matrices(a, b, **formats))
    along, across = -(-k // engine.size), -(-n // engine.columns)
    assert product.vectors == m * along * across
    one = m * across
    cycles = (along - 1) * max(one, engine.loop) + one
    lead = engine.array.w_lead
    assert at["ends"] - at["begins"] == lead + cycles + engine.pipeline.latency


@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_chunks_go_into_small_scratchpads(turned):
    """Operands and sums that do not fit at once are sent in parts, and as they lie."""
    engine = Matmul(**{**TINY, "a_blocks": 4, "b_blocks": 2, "sums": 6})
    rng = np.random.default_rng(2)
    a, b = matrix_words("int8", rng, (11, 21)), matrix_words("int8", rng, (21, 9))
    product = plan_product(
        engine,
        a.T if turned[0] else a,
        b.T if turned[1] else b,
        transpose_a=turned[0],
        transpose_b=turned[1],
    )
    y, _ = play_product(engine, product)
    expected = multiply_matrices(a, b, operand="int8", total="int32", result="int32")
    assert np.array_equal(y, expected)


def test_error_is_within_the_bound():
    """Every product is rounded into its sum once: K half ulps of what was summed."""
    rng = np.random.default_rng(3)
    a, b = matrix_words("bf16", rng, (20, 50)), matrix_words("bf16", rng, (50, 30))
    x, w = decode(a, "bf16"), decode(b, "bf16")
    rows, columns = np.isfinite(x).all(axis=1), np.isfinite(w).all(axis=0)
    fine = np.outer(rows, columns)
    x, w = np.where(np.isfinite(x), x, 0), np.where(np.isfinite(w), w, 0)
    y = decode(multiply_matrices(a, b, operand="bf16", total="fp32", result="fp32"), "fp32")
    fine &= np.isfinite(y)
    assert fine.mean() > 0.1
    bound = 50 * 2.0**-24 * (np.abs(x) @ np.abs(w)) * 1.001 + 50 * 2.0**-150
    assert (np.abs(y - x @ w)[fine] <= bound[fine]).all()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"size": 6, "columns": 6}, "size must be one of 2 4 8 16 32, not 6"),
        ({"columns": 12}, "columns must be one of 4 8 16, not 12"),
        ({"group": 3}, "group must be one of 1 2 4 8 16, not 3"),
        ({"sums": 3}, "sums must be at least the size, 4, not 3"),
        ({"columns": 16, "b_blocks": 3}, "b_blocks must be at least 4, not 3"),
        ({"total": "fp32"}, "int8 cannot be accumulated in fp32"),
        ({"total": "int16", "result": "int32"}, "result must be int16 or a narrower format"),
    ],
)
def test_parameters_that_do_not_go_together(changes, told):
    with pytest.raises(ValueError, match=told):
        Matmul(**{**TINY, **changes})


def test_shapes_that_do_not_go_together():
    engine, x = Matmul(**TINY), np.zeros((3, 5), np.uint64)
    with pytest.raises(ValueError, match="not 5 of a and 3 of b"):
        plan_product(engine, x, x)
    assert plan_product(engine, x, x, transpose_b=True).shape == (3, 3)
    with pytest.raises(ValueError, match="need an engine with group of 2"):
        plan_product(engine, x, x.T, sparse=True)
    with pytest.raises(ValueError, match="has no elements"):
        plan_product(engine, x, np.zeros((5, 0), np.uint64))
    with pytest.raises(ValueError, match="a must be a matrix"):
        engine.drive({"a": np.zeros((2, 2, 2), np.uint64), "b": x}, {})
    with pytest.raises(ValueError, match="no setting 'turn'"):
        engine.drive({"a": x, "b": x.T}, {"turn": "1"})
    with pytest.raises(ValueError, match="transpose_a must be true or false"):
        engine.drive({"a": x, "b": x.T}, {"transpose_a": "2"})


def random_sparse(rng, shape, zeros):
    words = rng.integers(1, 256, shape).astype(np.uint64)
    return np.where(rng.random(shape) < zeros, 0, words).astype(np.uint64)


@pytest.mark.parametrize("group", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.9, 1.0])
def test_compressed_rows_are_the_matrix(group, zeros):
    """Full columns, empty groups and a ragged end among them."""
    rng = np.random.default_rng(group)
    w = random_sparse(rng, (37, 9), zeros)
    w[:, 4], w[group : 3 * group] = 77, 0
    rows = compress(w, group)
    again = np.zeros((40 + group, 9), np.uint64)
    for row in rows:
        at = np.flatnonzero(row.tags < group)
        assert not row.values[row.tags == group].any()
        assert (again[row.group * group + row.tags[at], at] == 0).all()
        again[row.group * group + row.tags[at], at] = row.values[at]
    assert np.array_equal(again[:37], w)
    assert not again[37:].any()
    counts = [int((w[k : k + group] != 0).sum(axis=0).max()) for k in range(0, 37, group)]
    assert depths(w, group) == counts
    assert len(rows) == sum(counts)


def test_sparse_sum_is_that_of_scipy():
    """The distributive law, against the sparse product of SciPy."""
    rng = np.random.default_rng(5)
    w = random_sparse(rng, (60, 17), 0.8)
    x = rng.integers(-128, 128, (10, 64))
    signed = w.astype(np.int64) - (w.astype(np.int64) >> 7 << 8)
    total = np.zeros((10, 17), np.int64)
    for row in compress(w, 4):
        values = row.values.astype(np.int64)
        values -= values >> 7 << 8
        lanes = np.pad(x[:, 4 * row.group : 4 * row.group + 4], ((0, 0), (0, 1)))
        total += lanes[:, row.tags] * values
    assert np.array_equal(total, (scipy.sparse.csr_array(signed).T @ x[:, :60].T).T)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_passes_hold_every_row_once(size):
    """No two groups of a pass are in one bank, and a pass spans two windows."""
    rng = np.random.default_rng(size)
    for zeros in (0.3, 0.8, 0.97):
        w = random_sparse(rng, (300, 5), zeros)
        rows = compress(w, 4)
        passes = schedule(rows, size)
        assert sorted(map(id, rows)) == sorted(id(row) for p in passes for row in p.rows)
        for now in passes:
            groups = {row.group for row in now.rows}
            assert len({g % size for g in groups}) == len(groups)
            assert {g // size - now.window for g in groups} <= {0, 1}
            assert 1 <= len(now.rows) <= size
            slots, after = now.slots(size)
            found = [(now.window + (after >> slot & 1)) * size + slot for slot in slots]
            assert found == [row.group for row in now.rows]
        assert len(passes) <= 1.25 * -(-len(rows) // size) + 2


def test_sparse_cycles():
    """As many passes as the rows take, a vector per cycle in each."""
    engine = Matmul(**{**TINY, "group": 4, "a_blocks": 24, "b_blocks": 64, "maps": 32})
    rng = np.random.default_rng(7)
    a, b = matrix_words("int8", rng, (24, 64)), random_sparse(rng, (64, 8), 0.8)
    product = plan_product(engine, a, b, sparse=True, together=2)
    y, at = play_product(engine, product)
    expected = multiply_matrices(a, b, operand="int8", total="int32", result="int32")
    assert np.array_equal(y, expected)
    passes = -(-sum(depths(b, 4)) // 4)
    assert passes < 16
    assert product.vectors == 24 * 2 * passes
    # The map's first entry is fetched while the first columns of the first tile are.
    lead = max(2, engine.array.w_lead)
    assert at["ends"] - at["begins"] == lead + product.vectors + engine.pipeline.latency


def test_zeros_that_are_not_there_meet_no_infinity():
    engine = Matmul(
        **{**TINY, "operand": "bf16", "total": "fp32", "result": "fp32", "group": 4, "stages": 3}
    )
    one, infinity, nan = 0x3F80, 0x7F80, 0x7FC0
    a = np.full((5, 32), one, np.uint64)
    a[0, 3], a[1, 9], a[2, 0] = infinity, nan, infinity
    b = np.zeros((32, 3), np.uint64)
    b[0], b[17, 1] = 0xBF80, 0x3F80
    product = plan_product(engine, a, b, sparse=True)
    y, _ = play_product(engine, product)
    minus_one, minus_infinity = 0xBF800000, 0xFF800000
    expected = np.full((5, 3), minus_one)
    expected[:, 1] = 0
    expected[2] = minus_infinity
    assert np.array_equal(y, expected)
