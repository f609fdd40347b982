"""Pruning of real weights: histogram, threshold, mask."""

from pathlib import Path

import numpy as np
import pytest

from sluice.formats import FORMATS, to_words
from sluice.registers import pack_fields
from sluice.sparsity import Histogram, Prune
from sluice.tensors import beats_of, rows_of
from sluice_sim.golden.sparsity import histogram, magnitudes
from sluice_sim.play import play

DIGITS = Path(__file__).resolve().parents[1] / "data/digits"


def words_of(name: str) -> np.ndarray:
    """Return an array as bit patterns of bf16."""
    number = FORMATS["bf16"]
    return to_words(np.load(DIGITS / f"{name}.npy").astype(number.dtype), number).reshape(-1)


@pytest.mark.parametrize("bins", [2, 16, 256])
def test_golden_histogram_is_that_of_numpy(bins):
    sizes = np.random.default_rng(bins).integers(0, 1 << 8, 500)
    counts, _ = histogram(sizes, bins=bins, most=0, bits=8)
    edges = np.linspace(0, 256, bins + 1)
    assert (counts == np.histogram(sizes, edges)[0]).all()


@pytest.mark.parametrize("most", [0, 1, 7, 250, 499, 500, 1000])
def test_golden_threshold_is_the_least(most):
    """With a bin for each magnitude it is next to the first element that must go."""
    sizes = np.random.default_rng(most).integers(0, 255, 500)
    _, threshold = histogram(sizes, bins=256, most=most, bits=8)
    down = np.sort(sizes)[::-1]
    assert threshold == (down[most] + 1 if most < sizes.size else 0)


def test_the_digits_network_is_pruned():
    """Of the weights a quarter is kept, the largest ones."""
    words = words_of("w1")
    most = words.size // 4
    count = Histogram(lanes=16, bins=1024, count="uint16")
    settings = {"config": pack_fields(count.config.shape(), {"most": most})}
    outputs = {"o": count.bins, "threshold": 1}
    inputs = {"i": list(beats_of(words, count.i_beat))}
    played = play(count, inputs, outputs, limit=10000, settings=settings)
    threshold = int(rows_of(played.words["threshold"], count.threshold_beat)[0][0])
    sizes = magnitudes(words, width=16, signed=False, is_float=True)
    kept = sizes >= threshold
    # Of all that could be kept, only what shares a bin with what must go is not.
    assert most - np.sum((sizes < threshold) & (sizes >= threshold - 32)) <= kept.sum() <= most

    prune = Prune(lanes=16, group=1)
    settings = {"config": pack_fields(prune.config.shape(), {"threshold": threshold, "most": 1})}
    beats = words.size // 16
    played = play(prune, inputs, {"o": beats, "bits": beats}, limit=1000, settings=settings)
    pruned = rows_of(played.words["o"], prune.i_beat)[0]
    assert (pruned == np.where(kept, words, 0)).all()
