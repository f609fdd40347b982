"""Product quantization: golden models against SciPy, and matrices through the blocks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.vq import kmeans2, vq

from sluice.catalogue import RequestError, find_block
from sluice.quantization import ProductDecode
from sluice_sim.golden.codebook import product_decode, product_encode

RANGES = {"int4": (-8, 8), "int8": (-128, 128), "uint8": (0, 256), "int16": (-(1 << 15), 1 << 15)}


@pytest.mark.parametrize("element", RANGES)
@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_golden_is_that_of_scipy(element, lanes):
    rng = np.random.default_rng(lanes)
    for count in (2, 16, 256):
        book = rng.integers(*RANGES[element], (count, lanes))
        # Some are there twice, of which the first one counts.
        book[count // 2 :] = rng.permutation(book)[: count // 2]
        blocks = rng.integers(*RANGES[element], (500, lanes))
        codes, distances = vq(blocks.astype(float), book.astype(float))
        indices, squares = product_encode(blocks.ravel(), book)
        assert (indices == codes).all()
        exact = ((blocks - book[codes]) ** 2).sum(1)
        assert (squares == np.minimum(exact, (1 << 32) - 1)).all()
        assert np.allclose(np.sqrt(exact), distances)


def test_golden_of_rows_that_end_within_a_block():
    book = np.array([[0, 9], [3, 3], [1, -9]])
    indices, squares = product_encode([3, 4, 1], book)
    assert indices.tolist() == [1, 2]
    assert squares.tolist() == [1, 0]
    assert product_decode(indices, book, spare=1).tolist() == [3, 3, 1]
    assert product_decode([], book).size == product_encode([], book)[0].size == 0


def sluice(*arguments, cwd):
    command = [sys.executable, "-m", "sluice.cli", "run", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def quantized_weights(lanes, count):
    """Return a trained layer's weights in int8, and k-means centroids of its blocks."""
    weights = np.load(Path(__file__).resolve().parents[1] / "data/digits/w1.npy")[:24]
    weights = np.rint(weights * (127 / np.abs(weights).max()))
    centroids, _ = kmeans2(weights.reshape(-1, lanes), count, rng=4, minit="points")
    return weights.astype(np.int8), np.rint(centroids).astype(np.int8)


def test_a_matrix_through_both_blocks(tmp_path):
    """Each row is a packet; what encodes and what decodes are simulated blocks."""
    weights, book = quantized_weights(4, 16)
    np.save(tmp_path / "w.npy", weights)
    np.save(tmp_path / "book.npy", book.reshape(1, -1))
    same = ("--set", "lanes=4", "--set", "index_bits=4", "--input", "codebook=book.npy")
    found = ("--output", "o=codes.npy", "--output", "squares=squares.npy")
    said = sluice("product_encode", *same, "--input", "i=w.npy", *found, cwd=tmp_path)
    assert "no error" in said
    codes = np.load(tmp_path / "codes.npy")
    theirs, distances = vq(weights.reshape(-1, 4).astype(float), book.astype(float))
    assert codes.shape == (24, weights.shape[1] // 4)
    assert (codes.ravel() == theirs).all()
    assert np.allclose(np.sqrt(np.load(tmp_path / "squares.npy").ravel()), distances)
    back = ("--set", "element=int8", "--input", "i=codes.npy", "--output", "o=back.npy")
    assert "no error" in sluice("product_decode", *same, *back, cwd=tmp_path)
    decoded = np.load(tmp_path / "back.npy")
    assert (decoded == book[theirs].reshape(weights.shape)).all()
    # As far from the weights as was said.
    assert ((weights - decoded.astype(float)) ** 2).sum() == np.load(tmp_path / "squares.npy").sum()


def test_rows_with_a_codebook_each_and_padding(tmp_path):
    rng = np.random.default_rng(12)
    books = rng.normal(size=(3, 4, 5)).astype(np.float32)
    codes = rng.integers(0, 4, (3, 7)).astype(np.uint8)
    np.save(tmp_path / "codes.npy", codes)
    np.save(tmp_path / "books.npy", books.reshape(3, -1))
    said = sluice(
        *("product_decode", "--set", "element=fp32", "--set", "lanes=5", "--set", "index_bits=2"),
        *("--input", "i=codes.npy", "--input", "codebook=books.npy", "--output", "o=w.npy"),
        *("--config", "fresh=each", "--config", "spare=3"),
        cwd=tmp_path,
    )
    assert "no error" in said
    wanted = [product_decode(c, b, spare=3) for c, b in zip(codes, books, strict=True)]
    assert (np.load(tmp_path / "w.npy") == np.array(wanted)).all()


def test_fresh_as_text():
    block = ProductDecode()
    taken = [{"fresh": 1}, {"fresh": 0}]
    assert block.read_settings({}, packets=3) == taken
    assert block.read_settings({"fresh": "true"}, packets=3) == taken
    assert block.read_settings({"fresh": "false"}, packets=3) == [{"fresh": 0}]
    each = {"fresh": "each", "spare": "2"}
    assert block.read_settings(each, packets=3) == [{"fresh": 1, "spare": 2}]
    for texts in ({"fresh": "no"}, {"spare": "x"}):
        with pytest.raises(ValueError, match=next(iter(texts))):
            block.read_settings(texts, packets=3)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"index_bits": 2, "engines": 8}, "engines must be at most 4"),
        ({"engines": 3}, "engines must be one of 1 2 4"),
        ({"element": "bf16"}, "element must be one of int8"),
    ],
)
def test_parameters_that_do_not_go_together(changes, text):
    with pytest.raises(RequestError, match=text):
        find_block("product_encode").make(**changes)
