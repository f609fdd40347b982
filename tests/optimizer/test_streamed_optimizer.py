"""Steps on parameters in memory: their cycles, workers that fail, and what is refused."""

import pytest
from optimizer_cycles import bound, step_cycles

from sluice.optimizer import StreamedOptimizer
from sluice_sim.formal import Proof
from sluice_sim.formal.optimizer import prove_streamed_optimizer

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
    with pytest.raises(ValueError, match=f"^{name} must be a power of two, not {value}$"):
        StreamedOptimizer(**{name: value})


def test_no_layer_is_read_before_it_is_written():
    small = {"workers": 2, "moments": 0, "burst": 4, "address_bits": 2, "count_bits": 1}
    proof = Proof(StreamedOptimizer(**small))
    prove_streamed_optimizer(proof)
    assert proof.run().proven
