"""Benches of what leaves zeros out, and puts them back, by several engines."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice_sim.bench.sparsity import tensors_of
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet
from sluice_sim.golden.relu_parallel import (
    Write,
    deal,
    relu_compress_parallel,
    relu_decompress_parallel,
)
from sluice_sim.golden.sparsity import relu_compress

__all__ = ["ReluCompressParallelBench", "ReluDecompressParallelBench"]

# Elements, bits, the table, and the tensor's elements modulo those of a block.
Compressed = tuple[Any, Any, Any, int]


def many_tensors(kind: str, rng: np.random.Generator, block: Any) -> list[NDArray[np.uint64]]:
    """Return tensors for one engine and more: those of one, and some that give each blocks."""
    engines = block.engines
    if kind == "rate":
        size = engines * max(40 * block.lanes, 3 * block.block)
        return [rng.integers(1, 1 << block.width, size, dtype=np.uint64)]
    found = list(tensors_of(kind, rng, block))
    if kind == "random":
        # Some of the short ones are enough, and others reach all engines, and their second round.
        found = [found[k] for k in rng.permutation(len(found))[:16]]
        for blocks in (engines, *rng.integers(1, 3 * engines, 3, endpoint=True).tolist()):
            length = max(0, blocks * block.block - int(rng.choice([0, 1, block.lanes])))
            density = np.repeat(rng.choice([0, 0.5, 0.9, 0.97, 1], blocks), block.block)[:length]
            full = rng.integers(1, 1 << block.width, length, dtype=np.uint64)
            found.append(np.where(rng.random(length) < density, full, np.uint64(0)))
        if block.address <= 8:
            # To the end of either region: no element is a zero, and each block has some.
            full = rng.integers(1, 1 << block.width, block.lanes << block.address, dtype=np.uint64)
            found += [full, np.where(np.arange(full.size) % 2, full, np.uint64(0))]
    return found


class ReluCompressParallelBench(Bench):
    """Tensors of all densities, dealt to engines; and some packets that are no tensor's."""

    quiet = 200
    modules = ("sluice_sim.bench.tb_inputs", "sluice_sim.bench.tb_mistakes")

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        tensors = [
            deal(words, block=block.block, engines=block.engines)
            for words in many_tensors(kind, rng, block)
        ]
        if kind == "extremes":
            tensors += self.wrong_parts(rng)
        return self.scenario_of(tensors)

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        return (self.scenario_of([parts]) for parts in self.wrong_parts(rng))

    def wrong_parts(self, rng: np.random.Generator) -> list[list[NDArray[np.uint64]]]:
        """Return parts of which most are no tensor's.

        One is longer than others before it, or has a short block that is not the last.
        """
        block = self.block
        size, engines = block.block, block.engines
        found: list[list[NDArray[np.uint64]]] = []
        for lengths in ((0, size), (size, 2 * size), (size - 1, size), (size, 1), (3 * size, 1)):
            for turn in range(2):
                turned = [*lengths, *(0 for _ in range(engines))][:engines]
                turned = turned[turn:] + turned[:turn]
                density = rng.choice([0.3, 0.9, 1])
                full = [rng.integers(1, 1 << block.width, n, dtype=np.uint64) for n in turned]
                found.append(
                    [np.where(rng.random(p.size) < density, p, np.uint64(0)) for p in full]
                )
        return found

    def scenario_of(self, tensors: Iterable[Sequence[NDArray[np.uint64]]]) -> Scenario:
        """Return a scenario of tensors in parts, and whether one is not dealt in turn."""
        block = self.block
        engines = range(block.engines)
        sent: dict[str, list[Word]] = {f"i__{e}": [] for e in engines}
        out: dict[str, list[int]] = {f"{n}__{e}": [] for n in ("o", "bitmap") for e in engines}
        out["counts"] = []
        wrong = False
        for parts in tensors:
            whole = np.zeros(sum(part.size for part in parts), np.uint64)
            right = deal(whole, block=block.block, engines=block.engines)
            wrong |= [part.size for part in parts] != [part.size for part in right]
            for e in engines:
                sent[f"i__{e}"] += [Word(w) for w in beats(block.i_beat, parts[e].tolist())]
            elements, bits, counts = relu_compress_parallel(
                parts, block=block.block, width=block.width, lanes=block.lanes
            )
            for name, width, found in (("o", block.width, elements), ("bitmap", 1, bits)):
                for e in engines:
                    out[f"{name}__{e}"] += self.pack_writes(found[e], width)
            out["counts"] += beats(block.counts_beat, counts.tolist())
        return Scenario(sent, out, {"status": int(wrong)})

    def pack_writes(self, writes: Sequence[Write], width: int) -> list[int]:
        """Return payloads of one engine's writes for one tensor."""
        lanes, at = self.block.lanes, self.block.address
        found: list[int] = []
        for k, (beat, lane, words) in enumerate(writes):
            data = sum(int(w) << width * (lane + n) for n, w in enumerate(words.tolist()))
            keep = ((1 << words.size) - 1) << lane
            word = beat | data << at | keep << at + width * lanes
            found.append(word | (k == len(writes) - 1) << at + (width + 1) * lanes)
        return found

    def defined(self, name: str, word: int) -> int:
        if name == "counts":
            return super().defined(name, word)
        lanes = self.block.lanes
        width = self.block.width if name.startswith("o") else 1
        at = self.block.address
        keep = word >> at + width * lanes
        for k in range(lanes):
            if not keep >> k & 1:
                word &= ~(((1 << width) - 1) << at + width * k)
        # A write of nothing has no address.
        return word if keep & (1 << lanes) - 1 else word >> at << at

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the last beat of the first block, and the first write."""
        return [(self.block.beats - 1, 0)]

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        for e in range(self.block.engines):
            cycles = moved[f"i__{e}"]
            assert cycles[-1] - cycles[0] == len(cycles) - 1, f"engine {e} waits"


class ReluDecompressParallelBench(Bench):
    """Tensors as they were compressed, in memories with anything behind; and wrong tables."""

    quiet = 200
    modules = (
        "sluice_sim.bench.tb_inputs",
        "sluice_sim.bench.tb_asks",
        "sluice_sim.bench.tb_mistakes",
    )

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        size = block.block
        tensors: list[Compressed] = []
        for words in many_tensors(kind, rng, block):
            found = relu_compress(words, block=size, width=block.width)
            tensors.append((*found, words.size % size))
        wrong = kind == "extremes"
        if wrong:
            # More bits than elements, and fewer; as many as there are engines, and one block more.
            ones, none = np.ones(size, int), np.zeros(0, int)
            for length in (1, block.engines, block.engines + 1):
                for count in (size - 1, 0, 1):
                    many = [size] * (length - 1) + [count]
                    tensors.append((np.ones(sum(many), np.uint64), np.tile(ones, length), many, 0))
                few = np.zeros(length * size, int)
                tensors.append((np.ones(length, np.uint64), few, [1] * length, 0))
            tensors.append((np.ones(1, np.uint64), none, [1 << 15 | 1], 1))
        # Beats of the first engine are timed, and settings go with the first stream.
        made = self.scenario_of(tensors, rng, counts_first=kind != "rate")
        made.signals = {"status": int(wrong)}
        return made

    def scenario_of(
        self, tensors: Iterable[Compressed], rng: np.random.Generator, *, counts_first: bool
    ) -> Scenario:
        """Return a scenario of compressed tensors."""
        block = self.block
        size = block.block
        engines = range(block.engines)
        names = [f"{n}__{e}" for n in ("i", "bitmap") for e in engines]
        names = ["counts", *names] if counts_first else [*names, "counts"]
        sent: dict[str, list[Word]] = {name: [] for name in names}
        out: dict[str, list[int]] = {f"o__{e}": [] for e in engines}
        out |= {f"{n}__{e}": [] for n in ("at", "bits_at") for e in engines}
        for stored, bits, counts, tail in tensors:
            elements, flags, parts = relu_decompress_parallel(
                stored, bits, counts, block=size, engines=block.engines, tail=tail
            )
            row = [int(x) for x in counts]
            sent["counts"] += packet(block.counts_beat, row, tail if counts_first else None)
            memories = (
                ("i", "at", block.width, stored, elements),
                ("bitmap", "bits_at", 1, bits, flags),
            )
            for name, at, width, words, runs in memories:
                for e in engines:
                    asked = [k for run in runs[e] for k in self.beats_of_run(*run)]
                    out[f"{at}__{e}"] += asked
                    sent[f"{name}__{e}"] += [
                        Word(self.beat_of(words, k, width, rng)) for k in asked
                    ]
            for e in engines:
                out[f"o__{e}"] += beats(block.i_beat, [int(x) for x in parts[e]])
        return Scenario(sent, out)

    def beats_of_run(self, start: int, count: int) -> range:
        """Return the beats that elements from ``start`` on lie in."""
        lanes = self.block.lanes
        return range(start // lanes, -(-(start + count) // lanes) if count else start // lanes)

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield tensors of which one block of an engine has more or fewer bits than its entry."""
        block = self.block
        size, lanes, engines = block.block, block.lanes, block.engines
        words = rng.integers(0, 2, size + lanes, dtype=np.uint64)
        stored, bits, counts = relu_compress(words, block=size, width=block.width)
        right = stored, bits, counts, lanes % size
        # Elements of the entry, and bits that are set: a beat more than there are, several, and
        # one; one less, and none.
        wrong = [(2 * lanes, lanes), (2 * size - 1, 0), (size, size - 1), (size - 1, size), (0, 1)]
        wrong = [(count, ones) for count, ones in wrong if count < 2 * size and ones <= size]
        for e in sorted({0, engines - 1}):
            for count, ones in wrong:
                many = [*[size] * e, count]
                flags = np.ones((e + 1) * size, int)
                flags[e * size + ones :] = 0
                made = [(np.ones(sum(many), np.uint64), flags, many, 0), right]
                scenario = self.scenario_of(made, rng, counts_first=True)
                scenario.signals = {"status": 1}
                yield scenario
        scenario = self.scenario_of([right], rng, counts_first=True)
        scenario.signals = {"status": 0}
        yield scenario

    def asks(self, rng: np.random.Generator) -> tuple[Scenario, dict[str, int]]:
        """Return a scenario, and how many beats are asked for before any comes, at least."""
        block = self.block
        size, engines = block.block, block.engines
        words = rng.integers(1, 1 << block.width, 20 * engines * size, dtype=np.uint64)
        words[::2] = 0
        stored, bits, counts = relu_compress(words, block=size, width=block.width)
        made = self.scenario_of([(stored, bits, counts, 0)], rng, counts_first=True)
        runs = relu_decompress_parallel(stored, bits, counts, block=size, engines=engines, tail=0)
        least: dict[str, int] = {}
        for at, found in (("at", runs[0]), ("bits_at", runs[1])):
            for e in range(engines):
                # One block waits in front of the queue.
                first = found[e][: block.ahead + 1]
                least[f"{at}__{e}"] = sum(len(self.beats_of_run(*run)) for run in first)
        return made, least

    def beat_of(self, words: Any, k: int, width: int, rng: np.random.Generator) -> int:
        """Return the beat ``k`` of a memory, with anything behind its contents."""
        lanes = self.block.lanes
        found = [int(w) for w in words[k * lanes : (k + 1) * lanes]]
        found += rng.integers(0, 1 << width, lanes - len(found), dtype=np.uint64).tolist()
        return sum(w << width * n for n, w in enumerate(found))

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the first beat that comes, and the first that leaves."""
        return [(0, 0)]

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        for e in range(self.block.engines):
            cycles = moved[f"o__{e}"]
            assert cycles[-1] - cycles[0] == len(cycles) - 1, f"engine {e} waits"
