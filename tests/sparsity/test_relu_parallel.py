"""Compression of zeros by several engines: its memory, its rate, and what comes back of it."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from sluice.sparsity import ReluCompressParallel, ReluDecompressParallel
from sluice.tensors import beats_of, rows_of
from sluice_sim.golden.relu_parallel import (
    deal,
    relu_compress_parallel,
    relu_decompress_parallel,
)
from sluice_sim.golden.sparsity import relu_compress
from sluice_sim.play import Played, play

RNG = np.random.default_rng(1)


def tensor(density: float, length: int, width: int = 16) -> NDArray[np.uint64]:
    full = RNG.integers(1, 1 << width, length, dtype=np.uint64)
    return np.where(RNG.random(length) < density, full, np.uint64(0))


def compress(block: Any, *tensors: NDArray[np.uint64]) -> Played:
    """Send tensors to a compressor, until all of its writes have come."""
    inputs: dict[str, list[int]] = {f"i__{e}": [] for e in range(block.engines)}
    sizes: Counter[str] = Counter()
    for words in tensors:
        parts = deal(words, block=block.block, engines=block.engines)
        elements, bits, counts = relu_compress_parallel(
            parts, block=block.block, width=block.width, lanes=block.lanes
        )
        for e, part in enumerate(parts):
            inputs[f"i__{e}"] += beats_of(part, block.i_beat)
            sizes[f"o__{e}"] += len(elements[e])
            sizes[f"bitmap__{e}"] += len(bits[e])
        sizes["counts"] += max(1, -(-counts.size // block.engines))
    return play(block, inputs, sizes, limit=3000)


def writes_of(block: Any, played: Played, name: str, e: int) -> list[list[Any]]:
    """Return the writes of an engine for each tensor."""
    layout = getattr(block, name)[e].payload.shape()
    found: list[list[Any]] = [[]]
    for word in played.words[f"{name}__{e}"]:
        found[-1].append(layout.from_bits(word))
        if found[-1][-1].last:
            found.append([])
    assert not found.pop()
    return found


def memory_of(
    block: Any, played: Played, name: str, size: int, tensor: int = 0
) -> NDArray[np.uint64]:
    """Return what the writes of all engines make of a memory, in any order and each once."""
    engines = [writes_of(block, played, name, e)[tensor] for e in range(block.engines)]
    writes = list(itertools.chain(*engines))
    memory = np.full(size, 1 << 32, np.uint64)
    for k in RNG.permutation(len(writes)):
        write = writes[k]
        for lane in range(block.lanes):
            if write.keep >> lane & 1:
                place = write.address * block.lanes + lane
                assert memory[place] == 1 << 32, f"{name}: element {place} is written twice"
                memory[place] = write.data[lane]
    return memory


@pytest.mark.parametrize("engines", [1, 2, 4])
def test_memory_is_that_of_one_engine(engines):
    """What all engines write is what one alone gives, in order, for tensors of every length."""
    block = ReluCompressParallel(element="uint8", lanes=4, block=16, engines=engines, stages=4)
    tensors: list[NDArray[np.uint64]] = []
    for length in (0, 1, 16, 17, 16 * engines, 16 * engines + 1, 200, 331):
        steps = np.repeat(RNG.choice([0, 0.2, 0.5, 0.9, 1], 21), 16)[:length]
        tensors.append(np.where(RNG.random(length) < steps, tensor(1, length, 8), np.uint64(0)))
    played = compress(block, *tensors)
    tables = rows_of(played.words["counts"], block.counts_beat)
    for k, words in enumerate(tensors):
        stored, bits, counts = relu_compress(words, block=16, width=8)
        assert (memory_of(block, played, "o", stored.size, k) == stored).all()
        assert (memory_of(block, played, "bitmap", bits.size, k) == bits).all()
        assert (tables[k] == counts).all()


@pytest.mark.parametrize("engines", [1, 2, 4])
@pytest.mark.parametrize("beats", [1, 2, 8])
def test_rate_at_every_density(engines, beats):
    """All engines take a beat in every cycle, from empty to full and back."""
    lanes = 8
    block = ReluCompressParallel(lanes=lanes, block=beats * lanes, engines=engines, stages=8)
    parts: list[NDArray[np.uint64]] = []
    start = 0
    for density in itertools.islice(itertools.cycle([0, 0.3, 0.8, 0.5, 1, 0.97]), 24 * engines):
        # A block may not touch more beats than it has.
        part = tensor(density, block.block)
        stored, _, _ = relu_compress(part, block=block.block, width=16)
        while start % lanes + stored.size > block.block:
            part[RNG.choice(np.flatnonzero(part))] = 0
            stored, _, _ = relu_compress(part, block=block.block, width=16)
        start += stored.size
        parts.append(part)
    words = np.concatenate(parts)
    played = compress(block, words)
    for e in range(engines):
        assert (np.diff(played[f"i__{e}"]) == 1).all(), e
    took = played["i__0"][-1] - played["i__0"][0] + 1
    assert took * engines * lanes == words.size


def test_a_block_that_touches_a_beat_more_takes_a_cycle_more():
    """Raw blocks behind one element: in each engine, one write and one cycle more for each."""
    lanes, beats, rounds = 4, 16, 12
    block = ReluCompressParallel(lanes=lanes, block=beats * lanes, engines=2, stages=4)
    words = tensor(1, 2 * rounds * block.block)
    words[1 : block.block] = 0
    played = compress(block, words)
    assert len(played.words["o__1"]) == rounds * (beats + 1)
    # What is not yet written waits in memory, and the input only when that is full.
    apart = played["o__1"][-1] - played["o__1"][0]
    assert apart == rounds * (beats + 1) - 1


def test_starts_are_those_of_other_software():
    """Blocks begin where the rows of a compressed sparse matrix do."""
    block, lanes = 32, 4
    words = tensor(0.4, 64 * block)
    matrix = scipy.sparse.csr_array(words.reshape(64, block).astype(np.int64))
    made = ReluCompressParallel(lanes=lanes, block=block, engines=4, stages=4)
    played = compress(made, words)
    starts: dict[int, list[int]] = {}
    for e in range(4):
        row, left = e, 0
        (writes,) = writes_of(made, played, "o", e)
        for write in writes:
            if not left:
                lane = (write.keep & -write.keep).bit_length() - 1
                starts[row] = write.address * lanes + lane
                left = matrix.indptr[row + 1] - matrix.indptr[row]
                row += 4
            left -= write.keep.bit_count()
    assert [starts[k] for k in range(64)] == matrix.indptr[:-1].tolist()


def decompress(block: Any, stored: Any, bits: Any, counts: Any, tail: int) -> Played:
    """Read a compressed tensor from memory, as the golden model says that engines do."""
    elements, flags, parts = relu_decompress_parallel(
        stored, bits, counts, block=block.block, engines=block.engines, tail=tail
    )
    inputs = {"counts": list(beats_of(np.asarray(counts, np.uint64), block.counts_beat))}
    sizes: dict[str, int] = {}
    lanes = block.lanes
    for name, at, width, memory, runs in (
        ("i", "at", block.width, stored, elements),
        ("bitmap", "bits_at", 1, bits, flags),
    ):
        words = np.concatenate([memory, np.ones(2 * lanes, np.uint64)]).astype(np.uint64)
        for e in range(block.engines):
            asked = [
                k
                for start, count in runs[e]
                if count
                for k in range(start // lanes, -(-(start + count) // lanes))
            ]
            beats = [words[k * lanes : (k + 1) * lanes].tolist() for k in asked]
            inputs[f"{name}__{e}"] = [
                sum(w << width * n for n, w in enumerate(beat)) for beat in beats
            ]
            sizes[f"{at}__{e}"] = len(asked)
    sizes |= {f"o__{e}": max(1, -(-part.size // lanes)) for e, part in enumerate(parts)}
    return play(block, inputs, sizes, limit=3000, settings={"config": tail})


@pytest.mark.parametrize("engines", [1, 2, 4])
def test_what_was_compressed_comes_back(engines):
    """From one block to memory, and from memory back, in parts that are dealt in turn."""
    made = {"element": "uint8", "lanes": 4, "block": 16, "engines": engines, "stages": 4}
    block, back = ReluCompressParallel(**made), ReluDecompressParallel(**made)
    for length in (3, 16 * engines, 331):
        steps = np.repeat(RNG.choice([0, 0.2, 0.5, 0.9, 1], 21), 16)[:length]
        words = np.where(RNG.random(length) < steps, tensor(1, length, 8), np.uint64(0))
        played = compress(block, words)
        (counts,) = rows_of(played.words["counts"], block.counts_beat)
        _, bits, _ = relu_compress(words, block=16, width=8)
        size = int((counts & np.uint64((1 << 15) - 1)).sum())
        played = decompress(
            back,
            memory_of(block, played, "o", size),
            memory_of(block, played, "bitmap", bits.size),
            counts,
            length % 16,
        )
        for e, part in enumerate(deal(words, block=16, engines=engines)):
            (got,) = rows_of(played.words[f"o__{e}"], back.i_beat)
            assert (got == part).all(), (length, e)


def test_rate_of_what_puts_zeros_back():
    """A beat in every cycle on each output, and a cycle more for each block that begins in one."""
    lanes, beats, engines, rounds = 8, 8, 4, 24
    block = ReluDecompressParallel(lanes=lanes, block=beats * lanes, engines=engines, stages=8)
    words = tensor(1, engines * rounds * beats * lanes)
    for density, more in ((1, 0), (0.5, 1)):
        words[RNG.random(words.size) >= density] = 0
        played = decompress(block, *relu_compress(words, block=block.block, width=16), 0)
        for e in range(engines):
            cycles = played[f"o__{e}"]
            assert len(cycles) == rounds * beats
            assert cycles[-1] - cycles[0] <= rounds * (beats + more) - 1
            assert more or (np.diff(cycles) == 1).all()
