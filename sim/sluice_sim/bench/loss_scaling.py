"""Benches of loss scaling."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.registers import pack_fields
from sluice.stream import Beat
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.loss_scaling import Decision, Report, Settings, decide, report

__all__ = ["GradientMonitorBench", "LossScaleBench", "fields_word", "one_beat"]


def fields_word(shape: Any, fields: Report | Decision | Settings) -> int:
    """Return the bits of a structure."""
    return pack_fields(shape, {name: int(value) for name, value in vars(fields).items()})


def one_beat(beat: Beat, fields: Report | Decision) -> int:
    """Return the payload of a packet of one structure."""
    (word,) = beats(beat, [fields_word(beat.element, fields)])
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
            reports.append(one_beat(block.report_beat, found))
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


class LossScaleBench(Bench):
    """Steps with and without overflow, and settings at the ends of their ranges."""

    modules = ("sluice_sim.bench.tb_moments", "sluice_sim.bench.tb_mistakes")
    moments = (("i", 1), ("i", 2), ("o", 1), ("o", 9))

    def __init__(self, block: Block):
        super().__init__(block)
        number = self.block.number
        self.top = number.max_bits
        self.counts = (1 << self.block.count_bits) - 1
        # The ends of every binade, of subnormals too.
        powers = [1 << k for k in range(number.fraction_bits)]
        powers += [e << number.fraction_bits for e in range(1, 1 << number.exponent_bits)]
        ends = {size + k for size in (*powers, self.top + 1) for k in (-1, 0)}
        self.sizes = np.array(sorted(size for size in ends if 0 <= size <= self.top))

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        steps = [*self.runs(rng, 40)]
        if kind == "extremes":
            steps += self.ends(rng)
            steps += self.long(rng)
        return self.send(rng, steps)

    def send(self, rng: np.random.Generator, steps: Sequence[tuple[Report, Settings]]) -> Scenario:
        block = self.block
        made, stuck = decide(steps, element=block.element, count_bits=block.count_bits)
        sent: list[Word] = []
        for found, settings in steps:
            # Whatever is kept.
            word = one_beat(block.report_beat, found)
            word ^= int(rng.integers(0, 4)) << block.report_beat.data_bits
            sent.append(Word(word, fields_word(block.config.shape(), settings)))
        signals = {"status": int(stuck), "exponent": made[-1].exponent & 0xFF}
        return Scenario(
            {"i": sent}, {"o": [one_beat(block.decision_beat, one) for one in made]}, signals
        )

    def found(self, rng: np.random.Generator, *, overflows: float) -> Report:
        """Return a report of any magnitude, at the end of a binade or not."""
        size = int(rng.choice([0, rng.choice(self.sizes), rng.integers(0, self.top + 1)]))
        infinity, nan = (bool(b) for b in rng.random(2) < overflows)
        return Report(size, infinity, nan, bool(size) or infinity or nan)

    def settings(self, rng: np.random.Generator) -> Settings:
        """Return settings in which an exponent goes to and fro."""
        least, most = (int(k) for k in np.sort(rng.integers(-128, 128, 2)))
        return Settings(
            policy=int(rng.choice([0, 1, 1, 2, 2, 3])),
            initial=int(rng.integers(-128, 128)),
            least=least,
            most=most,
            growth=int(rng.integers(0, 16)),
            backoff=int(rng.integers(0, 16)),
            interval=min(self.counts, int(rng.integers(0, 6))),
            headroom=int(rng.integers(-20, 20)),
            unscaled=bool(rng.integers(0, 2)),
        )

    def runs(self, rng: np.random.Generator, count: int) -> Iterable[tuple[Report, Settings]]:
        """Yield some steps with the same settings, and some with others."""
        for _ in range(count):
            settings = self.settings(rng)
            overflows = float(rng.choice([0, 0.1, 0.6]))
            for _ in range(int(rng.integers(1, 12))):
                settings = replace(settings, initial=int(rng.integers(-128, 128)))
                yield self.found(rng, overflows=overflows), settings

    def ends(self, rng: np.random.Generator) -> Iterable[tuple[Report, Settings]]:
        """Yield what is at the ends of ranges: of the aim, of the limits, and of both."""
        wide = Settings(least=-128, most=127, interval=0)
        for size in self.sizes.tolist():
            found = Report(size, nonzero=bool(size))
            aim = int(rng.integers(-30, 30))
            for unscaled in (False, True):
                yield found, replace(wide, policy=2, headroom=aim, unscaled=unscaled)
        for headroom in (-128, -127, 126, 127):
            for size in (1, self.top):
                for start in (-128, 127):
                    # The policy is one in which limits alone say what comes next.
                    limits = replace(wide, policy=0, least=start, most=start)
                    yield Report(), limits
                    found = Report(size, nonzero=True)
                    yield found, replace(wide, policy=2, headroom=headroom)
        for least, most in ((-128, -128), (127, 127), (5, 4), (5, -128), (127, -128), (-1, 0)):
            for policy in range(4):
                for _ in range(6):
                    yield (
                        self.found(rng, overflows=0.3),
                        replace(self.settings(rng), policy=policy, least=least, most=most),
                    )

    def long(self, rng: np.random.Generator) -> Iterable[tuple[Report, Settings]]:
        """Yield runs without overflow that reach an interval, pass it, and reach none."""
        counts = min(self.counts, 20)
        plain = Settings(initial=0, least=-128, most=127, interval=0)
        bad, good = Report(infinity=True, nonzero=True), Report(1, nonzero=True)
        for interval in {0, 1, counts - 1, counts}:
            yield bad, plain
            for _ in range(3 * counts + 3):
                yield good, replace(plain, interval=max(0, interval))
        # It has passed the interval, and stands still at its end if it can get there.
        for interval in (0, counts, max(0, counts - 1), 1):
            yield bad, plain
            for _ in range(counts + 2):
                yield good, replace(plain, interval=0)
            for _ in range(counts + 2):
                yield good, replace(plain, interval=interval)
            # Another policy begins the count again.
            for policy in (0, 2, 3):
                for _ in range(counts // 2):
                    yield good, replace(plain, interval=interval)
                yield good, replace(plain, interval=interval, policy=policy)

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield an overflow of a scale that is the least, or is not, and steps behind it."""
        good = Report(self.top, nonzero=True)
        for policy in range(4):
            for above in (-1, 0, 1):
                for bad in (Report(infinity=True), Report(nan=True), good):
                    least = int(rng.integers(-100, 100))
                    settings = Settings(
                        policy=policy, initial=least + above, least=least, most=127, backoff=0
                    )
                    settings = replace(settings, interval=0, headroom=127, unscaled=True)
                    yield self.send(rng, [(bad, settings), (good, settings), (good, settings)])

    def brief(self, rng: np.random.Generator) -> Scenario:
        return self.send(rng, [*self.runs(rng, 3)])

    def check_held(self, name: str, taken: Mapping[str, int]) -> None:
        """Hold decisions in as many places as there are."""
        depth = self.block.pipeline.depth
        assert taken["i"] == depth, f"{taken['i']} reports are taken, not {depth}"
