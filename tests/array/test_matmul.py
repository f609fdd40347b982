"""The matrix-product engine: its cycles, its driver, and what it refuses."""

from typing import Any

import numpy as np
import pytest

from sluice.array import Kind, Matmul, command_layout
from sluice.array.driver import plan_product
from sluice.tensors import beats_of, rows_of
from sluice_sim.bench.matmul import matrix_words
from sluice_sim.golden.array import multiply_matrices
from sluice_sim.golden.formats import decode
from sluice_sim.play import play

TINY: dict[str, Any] = {"size": 4, "columns": 4, "a_blocks": 16, "b_blocks": 16, "sums": 64}


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ((16, 16, 16), {}),
        ((13, 9, 7), {}),
        ((16, 12, 16), {"columns": 8, "b_blocks": 32}),
        ((4, 4, 4), {}),
    ],
    ids=["16x16x16", "ragged", "wide array", "one tile"],
)
def test_cycles(shape, changes):
    """A vector per cycle, but for the first tile's load and the way of the last vector."""
    engine = Matmul(**{**TINY, **changes})
    m, k, n = shape
    rng = np.random.default_rng(1)
    a, b = matrix_words("int8", rng, (m, k)), matrix_words("int8", rng, (k, n))
    product = plan_product(engine, a, b)
    inputs = {
        name: [word for row in product.rows[name] for word in beats_of(row, engine.beats[name])]
        for name in "ab"
    }
    count = len(product.places)
    played = play(engine, {**inputs, "command": product.commands}, {"o": count}, limit=2000)
    y = product.assemble(rows_of(played.words["o"], engine.o_beat))
    expected = multiply_matrices(a, b, operand="int8", total="int32", result="int32")
    assert np.array_equal(y, expected)
    kinds = [command_layout(engine.count_bits).from_bits(c).kind for c in product.commands]
    begins = played["command"][kinds.index(Kind.MULTIPLY)]
    tiles = -(-k // engine.size) * -(-n // engine.columns)
    assert product.vectors == m * tiles
    assert played["o"][-1] - begins == engine.columns + product.vectors + engine.pipeline.latency


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
    inputs = {
        name: [word for row in product.rows[name] for word in beats_of(row, engine.beats[name])]
        for name in "ab"
    }
    count = len(product.places)
    played = play(engine, {**inputs, "command": product.commands}, {"o": count}, limit=9000)
    y = product.assemble(rows_of(played.words["o"], engine.o_beat))
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
    with pytest.raises(ValueError, match="has no elements"):
        plan_product(engine, x, np.zeros((5, 0), np.uint64))
    with pytest.raises(ValueError, match="a must be a matrix"):
        engine.drive({"a": np.zeros((2, 2, 2), np.uint64), "b": x}, {})
    with pytest.raises(ValueError, match="no setting 'turn'"):
        engine.drive({"a": x, "b": x.T}, {"turn": "1"})
    with pytest.raises(ValueError, match="transpose_a must be true or false"):
        engine.drive({"a": x, "b": x.T}, {"transpose_a": "2"})
