"""Loss scaling: golden models and blocks against PyTorch, and training with small gradients."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sluice.formats import FORMATS
from sluice.optimizer import GradientMonitor, LossScale, Policy
from sluice.registers import pack_fields
from sluice.tensors import beats_of
from sluice_sim.bench.loss_scaling import fields_word
from sluice_sim.golden.loss_scaling import Decision, Report, Settings, decide, report
from sluice_sim.golden.sparsity import histogram
from sluice_sim.play import play

FOLDER = Path(__file__).resolve().parents[1] / "data"
TRACES = np.load(FOLDER / "optimizer/scaler.npz")
RUNS = range(len({key.split("/")[0] for key in TRACES}))
COUNT_BITS = 12


def settings_of(k: int) -> Settings:
    """Return the settings of one of the runs."""
    initial, growth, backoff, interval = TRACES[f"{k}/settings"].tolist()
    return Settings(initial=initial, growth=growth, backoff=backoff, interval=interval)


def decisions_of(k: int) -> list[Decision]:
    """Return what the golden models decide in one of the runs."""
    reports = [report(packets, element="fp32") for packets in TRACES[f"{k}/gradient"]]
    settings = settings_of(k)
    made, stuck = decide(
        [(one, settings) for one in reports], element="fp32", count_bits=COUNT_BITS
    )
    assert not stuck
    return made


@pytest.mark.parametrize("k", RUNS)
def test_golden_is_that_of_torch(k):
    made = decisions_of(k)
    assert [one.exponent for one in made] == TRACES[f"{k}/exponent"].tolist()
    assert [one.skip for one in made] == TRACES[f"{k}/skip"].tolist()


@pytest.mark.parametrize("k", RUNS)
def test_scale_is_taken_off_as_torch_does(k):
    made = decisions_of(k)
    gradients = TRACES[f"{k}/gradient"].view(np.float32)
    for one, given, found in zip(made, gradients, TRACES[f"{k}/unscaled"], strict=True):
        if not one.skip:
            unscaled = given * np.float32(2.0**one.unscale)
            assert (unscaled.view(np.uint32) == found).all()
    before = [settings_of(k).initial, *(one.exponent for one in made)]
    assert [-one.unscale for one in made] == before[:-1]


def test_blocks_are_those_of_torch():
    """The monitor's reports go to the block that decides, as they are."""
    k = 3
    monitor, scale = GradientMonitor(element="fp32", lanes=2), LossScale(element="fp32")
    assert monitor.report_beat == scale.report_beat
    # All packets of a step are sent as one, since settings stay as they are.
    words = [
        word
        for packets in TRACES[f"{k}/gradient"]
        for word in beats_of(packets.ravel().astype(np.uint64), monitor.beat)
    ]
    steps = len(TRACES[f"{k}/gradient"])
    watched = play(monitor, {"i": words}, {"o": len(words), "report": steps}, limit=5000)
    assert watched.words["o"] == words
    config = fields_word(scale.config.shape(), settings_of(k))
    played = play(
        scale,
        {"i": watched.words["report"]},
        {"o": steps},
        limit=5000,
        settings={"config": config},
    )
    shape = scale.decision_beat
    found = [shape.from_bits(word).data[0] for word in played.words["o"]]
    assert [one.exponent for one in found] == TRACES[f"{k}/exponent"].tolist()
    assert [bool(one.skip) for one in found] == TRACES[f"{k}/skip"].tolist()


@pytest.mark.parametrize("element", ["fp16", "bf16", "fp32"])
@pytest.mark.parametrize("unscaled", [False, True])
def test_largest_element_gets_the_exponent_that_is_aimed_at(element, unscaled):
    """The scale is at most ``2**(15 - log2(largest))`` with 14, and more than half of it."""
    rng = np.random.default_rng(5)
    settings = Settings(policy=Policy.LARGEST, headroom=14, unscaled=unscaled, initial=3)
    bits = FORMATS[element].width - 1
    top = report([[(1 << bits) - 1]], element=element)
    assert top == Report(nan=True, nonzero=True)
    for _ in range(200):
        # Of a step, with a scale of 8.
        size = int(rng.integers(1, 1 << bits))
        one = report([[size]], element=element)
        if not one.largest:
            continue
        (made,), _ = decide([(one, settings)], element=element, count_bits=1)
        value = LARGEST[element](one.largest) / (1 if unscaled else 8)
        exact = 15 - np.log2(value)
        if -126 < exact < 127:
            assert made.exponent <= exact < made.exponent + 1 + 1e-9


