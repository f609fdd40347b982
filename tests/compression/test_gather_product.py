"""Products with a matrix of indices: golden model, requests, and the network of the digits."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.vq import kmeans2

from sluice.catalogue import RequestError, find_block
from sluice.compression import CentroidMatmul
from sluice_sim.golden.gather import centroid_matmul

DIGITS = Path(__file__).resolve().parents[1] / "data/digits"


@pytest.mark.parametrize("count", [2, 5, 16, 256])
def test_golden_is_a_matrix_product(count):
    rng = np.random.default_rng(count)
    table, indices = rng.integers(-128, 128, count), rng.integers(0, count, (13, 7))
    x, error = rng.integers(-128, 128, (4, 13)), rng.integers(-128, 128, (4, 7))
    weights = table[indices]
    assert np.array_equal(centroid_matmul(x, indices, table), x @ weights)
    assert np.array_equal(centroid_matmul(error, indices, table, transpose=True), error @ weights.T)
    with pytest.raises(ValueError, match="must be matrices"):
        centroid_matmul(x[0], indices, table)


def integers(array: np.ndarray) -> np.ndarray:
    """Return int8 of which the largest is near the largest there is."""
    return np.round(array * (120 / np.abs(array).max())).astype(np.int8)


@pytest.mark.parametrize("transpose", [False, True])
def test_digits_from_the_command_line(tmp_path, transpose):
    """The first layer of the digits network, of 16 centroids: its output, or its input's gradient.

    What it is compared with is NumPy's product with the weights that the indices stand for.
    """
    weights = integers(np.load(DIGITS / "w1.npy"))
    begin = np.quantile(np.unique(weights), np.linspace(0, 1, 16))
    centroids, at = kmeans2(weights.ravel().astype(float), begin, minit="matrix")
    table = np.round(centroids)[None].astype(np.int8)
    indices = at.reshape(weights.shape).astype(np.uint8)
    x = integers(np.load(DIGITS / ("dhidden.npy" if transpose else "inputs.npy")))[:5]
    for name, array in (("x", x), ("indices", indices), ("table", table)):
        np.save(tmp_path / f"{name}.npy", array)
    command = [sys.executable, "-m", "sluice.cli", "run", "centroid_matmul", "--output", "y.npy"]
    command += [f"--input={name}={name}.npy" for name in ("x", "indices", "table")]
    command += ["--config", "transpose=true"] if transpose else []
    done = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert "no error" in done.stdout
    y, w = np.load(tmp_path / "y.npy"), table[0].astype(np.int64)[indices]
    assert np.array_equal(y, x.astype(np.int64) @ (w.T if transpose else w))


def test_requests_that_cannot_be_met():
    engine = CentroidMatmul(blocks=8, beats=8, count_bits=6)
    x, at = np.zeros((3, 5), np.uint64), np.zeros((5, 9), np.uint64)
    table = np.zeros((1, 16), np.uint64)
    arrays = {"x": x, "indices": at, "table": table}

    def refused(says: str, texts=None, **changes):
        with pytest.raises(ValueError, match=says) as caught:
            engine.drive({**arrays, **changes}, texts or {})
        assert "\n" not in str(caught.value)

    assert engine.drive(arrays, {}).packets == 3
    assert engine.drive({**arrays, "x": x[:, :1].repeat(9, 1)}, {"transpose": "true"}).packets == 3
    refused("x must have 9 columns, for indices of 5x9 transposed, and is 3x5", {"transpose": "1"})
    refused("x must have 5 columns, for indices of 5x9, and is 3x4", x=x[:, 1:])
    refused("x must be a matrix", x=x[0])
    refused("indices must be a matrix", indices=at[:, :0])
    refused("no setting 'turn': there is transpose", {"turn": "1"})
    refused("transpose must be true or false", {"transpose": "2"})
    refused("9 blocks of 8x8, and there is room for 8", x=x[:, :1], indices=at[:1].repeat(8, 1))
    wide = np.zeros((65, 1), np.uint64)
    refused("9 blocks", x=wide.T, indices=wide)
    refused("at most 64 rows and columns", x=x[:1].repeat(65, 0))
    refused("table must be a row of at most 16", table=np.zeros((1, 17), np.uint64))
    refused("table must be a row", table=np.zeros((2, 8), np.uint64))
    refused(r"indices must be in 0\.\.3, as the table is", table=table[:, :4], indices=at + 4)
    narrow = CentroidMatmul(blocks=16, beats=8)
    with pytest.raises(ValueError, match="x must have at most 64 columns, not 65"):
        narrow.drive({**arrays, "x": wide.T, "indices": wide}, {})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sums": "trees", "index_bits": 6}, "index_bits must be at most 5"),
        ({"lanes": 6}, "lanes must be"),
        ({"blocks": 48}, "blocks must be"),
    ],
)
def test_parameters_that_do_not_go_together(changes, text):
    with pytest.raises(RequestError, match=text):
        find_block("centroid_matmul").make(**changes)
