"""Bench of the block that finds the positions of pairs of ones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sluice_sim.bench.spec import Bench, Scenario, Word, packet
from sluice_sim.golden.sparse_product import count_steps, decode, packet_ends

__all__ = ["SparsityDecoderBench"]

DENSITIES = (0.0, 0.05, 0.2, 0.5, 0.9, 1.0)


def random_bits(rng: np.random.Generator, length: int, context: int) -> np.ndarray:
    """Return bits of a density that differs from context to context."""
    density = np.repeat(rng.choice(DENSITIES, -(-length // context)), context)[:length]
    return (rng.random(length) < density).astype(int)


class SparsityDecoderBench(Bench):
    """Packets of bit vectors, of every length and density."""

    modules = ("sluice_sim.bench.tb_pairs", "sluice_sim.bench.tb_inputs")
    # Of packets whose cycles are counted.
    rounds = 4

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        return self.play(self.packets(kind, rng), uneven=kind == "extremes")

    def play(
        self, packets: Iterable[tuple[np.ndarray, np.ndarray]], *, uneven: bool = False
    ) -> Scenario:
        """Return packets and their steps; the last one's vectors may be of ``uneven`` length."""
        sent: dict[str, list[Word]] = {"a": [], "b": []}
        out: list[int] = []
        for a, b in packets:
            for name, bits in (("a", a), ("b", b)):
                sent[name] += packet(self.block.beat, bits.tolist())
            out += self.steps(a, b)
        if uneven:
            # One has a bit more, which has no partner.
            for name, count in (("a", 2), ("b", 1)):
                sent[name] += packet(self.block.beat, [1] * count)
            out += self.steps(np.array([1, 1]), np.array([1, 0]))
        return Scenario(sent, {"o": out}, {"status": int(uneven)})

    def packets(
        self, kind: str, rng: np.random.Generator
    ) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        block = self.block
        context, lanes = block.context, block.lanes
        if kind == "rate":
            # One step for each context, each a packet, so that none waits for another; as many as
            # make half of them, but for one, whole rounds of places.
            places = min(block.places, 16)
            for k in range(2 * (places * -(-30 // places) + 1)):
                bits = np.zeros(context, int)
                bits[rng.permutation(context)[: 1 + k % lanes]] = 1
                yield bits, np.ones(context, int)
            return
        if kind == "extremes":
            for length in (
                0,
                1,
                context - 1,
                context,
                context + 1,
                0,
                5 * context,
                5 * context - 1,
            ):
                zeros, ones = np.zeros(length, int), np.ones(length, int)
                yield from ((ones, ones), (zeros, ones), (ones, zeros), (zeros, zeros))
            # Every position alone, and every number of bits.
            for k in range(context):
                alone = (np.arange(context) == k).astype(int)
                yield alone, np.ones(context, int)
                if k % (context // 4) in (0, 1):
                    yield np.ones(context, int), (np.arange(context) <= k).astype(int)
            # Runs of empty contexts, before, between and behind; numbers wrap.
            for before, between, behind in ((9, 0, 0), (0, 9, 0), (0, 0, 9), (3, 1, 2)):
                flags = [0] * before + [1] + [0] * between + [1] + [0] * behind
                yield np.repeat(flags, context), np.ones(len(flags) * context, int)
            return
        for length in rng.integers(0, 7 * context, 6 + 96 // context, endpoint=True).tolist():
            yield random_bits(rng, length, context), random_bits(rng, length, context)

    def timed(self, rng: np.random.Generator, k: int) -> tuple[Scenario, dict[int, int]]:
        """Return packets of no more contexts than there are places, and cycles of their ends."""
        block, left = self.block, min(self.block.places, 16)
        packets: list[tuple[np.ndarray, np.ndarray]] = []
        while left:
            count = int(rng.integers(1, min(left, 6), endpoint=True))
            bits = random_bits(rng, count * block.context, block.context)
            packets.append((bits, np.ones_like(bits)))
            left -= count
        steps = [
            count_steps(a, context=block.context, lanes=block.lanes).tolist() for a, _ in packets
        ]
        # A packet takes one step at least.
        words = np.cumsum([max(1, sum(counts)) for counts in steps]) - 1
        return self.play(packets), dict(zip(words.tolist(), packet_ends(steps), strict=True))

    def check_ends(
        self, dut: Any, moved: Mapping[str, Sequence[int]], ends: Mapping[int, int]
    ) -> None:
        """Fail unless these steps came in these cycles."""
        for word, end in ends.items():
            took = moved["o"][word] - moved["a"][0] - self.block.latency
            assert took == end, f"step {word} came in cycle {took}, promised {end}"

    def steps(self, a: np.ndarray, b: np.ndarray) -> list[int]:
        """Return the payloads of a packet's steps."""
        block = self.block
        found: list[int] = []
        for step in decode(a, b, context=block.context, lanes=block.lanes):
            positions = list(step.positions) + [0] * (block.lanes - len(step.positions))
            fields = {
                "positions": positions,
                "found": (1 << len(step.positions)) - 1,
                "number": step.number % (1 << block.context_bits),
                "done": step.done,
                "last": step.last,
            }
            found.append(block.step.const(fields).as_value().value)
        return found
