"""Pairs without a zero: cycles of the netlist, counts and products from outside, odd operands."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse

from sluice.formats import find_format
from sluice.sparsity import SparseMatmul, SparsityDecoder
from sluice.sparsity.pair_driver import plan_pairs
from sluice.tensors import beats_of
from sluice_sim.bench.sparse_product import sparse_words
from sluice_sim.golden.sparse_product import (
    count_steps,
    decode,
    multiply_pairs,
    packet_ends,
    pairs_of,
)
from sluice_sim.play import play, play_pairs

TINY: dict[str, Any] = {"operand": "int8", "context": 8, "pes": 2, "contexts": 8}


def vectors(rng, length, density):
    return (rng.random(length) < density).astype(np.uint64)


def decode_in_netlist(block, packets):
    """Return the positions of each packet, and the cycles from the first context to its end."""
    inputs = {
        name: [w for pair in packets for w in beats_of(pair[k], block.beat)]
        for k, name in enumerate("ab")
    }
    steps = [decode(a, b, context=block.context, lanes=block.lanes) for a, b in packets]
    count = sum(map(len, steps))
    played = play(block, inputs, {"o": count}, limit=4 * count + 2 * len(inputs["a"]) + 200)
    found: list[list[int]] = [[]]
    ends: list[int] = []
    for word, cycle in zip(played.words["o"], played["o"].tolist(), strict=True):
        step = block.step.from_bits(word)
        found[-1] += [
            step.number * block.context + step.positions[lane]
            for lane in range(block.lanes)
            if step.found >> lane & 1
        ]
        if step.last:
            found.append([])
            ends.append(cycle - int(played["a"][0]))
    return found[:-1], ends


@pytest.mark.parametrize(("context", "lanes"), [(16, 1), (16, 2), (64, 4)])
def test_decoder_takes_the_cycles_of_its_steps(context, lanes):
    """At densities from 0.05 to 1 of both operands, in packets that end in the midst of a context.

    Where contexts come no slower than they are worked off, that is all; else they come one by one.
    """
    block = SparsityDecoder(context=context, lanes=lanes)
    rng = np.random.default_rng(context + lanes)
    packets = [
        (vectors(rng, n, density), vectors(rng, n, density))
        for density in (0.05, 0.2, 0.5, 0.8, 1.0, 0.05)
        for n in (3 * context + 1, 8 * context - 3, 1)
    ]
    found, ends = decode_in_netlist(block, packets)
    assert found == [np.flatnonzero(a * b).tolist() for a, b in packets]
    assert [len(positions) for positions in found] == [
        scipy.sparse.csr_array(a[None]).multiply(scipy.sparse.csr_array(b[None])).nnz
        for a, b in packets
    ]
    steps = [count_steps(a * b, context=context, lanes=lanes).tolist() for a, b in packets]
    assert ends == [end + block.latency for end in packet_ends(steps)]


def test_contexts_without_a_pair_cost_nothing():
    """From one pair in twenty on, contexts of 64 take the sum of their steps, and no more."""
    block = SparsityDecoder(context=64)
    rng = np.random.default_rng(1)
    length = 30 * 64
    densities = (0.5, 0.05, 0.1, 0.25, 1.0, 0.05)
    packets = [(vectors(rng, length, d), np.ones(length, np.uint64)) for d in densities]
    _, ends = decode_in_netlist(block, packets)
    steps = [int(count_steps(a * b, context=64, lanes=1).sum()) for a, b in packets]
    assert steps == [int(a.sum()) for a, _ in packets]
    assert np.diff(ends, prepend=block.latency - 1).tolist() == steps


@pytest.mark.parametrize(("empty", "shows"), [(0, 0), (15, 0), (16, 1)])
def test_empty_contexts_hide_behind_full_ones(empty, shows):
    """A full context of 16 hides 15 empty ones; one more shows."""
    block = SparsityDecoder()
    flags = np.repeat(([1] + [0] * empty) * 6 + [1], 16).astype(np.uint64)
    _, ends = decode_in_netlist(block, [(flags, np.ones(flags.size, np.uint64))])
    # The first one waits for the one behind it that has a pair.
    assert ends == [empty + 7 * 16 - 1 + block.latency + 5 * shows]


def matrices(rng, block, shape, densities, **how):
    m, k, n = shape
    sizes = zip(((m, k), (k, n)), densities, block.zeros, strict=True)
    return [sparse_words(block.operand, rng, s, d, zero=z, **how) for s, d, z in sizes]


def check_product(block, a, b):
    """Multiply in the netlist, compare; return when rows of the first tile end, and all steps."""
    y, ends = play_pairs(block, plan_pairs(block, {"a": a, "b": b}, whole=False))
    formats = {"operand": block.operand, "zeros": block.zeros}
    assert np.array_equal(y, multiply_pairs(a, b, total=block.total, **formats))
    steps = count_steps(pairs_of(a, b, **formats), context=block.context, lanes=block.lanes)
    # Besides the steps there is only the way of a single one.
    return ends[0] - block.groups[0].latency, steps


@pytest.mark.parametrize(("context", "lanes"), [(64, 1), (16, 2)])
def test_an_element_takes_the_cycles_of_its_pairs(context, lanes):
    """The sum of ceil(pairs / lanes) over contexts and a constant, from sparse to dense.

    One context per cycle is all that can come: 16 elements of which one in twenty counts are less
    than a cycle's work.
    """
    block = SparseMatmul(context=context, lanes=lanes, pes=1, contexts=16)
    rng = np.random.default_rng(2)
    least = 0.05 if context == 64 else 0.2
    densities = [1.0, least, 0.2, 0.5, 1.0, least]
    inner = 8 * context
    a = np.concatenate([sparse_words("int8", rng, (1, inner), d) for d in densities])
    b = sparse_words("int8", rng, (inner, 1), 1.0)
    ends, steps = check_product(block, a, b)
    found = steps.sum(axis=(1, 2))
    assert np.diff(ends, prepend=0).tolist() == found.tolist()
    left, right = (scipy.sparse.csr_array(x.astype(np.int64)) for x in (a, b.T))
    pairs = [left[[m]].multiply(right).nnz for m in range(len(a))]
    assert found.tolist() == pairs if lanes == 1 else all(found * lanes >= pairs)


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize("lanes", [1, 8])
def test_dense_operands_run_at_the_dense_rate(together, lanes):
    block = SparseMatmul(lanes=lanes, pes=4, together=together)
    rng = np.random.default_rng(3)
    a, b = matrices(rng, block, (4, 64, 4), (1.0, 1.0))
    ends, _ = check_product(block, a, b)
    assert ends.tolist() == [(m + 1) * 64 // lanes for m in range(4)]


def test_lock_step_takes_the_longest_of_each_context():
    block, free = (SparseMatmul(pes=4, together=together) for together in (4, 1))
    rng = np.random.default_rng(4)
    a, b = matrices(rng, block, (5, 160, 4), (0.6, 0.6))
    ends, steps = check_product(block, a, b)
    assert np.diff(ends, prepend=0).tolist() == steps.max(axis=1).sum(axis=1).tolist()
    sooner, _ = check_product(free, a, b)
    # As long as no queue is full, the slowest element decides.
    assert sooner[-1] == steps.sum(axis=(0, 2)).max() < ends[-1]


@pytest.mark.parametrize(
    ("inner", "left", "right"), [(0, 0, 0), (1, 0x80, 0x80), (63, 0x80, 0x80), (64, 0x80, 0)]
)
def test_ends_of_the_range(inner, left, right):
    """All ones, or one operand nothing but zeros; empty and ragged rows."""
    block = SparseMatmul(**TINY)
    check_product(
        block, np.full((3, inner), left, np.uint64), np.full((inner, 3), right, np.uint64)
    )


def test_zero_points():
    """What is skipped is not 0 but the zero-point, and 0 is a number like any other."""
    block = SparseMatmul(**TINY, a_zero=-3, b_zero=100)
    a = np.array([[-3, 0, 5, -128, 127, 100], [-3] * 6], np.int8)
    b = np.array([[100, 0, -3, 127, -128, 100]], np.int8).T
    y, _ = play_pairs(
        block,
        plan_pairs(block, {n: x.view(np.uint8).astype(np.uint64) for n, x in (("a", a), ("b", b))}),
    )
    expected = (a.astype(np.int64) + 3) @ (b.astype(np.int64) - 100)
    assert np.array_equal(y.astype(np.uint32).view(np.int32), expected)


@pytest.mark.parametrize("operand", ["fp8_e4m3", "fp8_e5m2"])
def test_floats_beside_zeros(operand):
    """Zeros of either sign are skipped, and infinity and NaN beside them do not come in."""
    number: Any = find_format(operand)
    block = SparseMatmul(**{**TINY, "operand": operand}, total="fp32", stages=6)
    minus, nan = 1 << 7, number.nan_bits
    endless = number.infinity_bits or nan
    one = number.bias << number.fraction_bits
    a = np.array([[0, minus, endless, nan, one], [one, 0, 0, 0, one], [endless, 0, 0, 0, 0]])
    b = np.array([[minus, endless, 0, minus, one], [one, 0, one, 0, 0]]).T
    a, b = a.astype(np.uint64), b.astype(np.uint64)
    y, _ = play_pairs(block, plan_pairs(block, {"a": a, "b": b}))
    values = y.astype(np.uint32).view(np.float32)
    big = np.inf if number.has_infinity else np.nan
    assert np.array_equal(values, [[1, big], [1, 1], [0, big]], equal_nan=True)
    rng = np.random.default_rng(5)
    check_product(block, *matrices(rng, block, (4, 61, 3), (0.7, 0.5), special=True))
    # In numbers that binary64 adds exactly.
    a, b = (
        np.where(np.isfinite(x), x, 0)
        for x in (
            rng.integers(-8, 9, shape).astype(number.dtype).astype(np.float64)
            for shape in ((4, 30), (30, 2))
        )
    )
    words = {n: number.to_bits(x.astype(number.dtype)) for n, x in (("a", a), ("b", b))}
    y, _ = play_pairs(block, plan_pairs(block, words))
    assert np.array_equal(y.astype(np.uint32).view(np.float32), a @ b)


def test_too_long_rows_and_columns_are_cut():
    """What does not fit is left out, and what follows is whole."""
    block = SparseMatmul(**{**TINY, "contexts": 2, "pes": 1})
    a, b = np.ones((2, 16), np.uint64), np.ones((16, 1), np.uint64)
    plan = plan_pairs(block, {"a": a, "b": b})
    plan.rows["a"][0] = np.ones(50, np.uint64)
    plan.rows["b"][0] = np.ones(30, np.uint64)
    y, _ = play_pairs(block, plan)
    assert y.tolist() == [[16], [16]]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lanes": 8, "context": 4}, "lanes must be at most the context, 4, not 8"),
        ({"together": 3}, "together must be a divisor of pes, 4, not 3"),
        ({"operand": "int4", "a_zero": 8}, "a_zero must be a value of int4, not 8"),
        ({"operand": "int8", "total": "fp32"}, "int8 cannot be summed in fp32"),
        ({"operand": "fp8_e4m3", "total": "fp32", "b_zero": 1}, "has no zero-points"),
    ],
)
def test_parameters_that_do_not_go_together(changes, told):
    with pytest.raises(ValueError, match=told):
        SparseMatmul(**changes)
    with pytest.raises(ValueError, match="lanes must be at most the context, 4, not 8"):
        SparsityDecoder(context=4, lanes=8)


def test_matrices_that_do_not_go_together():
    block, x = SparseMatmul(**TINY), np.zeros((3, 5), np.uint64)
    bits = {"a_bits": x[:2], "b_bits": x}
    for arrays, told in (
        ({"a": x, "b": x}, "not 5 of a and 3 of b"),
        ({"a": x, "b": x.T[:, :0]}, "no elements"),
        (
            {"a": np.zeros((1, 65), np.uint64), "b": np.zeros((65, 1), np.uint64)},
            "at most 64, not 65",
        ),
        ({"a": x, "b": x.T, **bits}, "a_bits must be"),
    ):
        with pytest.raises(ValueError, match=told):
            plan_pairs(block, arrays)
    with pytest.raises(ValueError, match="a must be a matrix"):
        block.drive({"a": x[0], "b": x}, {})
    with pytest.raises(ValueError, match="no setting 'turn'"):
        block.drive({"a": x, "b": x.T}, {"turn": "1"})
    with pytest.raises(ValueError, match="transpose_b must be true or false"):
        block.drive({"a": x, "b": x}, {"transpose_b": "2"})


def test_golden_product_is_that_of_numpy():
    """Without zero-points, skipping zeros changes no sum."""
    rng = np.random.default_rng(6)
    a, b = (sparse_words("int8", rng, s, 0.4) for s in ((7, 50), (50, 9)))
    whole = [x.astype(np.uint8).view(np.int8).astype(np.int64) for x in (a, b)]
    y = multiply_pairs(a, b, operand="int8", total="int32").astype(np.uint32).view(np.int32)
    assert np.array_equal(y, whole[0] @ whole[1])
    c, d = (rng.integers(-4, 5, s).astype(ml_dtypes.float8_e4m3fn) for s in ((7, 50), (50, 9)))
    words = [find_format("fp8_e4m3").to_bits(x) for x in (c, d)]
    z = multiply_pairs(*words, operand="fp8_e4m3", total="fp32").astype(np.uint32).view(np.float32)
    assert np.array_equal(z, c.astype(np.float32) @ d.astype(np.float32))
