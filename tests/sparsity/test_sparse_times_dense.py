"""Sparse times dense, and its transpose: against SciPy, in cycles, and from the command line."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from sluice.sparsity import SparseEncoder, SparseTimesDense
from sluice.sparsity.sparse_driver import Encoding, encode_dense, plan_sparse
from sluice.tensors import beats_of, rows_of
from sluice_sim.bench.array import matrix_words
from sluice_sim.golden.arith import add, multiply_add
from sluice_sim.golden.sparse import accumulate_rows, encode_columns, multiply_sparse
from sluice_sim.play import play, play_sparse

SMALL: dict[str, Any] = {"lanes": 2, "sums": 16, "dense": 16}
FLOAT: dict[str, Any] = {"operand": "fp8_e5m2", "total": "fp16", "stages": 0, **SMALL}


def random_matrix(rng, shape, count, *, column=None) -> Encoding:
    """Return a matrix of int8 with zeros among the non-zeros, some of them in one place."""
    rows = np.sort(rng.integers(0, shape[0], count))
    indices = rng.integers(0, shape[1], count) if column is None else np.full(count, column)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    values = rng.integers(0, 256, count).astype(np.uint64)
    values[rng.random(count) < 0.1] = 0
    return Encoding(shape, ptr, indices, values)


def signed(words) -> np.ndarray:
    return words.astype(np.int64) - (words.astype(np.int64) >> 7 << 8)


def by_scipy(matrix: Encoding, d, *, transpose: bool) -> np.ndarray:
    """Return the product in int32, as bit patterns; of a transpose the rows of some column."""
    a = scipy.sparse.csr_matrix(
        (signed(matrix.values), matrix.indices, matrix.row_ptr), shape=matrix.shape
    )
    y = (a.T @ signed(d))[matrix.columns] if transpose else a @ signed(d)
    return (np.asarray(y) & 0xFFFFFFFF).astype(np.uint64)


def golden(engine: SparseTimesDense, matrix: Encoding, d, *, transpose: bool) -> np.ndarray:
    names = ("operand", "total", "lanes", "slices", "sums", "dense", "flush")
    return multiply_sparse(
        *(matrix.row_ptr, matrix.indices, matrix.values, d),
        columns=matrix.shape[1],
        transpose=transpose,
        **{name: getattr(engine, name) for name in names},
    )


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("count", [0, 1, 30, 300])
def test_golden_is_scipy(count, transpose):
    """Whatever the sizes of the engine, the integers are those of SciPy."""
    rng = np.random.default_rng(count)
    engine = SparseTimesDense(lanes=3, sums=4, dense=8)
    matrix = random_matrix(rng, (19, 41), count)
    d = rng.integers(0, 256, (19 if transpose else 41, 17)).astype(np.uint64)
    y = golden(engine, matrix, d, transpose=transpose)
    assert np.array_equal(y, by_scipy(matrix, d, transpose=transpose))


def test_encoding_is_that_of_scipy():
    """Sorting by place gives the transposed matrix; the places are those of the golden model."""
    rng = np.random.default_rng(3)
    matrix = random_matrix(rng, (30, 70), 200)
    columns, places = encode_columns(matrix.indices, 70)
    assert np.array_equal(columns, matrix.columns)
    assert np.array_equal(places, matrix.places)
    order = np.argsort(places, kind="stable")
    a = scipy.sparse.csr_matrix(
        (signed(matrix.values), matrix.indices, matrix.row_ptr), shape=matrix.shape
    )
    turned = a.tocsc()
    assert np.array_equal(turned.data, signed(matrix.values)[order])
    assert np.array_equal(turned.indices, matrix.rows[order])


def test_order_of_floats():
    """Banks take turns, each product is fused into its sum, and banks are added one by one."""
    rng = np.random.default_rng(4)
    values, d = matrix_words("bf16", rng, (7,)), matrix_words("bf16", rng, (7, 5))
    banks = [np.zeros(5, np.uint64) for _ in range(4)]
    for k in range(7):
        product: dict[str, Any] = {"source": "bf16", "addend": "fp32"}
        banks[k % 4] = multiply_add(values[k], d[k], banks[k % 4], **product)
    expected = banks[0]
    for bank in banks[1:]:
        expected = add(expected, bank, source="fp32")
    formats: dict[str, Any] = {"operand": "bf16", "total": "fp32"}
    y = accumulate_rows([0] * 7, range(7), values, d, outputs=1, banks=4, **formats)
    assert np.array_equal(y[0], expected)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize(
    ("shape", "count", "width", "changes"),
    [
        ((9, 12), 40, 2, {}),
        ((9, 12), 40, 5, {}),
        ((9, 12), 40, 8, {}),
        ((5, 7), 0, 3, {}),
        ((12, 9), 50, 8, FLOAT),
        ((12, 9), 50, 1, FLOAT),
    ],
    ids=["one slice", "ragged", "all slices", "empty", "floats", "narrow floats"],
)
def test_cycles(shape, count, width, changes, transpose):
    """A step for each slice of a non-zero, and the way of the sums; nothing else, ever."""
    engine = SparseTimesDense(**{**SMALL, **changes})
    rng = np.random.default_rng(5)
    matrix = random_matrix(rng, shape, count)
    d = matrix_words(engine.operand, rng, (shape[0 if transpose else 1], width))
    product = plan_sparse(engine, matrix, d, transpose=transpose)
    if not product.command:
        assert count == 0
        assert transpose
        return
    y, at = play_sparse(engine, product)
    assert np.array_equal(y, golden(engine, matrix, d, transpose=transpose))
    # A non-zero is taken with its last slice, a row without one at once.
    slices = 1 << (-(-width // engine.lanes) - 1).bit_length()
    first = slices if matrix.row_ptr[1] else 1
    assert at["taken"] - at["begins"] + first == product.steps + int(
        (np.diff(matrix.row_ptr) == 0).sum()
    )
    assert at["ends"] - at["begins"] + first - 1 == product.cycles


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("changes", [{}, FLOAT], ids=["integers", "floats"])
def test_one_column_takes_no_longer(changes, transpose):
    """All non-zeros in one column, and in one row: as many cycles as anywhere else."""
    engine = SparseTimesDense(**{**SMALL, **changes})
    rng = np.random.default_rng(6)
    taken = []
    for shape, column in (((1, 9), 4), ((9, 9), None)):
        matrix = random_matrix(rng, shape, 100, column=column)
        assert (np.diff(matrix.row_ptr) > 0).all()
        d = matrix_words(engine.operand, rng, (shape[0 if transpose else 1], 2))
        product = plan_sparse(engine, matrix, d, transpose=transpose)
        y, at = play_sparse(engine, product)
        assert np.array_equal(y, golden(engine, matrix, d, transpose=transpose))
        taken.append(at["taken"] - at["begins"] + 1)
    assert taken == [100, 100]


@pytest.mark.parametrize("transpose", [False, True])
def test_parts_follow_each_other(transpose):
    """More columns than there are sums, more rows than there is room for, and wide rows."""
    engine = SparseTimesDense(**{**SMALL, "sums": 8, "dense": 8})
    rng = np.random.default_rng(7)
    matrix = random_matrix(rng, (21, 50), 200)
    d = rng.integers(0, 256, (21 if transpose else 50, 11)).astype(np.uint64)
    product = plan_sparse(engine, matrix, d, transpose=transpose)
    assert len(product.command) > 20
    y, _ = play_sparse(engine, product)
    assert np.array_equal(y, by_scipy(matrix, d, transpose=transpose))


def test_cycles_of_parts():
    """Sums of one part leave while rows of the next are loaded; only what is said is lost."""
    engine = SparseTimesDense(**SMALL)
    rng = np.random.default_rng(8)
    matrix = random_matrix(rng, (9, 60), 150)
    d = rng.integers(0, 256, (9, 8)).astype(np.uint64)
    product = plan_sparse(engine, matrix, d, transpose=True)
    assert len(product.command) == -(-len(matrix.columns) // 16) > 2
    y, at = play_sparse(engine, product)
    assert np.array_equal(y, by_scipy(matrix, d, transpose=True))
    assert at["ends"] - at["begins"] + 3 == product.cycles


def test_embedding():
    """64 bags of 10 words out of 5000: what the documentation shows, with the encoder before it."""
    rng = np.random.default_rng(1)
    indices = np.concatenate([rng.choice(5000, 10, replace=False) for _ in range(64)])
    values = rng.integers(1, 4, 640).astype(np.uint64)
    matrix = Encoding((64, 5000), np.arange(0, 641, 10), indices, values)
    encoder = SparseEncoder(columns=5000)
    words = list(beats_of(indices.astype(np.uint64), encoder.beat))
    count = len(matrix.columns)
    found = play(encoder, {"i": words, "again": words}, {"o": count, "place": 640}, limit=4000)
    assert np.array_equal(rows_of(found.words["o"], encoder.beat)[0], matrix.columns)
    assert np.array_equal(rows_of(found.words["place"], encoder.beat)[0], matrix.places)
    assert found["i"][-1] - found["i"][0] == found["again"][-1] - found["again"][0] == 639
    engine = SparseTimesDense(lanes=4, sums=1024, dense=64)
    d = rng.integers(0, 256, (64, 16)).astype(np.uint64)
    product = plan_sparse(engine, matrix, d, transpose=True)
    y, at = play_sparse(engine, product)
    assert np.array_equal(y, by_scipy(matrix, d, transpose=True))
    assert at["taken"] - at["begins"] + 4 == 640 * 4
    assert at["ends"] - at["begins"] + 3 == product.cycles


def test_walk_of_the_encoder():
    """A cycle for a word without a mark, and one for each mark of the others."""
    encoder = SparseEncoder(columns=640, word=8)
    spans = []
    for indices in ([0, 639], list(range(0, 640, 2)), list(range(640))):
        words = list(beats_of(np.array(indices, np.uint64), encoder.beat))
        outputs = {"o": len(indices), "place": len(indices)}
        found = play(encoder, {"i": words, "again": words}, outputs, limit=4000)
        assert found["o"][0] - found["i"][-1] == encoder.latency
        spans.append(int(found["o"][-1] - found["o"][0]) + 1)
    # The second mark of the two is in the last of 80 words, and the first in the first.
    assert spans == [80, 320, 640]


def test_encodings_that_are_none():
    values = np.ones(3, np.uint64)
    with pytest.raises(ValueError, match="row_ptr must be 3 numbers that do not fall"):
        Encoding((2, 4), np.array([0, 2]), np.array([0, 1, 2]), values)
    with pytest.raises(ValueError, match="do not fall"):
        Encoding((2, 4), np.array([0, 3, 2]), np.array([0, 1, 2]), values)
    with pytest.raises(ValueError, match="same count, not 2, 3 and 3"):
        Encoding((2, 4), np.array([0, 2, 2]), np.array([0, 1, 2]), values)
    with pytest.raises(ValueError, match=r"indices must be in 0\.\.3"):
        Encoding((2, 4), np.array([0, 2, 3]), np.array([0, 1, 4]), values)
    zero = np.array([[0x8000, 1]], np.uint64)
    assert encode_dense(zero, sign=1 << 15).indices.tolist() == [1]


def test_requests_that_cannot_be_met():
    engine, x = SparseTimesDense(**SMALL), np.zeros((3, 5), np.uint64)
    with pytest.raises(ValueError, match="d must have 5 rows, for a of 3x5, and is 3x5"):
        engine.drive({"a": x, "d": x}, {})
    with pytest.raises(ValueError, match="d must have 3 rows, for a of 3x5 transposed"):
        engine.drive({"a": x, "d": x.T}, {"transpose": "true"})
    with pytest.raises(ValueError, match="no setting 'turn'"):
        engine.drive({"a": x, "d": x}, {"turn": "1"})
    with pytest.raises(ValueError, match="transpose must be true or false"):
        engine.drive({"a": x, "d": x}, {"transpose": "2"})
    with pytest.raises(ValueError, match="a must be a matrix"):
        engine.drive({"a": x[0], "d": x}, {})
    with pytest.raises(ValueError, match="sums must be at most 8 with index uint4"):
        SparseTimesDense(index="uint4", sums=16, dense=2)
    with pytest.raises(ValueError, match="columns must be at most 16 with index uint4"):
        SparseEncoder(columns=17, index="uint4")
    with pytest.raises(ValueError, match="int8 cannot be accumulated in fp32"):
        SparseTimesDense(total="fp32")


@pytest.mark.parametrize("transpose", [False, True])
def test_from_the_command_line(tmp_path, transpose):
    rng = np.random.default_rng(9)
    a = rng.integers(-128, 128, (6, 40)) * (rng.random((6, 40)) < 0.1)
    d = rng.integers(-128, 128, (6 if transpose else 40, 9))
    np.save(tmp_path / "a.npy", a.astype(np.int8))
    np.save(tmp_path / "d.npy", d.astype(np.int8))
    made = [f"--set={name}={value}" for name, value in SMALL.items()]
    config = ["--config", "transpose=true"] if transpose else []
    command = [sys.executable, "-m", "sluice.cli", "run", "sparse_times_dense"]
    command += ["--input", "a=a.npy", "--input", "d=d.npy", "--output", "y.npy", *made, *config]
    done = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    y = np.load(tmp_path / "y.npy")
    sparse = scipy.sparse.csr_matrix(a)
    assert np.array_equal(y, (sparse.T if transpose else sparse) @ d)
    assert "no error" in done.stdout
