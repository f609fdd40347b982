"""Steps on parameters in memory: their cycles, workers that fail, and what is refused."""

from typing import Any

import numpy as np
import pytest
from optimizer_cycles import bound, step_cycles

from sluice.optimizer import StreamedOptimizer
from sluice_sim.bench.streamed_optimizer import StreamedOptimizerBench
from sluice_sim.formal import Proof
from sluice_sim.formal.optimizer import prove_streamed_optimizer
from sluice_sim.play import play

SIZE = 4096


@pytest.mark.parametrize("pauses", [False, True])
def test_a_step_takes_as_long_as_memory_needs(pauses):
    assert step_cycles(1, 0, SIZE, pauses=pauses) < 1.02 * bound(0, SIZE, pauses=pauses)


@pytest.mark.slow
@pytest.mark.parametrize("more", [0, 1, 2])
@pytest.mark.parametrize("workers", [4, 8])
def test_steps_take_as_long_as_memory_needs(workers, more):
    assert step_cycles(workers, more, SIZE, pauses=True) < 1.02 * bound(more, SIZE, pauses=True)


@pytest.mark.parametrize(("name", "value"), [("lanes", 3), ("burst", 12)])
def test_sizes_are_powers_of_two(name, value):
    sizes: Any = {name: value}
    with pytest.raises(ValueError, match=f"^{name} must be a power of two, not {value}$"):
        StreamedOptimizer(**sizes)


def test_no_layer_is_read_before_it_is_written():
    small: Any = {"workers": 2, "moments": 0, "burst": 4, "address_bits": 2, "count_bits": 1}
    proof = Proof(StreamedOptimizer(**small))
    prove_streamed_optimizer(proof)
    assert proof.run().proven


@pytest.mark.parametrize("kind", ["random", "extremes"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"workers": 1, "moments": 0, "burst": 4, "address_bits": 14, "count_bits": 6},
        {"workers": 3, "moments": 1, "burst": 4, "flush": True},
        pytest.param({"workers": 2, "lanes": 4, "moments": 2, "burst": 4}, marks=pytest.mark.slow),
    ],
)
def test_layers_are_those_of_the_golden_model(parameters, kind):
    """Of all sizes, with gradients that are too few or too many, and memory that fails."""
    block = StreamedOptimizer(**parameters)
    bench = StreamedOptimizerBench(block)
    scenario = bench.scenario(kind, np.random.default_rng(1))
    inputs = {name: [w.payload for w in words] for name, words in scenario.inputs.items()}
    counts = {name: len(words) for name, words in scenario.expected.items()}
    played = play(block, inputs, counts, limit=20000)
    bench.compare(played.words, scenario)
