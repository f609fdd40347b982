"""Compression of zeros: its rate, its size, and what comes back of it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from sluice.datasheet import LUT4, net_area
from sluice.formats import FORMATS, to_words
from sluice.sparsity import ReluCompress, ReluDecompress
from sluice.tensors import beats_of, rows_of
from sluice_sim.golden.sparsity import relu_compress, relu_decompress
from sluice_sim.play import play

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "tests/data/digits"
RESULTS = ROOT / "boards/sluice_boards/results"
RNG = np.random.default_rng(1)


def tensor(density: float, length: int, width: int = 16) -> np.ndarray:
    full = RNG.integers(1, 1 << width, length, dtype=np.uint64)
    return np.where(RNG.random(length) < density, full, np.uint64(0))


def send(block: Any, **rows: Any) -> dict[str, list[int]]:
    """Return the payloads of one packet by stream."""
    beats = {name: getattr(block, f"{'bits' if name == 'bitmap' else name}_beat") for name in rows}
    return {
        name: list(beats_of(np.asarray(row, np.uint64), beats[name])) for name, row in rows.items()
    }


@pytest.mark.parametrize("lanes", [4, 16])
def test_rate_at_every_density(lanes):
    """A beat goes in with every cycle, from empty to full and back, and all of it comes back."""
    block = ReluCompress(lanes=lanes, block=8 * lanes, stages=4)
    steps = [0, 1, 0.05, 0.95, 0.3, 1, 0.5, 0, 0.9, 0.7, 0.1, 1]
    words = np.concatenate([tensor(d, 16 * lanes) for d in steps])
    stored, bits, counts = relu_compress(words, block=block.block, width=16)
    inputs = send(block, i=words)
    sizes = {"o": -(-stored.size // lanes), "bitmap": -(-bits.size // lanes), "counts": counts.size}
    played = play(block, inputs, sizes, limit=2000)
    assert (np.diff(played["i"]) == 1).all()
    got = {
        name: rows_of(played.words[name], beat)[0]
        for name, beat in (
            ("o", block.i_beat),
            ("bitmap", block.bits_beat),
            ("counts", block.counts_beat),
        )
    }
    assert all((got[n] == w).all() for n, w in zip(got, (stored, bits, counts), strict=True))
    back = ReluDecompress(lanes=lanes, block=block.block, stages=4)
    inputs = send(back, counts=got["counts"], bitmap=got["bitmap"], i=got["o"])
    played = play(back, inputs, {"o": -(-words.size // lanes)}, limit=2000)
    assert (rows_of(played.words["o"], back.i_beat)[0] == words).all()
    assert (np.diff(played["o"]) == 1).all()


@pytest.mark.parametrize("width", [8, 16, 32])
@pytest.mark.parametrize("density", [0, 0.1, 0.3, 0.5, 0.9, 1])
def test_size_is_that_of_the_formula(width, density):
    """Per block the least of its elements, and of those not zero and a bit each; and 16 bits."""
    block, length = 256, 5 * 256 + 77
    words = tensor(density, length, width)
    stored, bits, counts = relu_compress(words, block=block, width=width)
    parts = [words[k : k + block] for k in range(0, length, block)]
    least = [min(p.size * width, np.count_nonzero(p) * width + p.size) for p in parts]
    assert stored.size * width + bits.size == sum(least)
    assert stored.size * width + bits.size + 16 * counts.size <= length * width + 16 * len(parts)
    assert (relu_decompress(stored, bits, counts, block=block) == words).all()


def test_what_is_stored_is_that_of_other_software():
    """Rows of a compressed sparse matrix are blocks; their bits are those that NumPy packs."""
    words = tensor(0.4, 64 * 32)
    stored, bits, counts = relu_compress(words, block=32, width=16)
    matrix = scipy.sparse.csr_array(words.reshape(64, 32).astype(np.int64))
    assert (stored == matrix.data.astype(np.uint64)).all()
    starts = np.concatenate([[0], np.cumsum(counts & np.uint64((1 << 15) - 1))])
    assert (starts == matrix.indptr).all()
    assert (np.packbits(bits) == np.packbits(words != 0)).all()


@pytest.mark.parametrize("name", ["bf16", "fp8_e4m3", "fp32"])
def test_negative_zero_and_nan_come_back(name):
    """What is left out is decided by bits, so that nothing is lost that has a value of zero."""
    number = FORMATS[name]
    values = np.array([0.0, -0.0, np.nan, -np.nan, 1, 0, -0.0, 0] * 8, np.float32)
    words = to_words(values, number).reshape(-1)
    stored, bits, counts = relu_compress(words, block=16, width=number.width)
    assert (relu_decompress(stored, bits, counts, block=16) == words).all()
    assert bits.sum() == np.count_nonzero(words) == 8 * 5


def test_any_blocks_can_be_had_alone():
    """Blocks from the middle, at the places that prefix sums of the table give."""
    block, lanes = 16, 4
    words = np.concatenate(
        [tensor(d, block) for d in (0.3, 1, 0.6, 0, 0.9, 1, 0.2)] + [tensor(0.5, 7)]
    )
    stored, bits, counts = relu_compress(words, block=block, width=16)
    sizes = (counts & np.uint64((1 << 15) - 1)).astype(int)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    has_bits = np.concatenate([[0], np.cumsum(counts >> np.uint64(15) == 0)]) * block
    design = ReluDecompress(lanes=lanes, block=block, stages=2)
    for first, last in ((0, 1), (1, 2), (2, 5), (3, 4), (5, 8), (7, 8)):
        beat, skip = divmod(int(starts[first]), lanes)
        inputs = send(
            design,
            counts=counts[first:last],
            bitmap=bits[has_bits[first] : has_bits[last]],
            i=stored[beat * lanes : starts[last]],
        )
        wanted = words[first * block : last * block]
        beats = -(-wanted.size // lanes)
        played = play(design, inputs, {"o": beats}, limit=200, settings={"config": skip})
        assert (rows_of(played.words["o"], design.i_beat)[0] == wanted).all(), (first, last)


@pytest.mark.parametrize("gradient", [False, True])
def test_the_digits_network(gradient):
    """Activations behind a ReLU, and their gradients, get as small as they are sparse."""
    array = np.load(DIGITS / "hidden.npy")
    if gradient:
        array = np.where(array > 0, np.load(DIGITS / "dhidden.npy"), np.float32(0))
    words = to_words(array.reshape(-1), FORMATS["fp32"]).reshape(-1)
    stored, bits, counts = relu_compress(words, block=256, width=32)
    assert (relu_decompress(stored, bits, counts, block=256) == words).all()
    ratio = words.size * 32 / (stored.size * 32 + bits.size + 16 * counts.size)
    density = np.count_nonzero(words) / words.size
    assert ratio == pytest.approx(1 / (density + 1 / 32 + 16 / 256 / 32), rel=0.02)


@pytest.mark.parametrize("name", ["compact", "expand", "relu_compress", "relu_decompress"])
def test_what_was_measured_is_fast_and_grows_as_the_network(name):
    """16 lanes of bf16 at 150 MHz; tables per lane grow no faster than the levels of switches."""
    records = {r["preset"]: r for r in json.loads((RESULTS / f"{name}.json").read_text())[::-1]}
    assert records["default"]["worst_mhz"] >= 150
    lanes = {"4": 4, "8": 8, "default": 16, "32": 32}
    found = [(records[p], n) for p, n in lanes.items()]
    each = [net_area(record)[LUT4] / (n * math.log2(n)) for record, n in found]
    assert (np.diff(each) <= 0).all(), each
