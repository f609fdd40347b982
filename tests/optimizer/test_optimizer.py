"""Steps of an optimizer: the golden model against PyTorch, and what options are refused."""

import json
import math
from typing import Any

import numpy as np
import optimizer_traces as traces
import pytest

from sluice.optimizer import Optimizer, optimizer_settings
from sluice_sim.golden.optimizer import optimize

TRACES = np.load(traces.OUTPUT)
OPTIONS = json.loads(str(TRACES["options"]))
EACH = [pytest.param(k, id=f"{k}-{o['algorithm']}") for k, o in enumerate(OPTIONS)]
# Weights decay into the gradient, and Adam follows its sign: rounding decides where that is zero.
TURNING = [o["algorithm"] == "adam" and "weight_decay" in o for o in OPTIONS]
STEADY = [k for k, o in enumerate(OPTIONS) if o["algorithm"] != "sgd" and not TURNING[k]]
ULP = 2.0**-23


def words(array: Any) -> Any:
    return np.asarray(array, np.float32).view(np.uint32).astype(np.uint64)


def numbers(array: Any) -> Any:
    return np.asarray(array).astype(np.uint32).view(np.float32).astype(np.float64)


def moments_of(options: dict[str, Any]) -> int:
    return 2 if options["algorithm"] != "sgd" else int("momentum" in options)


def after(state: list[Any], gradient: Any, step: int, options: dict[str, Any]) -> list[Any]:
    """Return weights and moments after a step."""
    settings = optimizer_settings(moments_of(options), step=step, **options)
    return list(optimize(words(gradient), *state, settings=settings))


def walk(k: int) -> dict[int, list[Any]]:
    """Return weights and moments after the steps that are kept of PyTorch."""
    state = [words(traces.start(k)), *[np.zeros(traces.COUNT, np.uint64)] * moments_of(OPTIONS[k])]
    found: dict[int, list[Any]] = {}
    for step, gradient in enumerate(traces.gradients(k), 1):
        state = after(state, gradient, step, OPTIONS[k])
        if step in traces.KEPT:
            found[step] = state
    return found


@pytest.mark.parametrize("k", [k for k, o in enumerate(OPTIONS) if o["algorithm"] == "sgd"])
def test_thousand_steps_of_sgd_are_those_of_torch(k):
    for step, state in walk(k).items():
        assert (np.stack(state) == TRACES[f"{k}/{step}"]).all(), step


@pytest.mark.parametrize("k", STEADY)
def test_thousand_steps_of_adam_are_as_exact_as_those_of_torch(k):
    """First moments are the same; the others are compared with float64."""
    options, exact = OPTIONS[k], exact_adam(k)
    for step, state in walk(k).items():
        torch = TRACES[f"{k}/{step}"]
        assert (state[1] == torch[1]).all(), step
        (w, v), scale = exact[step], np.maximum(np.abs(exact[step][0]), 1)
        apart, theirs = (np.max(np.abs(numbers(x) - w) / scale) for x in (state[0], torch[0]))
        assert apart < max(1.3 * theirs, 4 * ULP), step
        assert apart < 1e-3 * options["lr"] * (1 + step / 100), step
        there = v > 0
        apart, theirs = (
            np.max(np.abs(numbers(x) - v)[there] / v[there], initial=0)
            for x in (state[2], torch[2])
        )
        # Theirs multiplies with beta2 and 1 - beta2, which are rounded apart from each other.
        assert apart < max(theirs, 2 * ULP), step
        if step >= 100:
            assert apart < 0.6 * theirs, step


def exact_adam(k: int) -> dict[int, tuple[Any, Any]]:
    """Return weights and second moments in float64."""
    o = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0, **OPTIONS[k]}
    w, m, v = traces.start(k).astype(float), np.zeros(traces.COUNT), np.zeros(traces.COUNT)
    found: dict[int, tuple[Any, Any]] = {}
    for step, gradient in enumerate(traces.gradients(k).astype(float), 1):
        g = -gradient if o.get("maximize") else gradient
        m = o["beta1"] * m + (1 - o["beta1"]) * g
        v = o["beta2"] * v + (1 - o["beta2"]) * g * g
        below = np.sqrt(v / (1 - o["beta2"] ** step)) + o["eps"]
        w = w * (1 - o["lr"] * o["weight_decay"]) - o["lr"] * m / (1 - o["beta1"] ** step) / below
        found[step] = w, v
    return found


