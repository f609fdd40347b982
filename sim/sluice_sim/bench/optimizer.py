"""Bench of the steps of an optimizer."""

from typing import Any

import numpy as np

from sluice.optimizer import optimizer_settings
from sluice.registers import pack_fields
from sluice_sim.bench.arith import float_words, special_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, soiled
from sluice_sim.golden.formats import FloatFormat, find_format
from sluice_sim.golden.optimizer import optimize

__all__ = ["OptimizerBench"]


class OptimizerBench(Bench):
    """Packets of all lengths, each with other settings, of numbers of all kinds."""

    modules = ("sluice_sim.bench.tb_inputs", "sluice_sim.bench.tb_outputs")

    def __init__(self, block: Any):
        super().__init__(block)
        number = find_format("fp32")
        assert isinstance(number, FloatFormat)
        self.number = number
        # Twice as many as the output queue holds.
        self.hold = 2 * block.pipeline.depth
        self.quiet = self.hold + 50
        self.patience = 1000 + self.hold

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        lanes = block.lanes
        self.sent: dict[str, list[Word]] = {name: [] for name in block.operands}
        self.out: dict[str, list[int]] = {name: [] for name in block.outputs}
        if kind == "rate":
            for beat_count in (30, 1, 60):
                self.add(rng, beat_count * lanes)
            return self.end()
        if kind == "extremes":
            special = special_words(self.number)
            pool = len(block.operands)
            for turn in range(12):
                values = [rng.choice(special, 4 * lanes) for _ in range(pool)]
                self.add(rng, 4 * lanes, values=values, turn=turn)
            for length in (0, 0, 1, lanes, lanes + 1):
                self.add(rng, length)
            self.add(rng, lanes)
            name = block.operands[-1]
            word = self.sent[name].pop().payload
            beat = block.beat
            self.sent[name].append(Word(word & ~(1 << beat.data_bits + lanes - 1)))
            return self.end(uneven=1)
        for turn in range(16):
            self.add(rng, int(rng.integers(0, 8 * lanes, endpoint=True)), turn=turn)
        return self.end()

    def end(self, uneven: int = 0) -> Scenario:
        return Scenario(self.sent, self.out, {"status": uneven})

    def settings(self, rng: np.random.Generator, turn: int) -> dict[str, int]:
        """Return settings: those of an algorithm, or, in every fourth packet, anything."""
        block = self.block
        fields = [name for name, _ in block.layout]
        if turn % 4 == 3:
            words = float_words(self.number, rng, len(fields)).tolist()
            some = dict(zip(fields, words, strict=True))
            flags = ("maximize", "decoupled", "first", "nesterov", "adam")
            some |= {name: int(rng.integers(2)) for name in flags if name in fields}
            return some | {"skip": 0}
        kinds = [{}, {"momentum": 0.9}, {"algorithm": "adam"}][: block.moments + 1]
        options: dict[str, Any] = dict(kinds[turn % len(kinds)])
        if "momentum" in options:
            options["nesterov"] = bool(rng.integers(2))
            if not options["nesterov"]:
                options["dampening"] = float(rng.random())
        if options.get("algorithm") and rng.integers(2):
            options["algorithm"] = "adamw"
        return optimizer_settings(
            block.moments,
            **options,
            lr=float(rng.random()),
            weight_decay=float(rng.choice([0, rng.random()])),
            step=int(rng.choice([1, 2, 5])),
            scale=float(rng.choice([1, 2.0**-12, rng.random()])),
            clip_value=float(rng.choice([np.inf, 1, 0.1])),
            maximize=bool(rng.integers(2)),
            skip=bool(rng.random() < 0.2),
        )

    def add(
        self, rng: np.random.Generator, count: int, *, values: Any = None, turn: int | None = None
    ) -> None:
        """Send a packet of so many parameters."""
        block = self.block
        if turn is None:
            turn = int(rng.integers(12))
        settings = self.settings(rng, turn)
        if values is None:
            values = [float_words(self.number, rng, count) for _ in block.operands]
        config = pack_fields(block.layout, settings)
        for name, words in zip(block.operands, values, strict=True):
            payloads = [soiled(block.beat, p, rng) for p in beats(block.beat, words.tolist())]
            first = config if name == "g" else None
            self.sent[name] += [Word(payloads[0], first), *map(Word, payloads[1:])]
        found = optimize(*values, settings=settings, flush=block.flush)
        for name, words in zip(block.outputs, found, strict=True):
            self.out[name] += beats(block.beat, words.tolist())
