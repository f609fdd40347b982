"""Bench of the rounding unit: every mode and setting against the golden model, bit for bit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice_sim.bench.spec import Bench, Scenario, Word, beats
from sluice_sim.golden.formats import FixedFormat, FloatFormat, decode, find_format
from sluice_sim.golden.random import Lfsr32, Xoroshiro64, lane_seeds
from sluice_sim.golden.rounding import MODES, round_bits

__all__ = ["RoundingBench"]


@dataclass
class Settings:
    """Settings of one packet; ``seed`` is a lane and its new state."""

    mode: str
    saturate: bool = False
    seed: tuple[int, int] | None = None


class RoundingBench(Bench):
    """All modes and settings, changing from packet to packet, and the generators' states."""

    modules = ("sluice_sim.bench.tb_rounding",)

    def __init__(self, block: Block):
        super().__init__(block)
        self.source, self.target = find_format(self.block.source), find_format(self.block.target)
        self.modes = [mode for mode in MODES if mode in self.block.modes.split(",")]
        self.layout = self.block.config.shape() if "config" in block.signature.members else None

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        packets = {
            "random": self.random_packets,
            "extremes": self.extreme_packets,
            "rate": self.full_packets,
        }[kind](rng)
        return self.scenario_of(packets)

    def scenario_of(self, packets: Iterator[tuple[NDArray[np.int64], Settings]]) -> Scenario:
        """Return stimuli and results of packets, which begin with the state after reset."""
        block, lanes = self.block, self.block.lanes
        states = lane_seeds(0, lanes, 64 if block.generator == "xoroshiro" else 32)
        generator = self.generator(states)
        sent: list[Word] = []
        expected: list[int] = []
        overflow = invalid = False
        for values, settings in packets:
            if settings.seed and settings.seed[0] < lanes:
                lane, state = settings.seed
                fresh = self.generator([state] * lanes)
                for name in ("state",) if isinstance(generator, Lfsr32) else ("s0", "s1"):
                    getattr(generator, name)[lane] = getattr(fresh, name)[lane]
            words = beats(self.shapes["i"], values.tolist())
            random = np.concatenate([generator.next() for _ in words])[: len(values)]
            rounded = self.rounded(values, settings, random)
            config = self.config(settings)
            # Later words of a packet meet noise on the settings.
            sent += [Word(word, None if k else config) for k, word in enumerate(words)]
            expected += beats(self.shapes["o"], rounded.tolist())
            overflow |= bool(self.overflows(values, settings, random).any())
            invalid |= bool(self.is_nan(values).any())
        signals = {"status": overflow | invalid << 1} if block.status_bits else {}
        return Scenario({"i": sent}, {"o": expected}, signals)

    def generator(self, states: list[int]) -> Lfsr32 | Xoroshiro64:
        kind = Xoroshiro64 if self.block.generator == "xoroshiro" else Lfsr32
        return kind(states, random_bits=self.block.random_bits)

    def rounded(
        self, values: NDArray, settings: Settings, random: NDArray, **changes: str
    ) -> NDArray:
        return round_bits(
            values,
            source=self.block.source,
            mode=settings.mode,
            random_bits=self.block.random_bits,
            position=self.block.position,
            random=random,
            **{"target": self.block.target, "saturate": settings.saturate, **changes},
        )

    def is_nan(self, values: NDArray) -> NDArray:
        if isinstance(self.source, FixedFormat):
            return np.zeros(len(values), bool)
        return np.isnan(decode(values, self.source.name))

    def overflows(self, values: NDArray, settings: Settings, random: NDArray) -> NDArray:
        """Return which values are finite, and rounded beyond the largest finite value."""
        exact = decode(values, self.source.name)
        finite = np.isfinite(exact)
        target = self.target
        if isinstance(target, FixedFormat):
            wider = f"fixed{target.width + 1}.{target.fraction_bits}"
            result = decode(self.rounded(values, settings, random, target=wider), wider)
            return finite & ((result > target.max) | (result < target.min))
        if settings.mode == "towards_zero":
            step = target.max - float(decode(np.array([target.max_code - 1]), target.name)[0])
            return finite & (np.abs(exact) >= target.max + step)
        plain = Settings(settings.mode)
        result = decode(self.rounded(values, plain, random), target.name)
        return finite & ~np.isfinite(result)

    def config(self, settings: Settings) -> int | None:
        if self.layout is None:
            return None
        lane, seed = settings.seed or (0, 0)
        fields = {
            "mode": MODES.index(settings.mode),
            "saturate": int(settings.saturate),
            "seed_load": int(settings.seed is not None),
            "seed_lane": lane,
            "seed": seed,
        }
        members = self.layout.members
        return self.layout.const({k: v for k, v in fields.items() if k in members}).as_value().value

    def settings(self, rng: np.random.Generator, mode: str | None = None) -> Settings:
        """Return any settings that the block can take."""
        block = self.block
        chosen = mode or self.modes[int(rng.integers(0, len(self.modes)))]
        saturate = block.saturates and bool(rng.random() < 0.5)
        seed = None
        if "generator" in self.modes and rng.random() < 0.4:
            width = 64 if block.generator == "xoroshiro" else 32
            # With an odd number of lanes some indices name none.
            lane = int(rng.integers(0, 1 << max(1, (block.lanes - 1).bit_length())))
            state = int.from_bytes(rng.bytes(8), "little") >> (64 - width)
            seed = (lane, 0 if rng.random() < 0.2 else state)
        return Settings(chosen, saturate, seed)

    def random_packets(
        self, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.int64], Settings]]:
        lanes = self.block.lanes
        for _ in range(24):
            length = int(rng.integers(0, 6 * lanes, endpoint=True))
            yield self.values(rng, length), self.settings(rng)

    def full_packets(
        self, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.int64], Settings]]:
        for _ in range(4):
            settings = self.settings(rng)
            # To load a seed takes cycles of its own.
            settings.seed = None
            yield self.values(rng, 12 * self.block.lanes), settings

    def extreme_packets(
        self, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.int64], Settings]]:
        special = self.specials()
        lanes = self.block.lanes
        for mode in self.modes:
            for saturate in (False, True)[: 1 + self.block.saturates]:
                settings = self.settings(rng, mode)
                settings.saturate = saturate
                yield rng.permutation(special)[: 60 * max(lanes, 4)], settings
        for length in (0, 1, lanes, lanes + 1, 0, 2 * lanes - 1):
            yield self.values(rng, length), self.settings(rng)

    def values(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Return random words; of floats, half lie in and about the range of the target."""
        width = self.source.width
        words = rng.integers(0, 1 << width, count, dtype=np.int64)
        if isinstance(self.source, FixedFormat):
            # Of every magnitude alike, so that small ones are among them.
            shift = rng.integers(0, width, count)
            return words if self.target.width < 3 else self._shifted(words, shift)
        source = self.source
        low, high = self._target_range()
        exponent = rng.integers(low, high, count, endpoint=True) + source.bias
        exponent = np.clip(exponent, 0, (1 << source.exponent_bits) - 1)
        fraction = words & ((1 << source.mantissa_bits) - 1)
        sign = words >> (width - 1) << (width - 1)
        near = sign | exponent << source.mantissa_bits | fraction
        return np.where(rng.random(count) < 0.75, near, words)

    def _shifted(self, words: NDArray[np.int64], shift: NDArray[np.int64]) -> NDArray[np.int64]:
        width = self.source.width
        signed = words - ((words >> (width - 1)) << width)
        return (signed >> shift) & ((1 << width) - 1)

    def _target_range(self) -> tuple[int, int]:
        """Return the exponents from just below the target's smallest value to just above all."""
        target = self.target
        if isinstance(target, FloatFormat):
            smallest = 1 - target.bias - target.mantissa_bits
        else:
            smallest = -target.fraction_bits
        return smallest - 4, int(np.log2(target.max)) + 2

    def specials(self) -> NDArray[np.int64]:
        """Return words where something changes, of both signs, with their neighbours."""
        source, target = self.source, self.target
        top = 1 << (source.width - 1)
        if isinstance(source, FixedFormat):
            drop = (
                source.fraction_bits - target.fraction_bits
                if isinstance(target, FixedFormat)
                else 0
            )
            found = {0, 1, 2, 3, top, top - 1, top + 1, top - 2}
            for k in range(source.width):
                found |= {1 << k, (1 << k) - 1, (1 << k) + 1, 3 << max(0, k - 1)}
            for k in range(-3, 4):
                found.add(((k << max(0, drop)) | (1 << max(0, drop)) >> 1) % (2 * top))
            found |= {-v % (2 * top) for v in found}
            return np.array(sorted(v % (2 * top) for v in found), np.int64)
        mantissa = source.mantissa_bits
        ones = (1 << mantissa) - 1
        if isinstance(target, FloatFormat):
            # Everything that the target can hold has its place among the source's values.
            dropped = mantissa - target.mantissa_bits
        else:
            dropped = max(1, mantissa - target.width)
        low, high = self._target_range()
        exponents = {0, 1, 2, (1 << source.exponent_bits) - 2, (1 << source.exponent_bits) - 1}
        exponents |= {e + source.bias for e in range(low, low + 4)}
        exponents |= {e + source.bias for e in range(high - 3, high + 1)}
        exponents |= {source.bias, source.bias - 1}
        if isinstance(target, FloatFormat):
            exponents |= {e - target.bias + source.bias for e in range(-1, 3)}
        half = 1 << (dropped - 1)
        fractions = {0, 1, 2, ones, ones - 1, 1 << (mantissa - 1), (1 << (mantissa - 1)) - 1}
        fractions |= {1 << (mantissa - 1) | 1, half, half - 1, half + 1, 3 * half, 3 * half + 1}
        fractions |= {ones ^ (2 * half - 1), ones ^ half, ones ^ (half - 1), ones ^ (half | 1)}
        words = {
            (e << mantissa) | (f & ones)
            for e in exponents
            if 0 <= e < 1 << source.exponent_bits
            for f in fractions
        }
        return np.array(sorted(words | {w | top for w in words}), np.int64)