@pytest.mark.parametrize("k", EACH)
def test_one_step_from_where_torch_was(k):
    """Each of the operations that differ is worth an ulp: five of the update, one of the rest."""
    options = OPTIONS[k]
    compared = 0
    for before, step in zip(traces.KEPT[:-1], traces.KEPT[1:], strict=True):
        if step != before + 1:
            continue
        state = list(TRACES[f"{k}/{before}"].astype(np.uint64))
        found = after(state, traces.gradients(k)[step - 1], step, options)
        want = TRACES[f"{k}/{step}"].astype(np.uint64)
        if options["algorithm"] == "sgd":
            assert (np.stack(found) == want).all()
        else:
            assert (found[1] == want[1]).all()
            assert np.max(np.abs(found[2].astype(int) - want[2].astype(int))) <= 1
            w, old = numbers(want[0]), numbers(state[0])
            bound = ULP * (5 * np.abs(w - old) + np.abs(w) + np.abs(old))
            assert (np.abs(numbers(found[0]) - w) <= bound).all()
        compared += 1
    assert compared == 7


@pytest.mark.torch
@pytest.mark.parametrize("k", EACH)
def test_traces_are_those_of_torch(k):
    pytest.importorskip("torch")
    for step, found in traces.trace(k, OPTIONS[k]).items():
        assert (np.stack(found).view(np.uint32) == TRACES[f"{k}/{step}"]).all()


def test_a_nan_is_not_clipped_and_goes_no_further_than_its_parameter():
    g = words([np.nan, np.inf, -np.inf, 3.0, -0.0])
    settings = optimizer_settings(0, lr=1.0, clip_value=2.0)
    (w,) = optimize(g, np.zeros(5, np.uint64), settings=settings)
    assert numbers(w)[1:].tolist() == [-2.0, 2.0, -2.0, 0.0]
    assert math.isnan(numbers(w)[0])


def test_a_skipped_step_keeps_every_bit():
    rng = np.random.default_rng(1)
    state = [rng.integers(0, 1 << 32, 50, dtype=np.uint64) for _ in range(3)]
    settings = optimizer_settings(2, algorithm="adam", skip=True)
    found = optimize(words(np.full(50, np.nan)), *state, settings=settings)
    assert all((f == s).all() for f, s in zip(found, state, strict=True))


@pytest.mark.parametrize(
    ("moments", "texts", "told"),
    [
        (2, {"algorithm": "lion"}, "algorithm must be one of sgd adam adamw, not 'lion'"),
        (1, {"algorithm": "adam"}, "adam needs moments=2, and there are 1"),
        (0, {"momentum": "0.9"}, "momentum needs moments=1, and there are 0"),
        (2, {"lr": "fast"}, "lr must be a number, not 'fast'"),
        (2, {"lr": "-1"}, "lr must be in 0..inf, not -1.0"),
        (2, {"lr": "nan"}, "lr must be in 0..inf, not nan"),
        (2, {"beta1": "1"}, "beta1 must be less than 1, not 1.0"),
        (2, {"step": "0"}, "step must be in 1..inf, not 0.0"),
        (2, {"step": "1.5"}, "step must be a whole number, not 1.5"),
        (2, {"nesterov": "true"}, "nesterov must go with a momentum"),
        (2, {"rate": "1"}, "no option 'rate': there are algorithm lr momentum"),
        (2, {"first": "maybe"}, "first must be a whole number, not 'maybe'"),
    ],
)
def test_options_are_refused(moments, texts, told):
    with pytest.raises(ValueError, match="^" + told.replace("(", r"\(")):
        Optimizer(moments=moments).read_settings(texts, packets=1)