LARGEST = {
    "fp16": lambda word: float(np.uint16(word).view(np.float16)),
    "bf16": lambda word: float(np.uint32(word << 16).view(np.float32)),
    "fp32": lambda word: float(np.uint32(word).view(np.float32)),
}


def test_scale_goes_down_to_the_least_one():
    bad, good = Report(infinity=True, nonzero=True), Report(1, nonzero=True)
    settings = Settings(initial=3, least=0, interval=2)
    steps = [(one, settings) for one in (bad, bad, bad, good, good)]
    made, stuck = decide(steps, element="bf16", count_bits=4)
    assert [one.exponent for one in made] == [2, 1, 0, 0, 1]
    assert not stuck
    made, stuck = decide([*steps[:3], *steps[:1]], element="bf16", count_bits=4)
    assert made[-1] == Decision(skip=True, exponent=0, unscale=0)
    assert stuck


def test_interval_that_is_made_shorter_is_passed():
    """As PyTorch does, whose count must equal the interval."""
    good = Report(1, nonzero=True)
    intervals = [9] * 5 + [3] * 5
    steps = [(good, Settings(interval=interval)) for interval in intervals]
    made, _ = decide(steps, element="bf16", count_bits=4)
    assert {one.exponent for one in made} == {16}
    for one, other in pairwise(made):
        assert one == other


def test_histogram_counts_exponents():
    """With 256 bins of fp32 a bin is an exponent, with both signs in it."""
    words = np.random.default_rng(1).integers(0, 1 << 32, 500).astype(np.uint32)
    counts, _ = histogram(words & np.uint32(0x7FFFFFFF), bins=256, most=0, bits=31)
    assert (counts == np.bincount(words >> 23 & 0xFF, minlength=256)).all()


def test_gradient_that_half_precision_would_lose():
    """A least-squares fit whose gradient is too small for fp16 learns with a scale alone."""
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((64, 4)) * 1e-4
    wanted = inputs @ np.array([1.0, -2.0, 3.0, 0.5])
    lost = {policy: train(inputs, wanted, policy) for policy in Policy}
    nothing = train(inputs, wanted, Policy.CONSTANT, initial=0)
    assert nothing == pytest.approx((wanted**2).mean())
    for policy, loss in lost.items():
        assert loss < 0.01 * nothing, policy


def train(inputs, wanted, policy: Policy, initial: int = 40) -> float:
    """Return the loss after some steps, of which each is scaled as the one before says."""
    weights = np.zeros(inputs.shape[1])
    settings = Settings(policy=policy, initial=initial, interval=20)
    if policy == Policy.CONSTANT and initial:
        settings = Settings(policy=policy, initial=32)
    steps: list[tuple[Report, Settings]] = []
    exponent = settings.initial
    for _ in range(60):
        error = inputs @ weights - wanted
        with np.errstate(over="ignore"):
            scaled = (inputs.T @ error / len(wanted) * 2.0**exponent).astype(np.float16)
        steps.append((report([scaled.view(np.uint16)], element="fp16"), settings))
        made, _ = decide(steps, element="fp16", count_bits=COUNT_BITS)
        if not made[-1].skip:
            weights -= 5e7 * scaled.astype(float) * 2.0 ** made[-1].unscale
        exponent = made[-1].exponent
    return float(((inputs @ weights - wanted) ** 2).mean())


def test_decision_has_the_widths_that_are_promised():
    block = LossScale()
    fields = block.decision_beat.element
    assert pack_fields(fields, {"skip": 1, "exponent": -128, "unscale": 128})
    with pytest.raises(ValueError, match="unscale must be in -256"):
        pack_fields(fields, {"unscale": 256})


@pytest.mark.torch
def test_traces_are_those_of_torch():
    # It imports torch, which the default tests do without.
    import scaler_traces

    assert len(scaler_traces.RUNS) == len(RUNS)
    made = scaler_traces.make()
    assert made.keys() == set(TRACES)
    for key, array in made.items():
        assert np.array_equal(array, TRACES[key]), key
