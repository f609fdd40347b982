"""Fake quantization: the golden model against PyTorch, the block's steps, and training with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice.quantization import FakeQuantize
from sluice.quantization.fake_quantize import STEPS
from sluice.quantization.fake_quantize_unit import FakeQuantizeUnit
from sluice.registers import pack_fields
from sluice.tensors import beats_of, rows_of
from sluice_sim.golden.quantization import fake_quantize
from sluice_sim.play import play

FOLDER = Path(__file__).resolve().parents[1] / "data"
TRACES = np.load(FOLDER / "quantization/traces.npz")
RANGES = range(len({key.split("/")[0] for key in TRACES}))


def settings_of(k: int) -> dict[str, Any]:
    """Return the settings of one of the traces."""
    scale, inverse, *codes = TRACES[f"{k}/settings"].tolist()
    zero, low, high = (code - (code >> 31 << 32) for code in codes)
    names = ("scale", "inv_scale", "zero_point", "qmin", "qmax")
    return dict(zip(names, (scale, inverse, zero, low, high), strict=True))


@pytest.mark.parametrize("k", RANGES)
def test_golden_is_that_of_torch(k):
    found, inside = fake_quantize(TRACES[f"{k}/x"], **settings_of(k))
    assert (found == TRACES[f"{k}/o"]).all()
    assert (inside == TRACES[f"{k}/bits"]).all()
    # A subnormal scale has no reciprocal, and so no number is in its range.
    assert bool(inside.any()) is (settings_of(k)["inv_scale"] < 0x7F800000)
    assert not inside.all()


@pytest.mark.parametrize("k", RANGES)
def test_gradient_passes_where_bits_are_set(k):
    _, inside = fake_quantize(TRACES[f"{k}/x"], **settings_of(k))
    gradient = np.arange(1, inside.size + 1, dtype=np.float32)
    passed = np.where(inside, gradient, np.float32(0))
    assert (passed.view(np.uint32) == TRACES[f"{k}/gradient"]).all()


@pytest.mark.parametrize("k", [5, 8])
def test_block_is_that_of_torch(k):
    block = FakeQuantize(lanes=1, stages=5)
    words = TRACES[f"{k}/x"].astype(np.uint64)
    settings = {"config": pack_fields(block.config.shape(), settings_of(k))}
    beats = list(beats_of(words, block.i_beat))
    outputs = {"o": len(beats), "bits": len(beats)}
    played = play(block, {"i": beats}, outputs, limit=1000, settings=settings)
    assert (rows_of(played.words["o"], block.i_beat)[0] == TRACES[f"{k}/o"]).all()
    assert (rows_of(played.words["bits"], block.bits_beat)[0] == TRACES[f"{k}/bits"]).all()


def test_every_stage_is_a_register():
    assert FakeQuantizeUnit(stages=STEPS + 1).steps == STEPS
    for stages in range(STEPS + 1):
        unit = FakeQuantizeUnit(stages=stages)
        assert sum(unit.registers) == unit.latency == stages


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_codes_come_back(bits):
    """Every code of a range is the code of what it stands for."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    scale = np.float32(0.1)
    codes = np.arange(low, high + 1)
    words = (codes.astype(np.float32) * scale).view(np.uint32)
    found, inside = fake_quantize(
        words,
        scale=int(scale.view(np.uint32)),
        inv_scale=int((np.float32(1) / scale).view(np.uint32)),
        zero_point=0,
        qmin=low,
        qmax=high,
    )
    assert (found == words).all()
    assert inside.all()


@pytest.mark.torch
def test_traces_are_those_of_torch():
    # It imports torch, which the default tests do without.
    import quantization_traces

    assert len(quantization_traces.RANGES) == len(RANGES)
    made = quantization_traces.make()
    assert made.keys() == set(TRACES)
    for key, array in made.items():
        assert np.array_equal(array, TRACES[key]), key
