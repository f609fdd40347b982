"""Benches of loss scaling."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.registers import pack_fields
from sluice.stream import Beat
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.loss_scaling import Report, report

__all__ = ["GradientMonitorBench", "report_word"]


def report_word(beat: Beat, found: Report) -> int:
    """Return the payload of a report."""
    (word,) = beats(beat, [pack_fields(beat.element, {k: int(v) for k, v in vars(found).items()})])
    return word


class GradientMonitorBench(Bench):
    """Steps of some packets, with the largest element anywhere, and what must not hide it."""

    modules = ("sluice_sim.bench.tb_outputs", "sluice_sim.bench.tb_moments")
    moments = (("i", 1), ("i", 3), ("i", 7), ("o", 40), ("report", 1), ("report", 5))
    # Longer than steps take that fill the queue.
    hold, quiet = 450, 500

    def __init__(self, block: Block):
        super().__init__(block)
        number = self.block.number
        self.bits = number.width - 1
        top, most = (1 << self.bits) - 1, number.max_bits
        edge = 1 << number.fraction_bits
        # Magnitudes: zero, subnormals, the least normal, the largest finite, and all that is above.
        near = {0, 1, edge - 1, edge, edge + 1, most - 1, most, most + 1, most + 2, top - 1, top}
        self.special = np.array(sorted(size for size in near if size <= top), np.uint64)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        if kind == "rate":
            steps = self.dense(rng)
        else:
            steps = self.random(rng, 60)
            steps += self.extremes(rng) if kind == "extremes" else []
        return self.send(rng, steps)

    def send(self, rng: np.random.Generator, steps: Sequence[Sequence[NDArray]]) -> Scenario:
        """Send the packets of steps, of which the last ones end them."""
        block = self.block
        sent: list[Word] = []
        passed: list[int] = []
        reports: list[int] = []
        # How many beats there have been when a step ends.
        self.ends: list[int] = []
        for packets in steps:
            for k, words in enumerate(packets):
                came = packet(block.beat, words.tolist(), k < len(packets) - 1)
                came = [Word(soiled(block.beat, w.payload, rng), w.config) for w in came]
                sent += came
                passed += [w.payload for w in came]
            found = report(packets, element=block.element)
            reports.append(report_word(block.report_beat, found))
            self.ends.append(len(sent))
        return Scenario({"i": sent}, {"o": passed, "report": reports})

    def signed(self, rng: np.random.Generator, sizes: Any) -> NDArray[np.uint64]:
        """Return words of these magnitudes, and of any sign."""
        sizes = np.asarray(sizes, np.uint64)
        return sizes | rng.integers(0, 2, sizes.size, dtype=np.uint64) << np.uint64(self.bits)

    def some(self, rng: np.random.Generator, length: int) -> NDArray[np.uint64]:
        """Return words that are all small, or any, with few that are special, or none."""
        most = self.block.number.max_bits
        bound = int(rng.choice([0, 1, 3, most >> 3, most]))
        sizes = rng.integers(0, bound, length, endpoint=True, dtype=np.uint64)
        special = rng.random(length) < rng.choice([0, 0, 0, 0.05])
        return self.signed(rng, np.where(special, rng.choice(self.special, length), sizes))

    def random(self, rng: np.random.Generator, count: int) -> list[list[NDArray]]:
        """Return steps of one packet and of several, with packets of every length."""
        most = 4 * self.block.lanes
        return [
            [self.some(rng, int(rng.integers(0, most, endpoint=True))) for _ in range(packets)]
            for packets in rng.choice([1, 1, 2, 4], count).tolist()
        ]

    def extremes(self, rng: np.random.Generator) -> list[list[NDArray]]:
        """Return steps in which one element is what the report is about."""
        lanes = self.block.lanes
        nothing = np.zeros(0, np.uint64)
        steps = [[nothing], [nothing, nothing, nothing], [self.special, nothing], [nothing]]
        for size in self.special.tolist():
            for at in range(lanes):
                one = np.zeros(lanes, np.uint64)
                one[at] = size
                steps.append([self.signed(rng, one)])
            # Before all others, and behind them.
            steps.append([self.signed(rng, [size]), self.some(rng, 2 * lanes), nothing])
            steps.append([nothing, self.some(rng, 2 * lanes), self.signed(rng, [size])])
        for bit in range(self.bits):
            # The two differ in this bit and all below it.
            pair = np.array([1 << bit, (1 << bit) - 1], np.uint64)
            for order in (pair, pair[::-1]):
                steps.append([self.signed(rng, [size]) for size in order])
                for at in range(lanes - 1):
                    both = np.zeros(lanes, np.uint64)
                    both[at : at + 2] = order
                    steps.append([self.signed(rng, both)])
        return steps

    def dense(self, rng: np.random.Generator) -> list[list[NDArray]]:
        """Return steps of full beats, of which many are one beat long."""
        lanes = self.block.lanes
        steps = [[self.some(rng, lanes)] for _ in range(3 * self.block.places)]
        steps += [[self.some(rng, 3 * lanes), self.some(rng, lanes)] for _ in range(10)]
        return steps

    def brief(self, rng: np.random.Generator) -> Scenario:
        return self.send(rng, self.random(rng, 8))

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Hold reports to their latency."""
        pairs = zip(self.ends, moved["report"], strict=True)
        waits = {cycle - moved["i"][end - 1] for end, cycle in pairs}
        assert waits == {self.block.report_latency}, f"reports after {waits} cycles"

    def check_held(self, name: str, taken: Mapping[str, int]) -> None:
        """Hold the stream up only when all places for reports are taken."""
        most = self.ends[self.block.places - 1] if name == "report" else 0
        assert taken["i"] == most, f"{taken['i']} beats are taken, not {most}"
