"""The host link in hardware: every frame is answered as the golden model says."""

import pytest

from sluice_sim.bench.link import fuzzed_link
from sluice_sim.runner import run_modules
from sluice_sim.transactor import Transactor, clocked


def fuzz(frames: int, seed: int) -> None:
    text = clocked(Transactor(fuzzed_link()), "fuzzed_link")
    env = {"SLUICE_FRAMES": str(frames)}
    result = run_modules("fuzzed_link", text, ["sluice_sim.bench.tb_link"], env, seed=seed)
    assert result.ok, f"{result.failures}, see {result.folder}"


def test_fuzz():
    fuzz(2000, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4, 5, 6])
def test_fuzz_more(seed: int):
    fuzz(20000, seed)
