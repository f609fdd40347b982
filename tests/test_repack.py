"""Bits of packets in other elements: golden model against NumPy, and arrays through the block."""

import subprocess
import sys

import numpy as np
import pytest

from sluice.compression.section import Section
from sluice_sim.golden.repack import repack


@pytest.mark.parametrize("width", [1, 3, 7, 8, 9, 16, 31])
def test_golden_is_that_of_numpy(width):
    rng = np.random.default_rng(width)
    for count in (0, 1, 2, 7, 8, 9, 40):
        words = rng.integers(0, 1 << width, count, dtype=np.uint64)
        data = Section(words, width).to_bytes()
        spare = -count * width % 8
        found = repack(list(data), 8, width, spare=spare)
        assert found == words.tolist()
        # And back, with zeros above the last one.
        assert bytes(repack(found, width, 8)) == data
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        assert repack(list(data), 8, 1) == bits.tolist()


def test_bytes_of_a_file_through_the_block(tmp_path):
    """What ``sluice compress`` writes is taken apart by hardware."""
    rng = np.random.default_rng(5)
    words = rng.integers(0, 1 << 9, (4, 37), dtype=np.uint16)
    data = [np.frombuffer(Section(w.astype(np.uint64), 9).to_bytes(), np.uint8) for w in words]
    np.save(tmp_path / "bytes.npy", np.array(data))
    command = ["run", "repack", "--set", "i_shape=uint8x8", "--set", "o_shape=uint9x4"]
    files = ["--input", "bytes.npy", "--output", "codes.npy", "--config", f"spare={-37 * 9 % 8}"]
    done = subprocess.run(
        [sys.executable, "-m", "sluice.cli", *command, *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "codes.npy")
    assert found.shape == words.shape
    assert (found == words).all()
