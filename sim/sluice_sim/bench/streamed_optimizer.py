"""Bench of optimizer steps on parameters in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sluice.optimizer import optimizer_settings
from sluice_sim.bench.arith import float_words, special_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, soiled
from sluice_sim.golden.formats import FloatFormat, find_format
from sluice_sim.golden.streamed_optimizer import train

__all__ = ["Layers", "StreamedOptimizerBench", "row_bits"]


def row_bits(row: Sequence[int]) -> int:
    """Return the words of a beat of memory as one."""
    return sum(word << 32 * k for k, word in enumerate(row))


class Layers:
    """Commands, gradients, and what must come of them.

    Attributes
    ----------
    commands, g, read, read_data, write, write_data, weights, report : lists of payloads
        ``g`` is a list for each worker.
    memory : dict of address to words of a beat
    """

    def __init__(self, block: Any, rng: np.random.Generator):
        self.block, self.rng = block, rng
        number = find_format("fp32")
        assert isinstance(number, FloatFormat)
        self.number = number
        self.memory: dict[int, list[int]] = {}
        self.commands: list[int] = []
        self.g: list[list[int]] = [[] for _ in range(block.workers)]
        self.read: list[int] = []
        self.read_data: list[int] = []
        self.write: list[int] = []
        self.write_data: list[int] = []
        self.written: list[int] = []
        self.weights: list[int] = []
        self.report: list[int] = []

    def numbers(self, count: int) -> Any:
        return float_words(self.number, self.rng, count)

    def place(self, at: int, words: Any) -> None:
        """Put an array into memory; what its last beat lacks is anything."""
        lanes = self.block.lanes
        rest = self.numbers(-len(words) % lanes)
        rows = np.concatenate([words, rest]).reshape(-1, lanes).tolist()
        self.memory |= {at + k: row for k, row in enumerate(rows)}

    def found(self, at: int, count: int) -> Any:
        rows = [self.memory[at + k] for k in range(-(-count // self.block.lanes))]
        return np.array(rows, np.uint64).ravel()[:count]

    def add(
        self,
        count: int,
        at: Sequence[int],
        *,
        offset: int = 0,
        options: Mapping[str, Any] | None = None,
        lengths: Sequence[int] = (),
        values: Any = None,
        late: int = 0,
        fails: bool = False,
    ) -> None:
        """Add a layer, whose arrays are at these addresses; those not in memory are made.

        ``lengths`` are those of the workers' packets, where they are not what they should be.
        """
        block = self.block
        lanes = block.lanes
        size = 1 << block.address_bits
        settings = optimizer_settings(block.moments, **(options or {}))
        more = len(at) - 1
        for one in at:
            if one not in self.memory:
                self.place(one, values() if values else self.numbers(count))
        arrays = [self.found(one, count) for one in at]
        lengths = lengths or [count] * block.workers
        gradients = [values(n) if values else self.numbers(n) for n in lengths]
        self.add_command(settings, at, offset=offset % size, count=count, more=more)
        for sent, words in zip(self.g, gradients, strict=True):
            sent += [soiled(block.beat, p, self.rng) for p in beats(block.beat, words.tolist())]
        result = train(
            gradients, arrays, settings=settings, moments=block.moments, flush=block.flush
        )
        total = -(-count // lanes)
        targets = [(one + offset) % size for one in at]
        packets = [beats(block.beat, words.tolist()) for words in result.arrays]
        self.weights += packets[0]
        keep_last = 1 << block.beat.size - 1
        for start in range(0, total, block.burst):
            length = min(block.burst, total - start)
            for one, target, packet in zip(at, targets, packets, strict=True):
                self.read.append(one + start | (length - 1) << block.address_bits)
                for k in range(start, start + length):
                    words = self.memory[one + k]
                    self.read_data.append(row_bits(words))
                self.write.append(target + start | (length - 1) << block.address_bits)
                burst = [p & ~keep_last for p in packet[start : start + length]]
                burst[-1] |= keep_last
                self.write_data += burst
                self.written.append(int(fails and start == 0))
        for target, words in zip(targets, result.arrays, strict=True):
            # Of the last beat the others stay.
            for k in range(total):
                row = self.memory.setdefault(target + k, [0] * lanes)
                part = words[k * lanes : (k + 1) * lanes].tolist()
                self.memory[target + k] = part + row[len(part) :]
        self.add_report(result, late=late, fails=fails)

    def add_command(
        self, settings: Mapping[str, int], at: Sequence[int], *, offset: int, count: int, more: int
    ) -> None:
        block = self.block
        values: dict[str, Any] = {"settings": dict(settings), "offset": offset, "count": count}
        values |= dict.fromkeys(block.kept, 0) | dict(zip(block.kept, at, strict=False))
        values["more"] = more
        self.commands.append(int(block.command_layout.const(values).as_value().value))

    def add_report(self, result: Any, *, late: int, fails: bool) -> None:
        def flags(bits: Sequence[bool]) -> int:
            return sum(bit << k for k, bit in enumerate(bits))

        workers = self.block.workers
        fields = [flags(result.short), flags(result.long), late]
        word = sum(field << k * workers for k, field in enumerate(fields))
        word |= (int(result.bad) | int(fails) << 1) << 3 * workers
        self.report.append(word)


class StreamedOptimizerBench(Bench):
    """Layers of all sizes, workers that send too little or too much, numbers of all kinds."""

    modules = ("sluice_sim.bench.tb_memory",)

    def __init__(self, block: Any):
        super().__init__(block)
        self.hold = 3 * block.optimizer.pipeline.depth + 16 * block.burst
        self.quiet = self.hold + 50
        self.patience = 2000 + self.hold

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        layers = Layers(block, rng)
        room = 1 << block.count_bits
        burst = block.burst * block.lanes
        if kind == "rate":
            layers.add(min(6 * burst, room - 1), self.arrays(0), options={"lr": 0.5})
            return self.made(layers)
        sizes = [1, burst, 1, burst + 1, 2, block.lanes, block.lanes + 1]
        if kind == "random":
            sizes = rng.integers(1, 2 * burst, 6).tolist()
        special = special_words(layers.number)
        for k, size in enumerate(sizes):
            count = min(size, room - 1)
            more = int(rng.integers(0, block.moments, endpoint=True))
            lengths = [count] * block.workers
            if k % 2:
                lengths[int(rng.integers(block.workers))] = int(rng.integers(0, 2 * count + 1))

            def values(n: int = count) -> Any:
                return rng.choice(special, n)

            layers.add(
                count,
                self.arrays(k)[: 1 + more],
                offset=int(rng.choice([0, 5000])) % (1 << block.address_bits - 1),
                options=self.options(rng, more),
                lengths=lengths,
                values=values if kind == "extremes" else None,
                fails=k == 3,
            )
        return self.made(layers)

    def arrays(self, layer: int) -> list[int]:
        """Return addresses of a layer's arrays."""
        size = 1 << min(10, self.block.address_bits - 6)
        return [(3 * layer + k) * size for k in range(self.block.arrays)]

    def options(self, rng: np.random.Generator, more: int) -> dict[str, Any]:
        """Return an algorithm that has as many moments."""
        kind: dict[str, Any] = [{}, {"momentum": 0.9}, {"algorithm": "adam"}][more]
        scale = float(rng.choice([1, 0.25]))
        return kind | {"lr": float(rng.random()), "scale": scale, "step": int(rng.choice([1, 3]))}

    def made(self, layers: Layers) -> Scenario:
        inputs: dict[str, list[Word]] = {}
        for name, payloads in (
            ("command", layers.commands),
            *((f"g__{k}", sent) for k, sent in enumerate(layers.g)),
            ("read_data", layers.read_data),
            ("written", layers.written),
        ):
            inputs[name] = list(map(Word, payloads))
        names = ("weights", "read", "write", "write_data", "report")
        return Scenario(inputs, {name: getattr(layers, name) for name in names}, {"status": 0})

    def compare(self, received: Mapping[str, Sequence[int]], scenario: Scenario) -> None:
        """Compare all but who was late, which stalls decide."""
        workers = self.block.workers
        mask = ~(((1 << workers) - 1) << 2 * workers)
        received = dict(received) | {"report": [word & mask for word in received["report"]]}
        super().compare(received, scenario)

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        """Return the command and the first beat of weights."""
        return ((0, 0),)

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Hold the step to as many cycles per beat as memory has to give beats for it."""
        weights, arrays = moved["weights"], self.block.arrays
        took = weights[-1] - weights[len(weights) // 2]
        beats = len(weights) - 1 - len(weights) // 2
        # Bursts come in turns of the arrays, which moves a beat by that much.
        slack = (arrays - 1) * self.block.burst
        assert took <= beats * arrays + slack, f"{took} cycles for {beats} beats"
        writes = moved["write_data"]
        assert writes[-1] - writes[0] <= len(writes) - 1 + slack + 2 * arrays, "writes waited"
