"""Benches of what leaves zeros out, and puts them back, by several engines."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice_sim.bench.sparsity import tensors_of
from sluice_sim.bench.spec import Bench, Scenario, Word, beats
from sluice_sim.golden.relu_parallel import Write, deal, relu_compress_parallel

__all__ = ["ReluCompressParallelBench"]


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
    return found


class ReluCompressParallelBench(Bench):
    """Tensors of all densities, dealt to engines; and some packets that are no tensor's."""

    quiet = 200

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        engines = range(block.engines)
        sent: dict[str, list[Word]] = {f"i__{e}": [] for e in engines}
        out: dict[str, list[int]] = {f"{n}__{e}": [] for n in ("o", "bitmap") for e in engines}
        out["counts"] = []

        def add(parts: Sequence[NDArray[np.uint64]]) -> None:
            for e in engines:
                sent[f"i__{e}"] += [Word(w) for w in beats(block.i_beat, parts[e].tolist())]
            elements, bits, counts = relu_compress_parallel(
                parts, block=block.block, width=block.width, lanes=block.lanes
            )
            for name, width, found in (("o", block.width, elements), ("bitmap", 1, bits)):
                for e in engines:
                    out[f"{name}__{e}"] += self.pack_writes(found[e], width)
            rows = beats(block.counts_beat, counts.tolist())
            out["counts"] += rows

        for words in many_tensors(kind, rng, block):
            add(deal(words, block=block.block, engines=block.engines))
        wrong = kind == "extremes" and block.engines > 1
        if wrong:
            # A part is longer than others before it, or has a short block that is not the last.
            size = block.block
            for lengths in (
                (0, size),
                (size, 2 * size),
                (size - 1, size),
                (size, 1),
                (3 * size, 1),
            ):
                for turn in (0, 1):
                    turned = [*lengths, *(0 for _ in engines)][: block.engines]
                    turned = turned[turn:] + turned[:turn]
                    density = rng.choice([0.3, 0.9, 1])
                    full = [rng.integers(1, 1 << block.width, n, dtype=np.uint64) for n in turned]
                    add([np.where(rng.random(p.size) < density, p, np.uint64(0)) for p in full])
        return Scenario(sent, out, {"status": int(wrong)})

    def pack_writes(self, writes: Sequence[Write], width: int) -> list[int]:
        """Return payloads of one engine's writes for one tensor."""
        lanes = self.block.lanes
        found: list[int] = []
        for k, (beat, lane, words) in enumerate(writes):
            data = sum(int(w) << width * (lane + n) for n, w in enumerate(words.tolist()))
            keep = ((1 << words.size) - 1) << lane
            word = beat | data << 32 | keep << 32 + width * lanes
            found.append(word | (k == len(writes) - 1) << 32 + (width + 1) * lanes)
        return found

    def defined(self, name: str, word: int) -> int:
        if name == "counts":
            return super().defined(name, word)
        lanes = self.block.lanes
        width = self.block.width if name.startswith("o") else 1
        keep = word >> 32 + width * lanes
        for k in range(lanes):
            if not keep >> k & 1:
                word &= ~(((1 << width) - 1) << 32 + width * k)
        # A write of nothing has no address.
        return word if keep & (1 << lanes) - 1 else word >> 32 << 32

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the last beat of the first block, and the first write."""
        return [(self.block.beats - 1, 0)]

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        for e in range(self.block.engines):
            cycles = moved[f"i__{e}"]
            assert cycles[-1] - cycles[0] == len(cycles) - 1, f"engine {e} waits"
