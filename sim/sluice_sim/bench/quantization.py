"""Benches of quantization."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sluice.registers import pack_fields
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.quantization import encrypt, fake_quantize, select_blocks

__all__ = ["BlockSelectorBench", "FakeQuantizeBench"]

# Zeros, subnormals, the smallest and the largest numbers, infinities and NaN.
SPECIAL = [
    sign << 31 | word
    for word in (
        *(0, 1, 0x400000, 0x7FFFFF, 0x800000, 0x3F000000, 0x3F800000, 0x7F7FFFFF),
        *(0x7F800000, 0x7F800001, 0x7FC00000, 0x7FFFFFFF),
    )
    for sign in (0, 1)
]


# With no zero point, so that numbers half way between steps are in the range.
THIRD = {
    "scale": 0x3EAAAAAB,
    "inv_scale": 0x40400000,
    "zero_point": 0,
    "qmin": -(1 << 16),
    "qmax": (1 << 16) - 1,
    "bypass": False,
}


def words_of(numbers: NDArray[np.floating]) -> NDArray[np.uint64]:
    """Return bit patterns of fp32."""
    with np.errstate(all="ignore"):
        return numbers.astype(np.float32).view(np.uint32).astype(np.uint64)


def word_of(number: float | np.floating) -> int:
    return int(words_of(np.array([number]))[0])


def range_of(bits: int, *, signed: bool) -> tuple[int, int]:
    """Return the lowest and the highest code."""
    low = -(1 << bits - 1) if signed else 0
    return low, low + (1 << bits) - 1


class FakeQuantizeBench(Bench):
    """Numbers at, half way between and next to steps, of every range; and special ones."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        layout = block.config.shape()
        sent: list[Word] = []
        out: dict[str, list[int]] = {"o": [], "bits": []}
        for words, settings in self.packets(kind, rng):
            found, inside = fake_quantize(words, **settings)
            config = pack_fields(layout, {k: int(v) for k, v in settings.items()})
            came = packet(block.i_beat, words.tolist(), config)
            sent += [Word(soiled(block.i_beat, w.payload, rng), w.config) for w in came]
            out["o"] += beats(block.i_beat, found.tolist())
            out["bits"] += beats(block.bits_beat, inside.astype(int).tolist())
        return Scenario({"i": sent}, out)

    def packets(self, kind: str, rng: np.random.Generator) -> Iterable[tuple[NDArray, dict]]:
        """Yield bit patterns and settings."""
        lanes = self.block.lanes
        if kind == "rate":
            # Settings change without a gap.
            for length in (1, 40, 1, 2, 20):
                yield self.near(rng, length * lanes, settings := self.settings(rng)), settings
            return
        for length in rng.integers(0, 6 * lanes, 40, endpoint=True).tolist():
            settings = self.settings(rng)
            yield self.near(rng, length, settings), settings
        if kind == "extremes":
            for length in (0, 1, lanes, lanes + 1, 0):
                settings = self.settings(rng) | {"bypass": length % 2 == 0}
                yield np.array(SPECIAL, np.uint64)[:length], settings
            for word in (*SPECIAL, 1 << 23, 254 << 23):
                # Of scales that are no numbers, and of some that have no reciprocal.
                settings = self.settings(rng) | {
                    "scale": word,
                    "inv_scale": int(rng.choice(SPECIAL)),
                }
                yield np.array(SPECIAL, np.uint64), settings
                yield np.array(SPECIAL, np.uint64), settings | {"inv_scale": word_of(1)}
            one = {"scale": word_of(1), "inv_scale": word_of(1), "bypass": False}
            for _ in range(20):
                # Of scales that make subnormal numbers of some steps, or of all.
                settings = self.settings(rng) | one
                words = self.near(rng, 10 * lanes, settings)
                yield words, settings | {"scale": int(rng.integers(0, 1 << 27))}
                yield self.half_way(rng, 8 * lanes), self.settings(rng) | THIRD
            ends = [-(1 << 16), (1 << 16) - 1, 0, 1, -1]
            for _ in range(30):
                # Codes and zero points at the ends, also where the lowest is above the highest.
                codes = dict(zip(("zero_point", "qmin", "qmax"), rng.choice(ends, 3), strict=True))
                settings = self.settings(rng) | {k: int(v) for k, v in codes.items()}
                yield self.near(rng, 5 * lanes, settings), settings
                yield self.near(rng, 5 * lanes, settings | one), settings | one

    def settings(self, rng: np.random.Generator) -> dict:
        """Return a scale of any size, and a range of any width."""
        scale = np.float32(2.0 ** rng.integers(-20, 20) * rng.uniform(1, 2))
        if rng.random() < 0.3:
            scale = np.float32(2.0 ** rng.integers(-4, 4))
        low, high = range_of(int(rng.integers(1, 17)), signed=bool(rng.random() < 0.5))
        return {
            "scale": word_of(scale),
            "inv_scale": word_of(np.float32(1) / scale),
            "zero_point": int(rng.integers(low, high, endpoint=True)),
            "qmin": low,
            "qmax": high,
            "bypass": bool(rng.random() < 0.1),
        }

    def half_way(self, rng: np.random.Generator, length: int) -> NDArray[np.uint64]:
        """Return numbers of which three times that is half way between two numbers of fp32.

        Of these, the even one is half way between two steps, and the last bit of the exact product
        decides on which side of it.
        """
        # Half-way points, whose significand begins with two ones, so that a third has 24 bits.
        below = rng.integers(0, 15, length)
        tops = rng.integers(3 << below, 4 << below) * 2 + 1
        product = tops << (22 - below)
        # Half a unit more, or less, or none, such that three divides it.
        product += np.array([0, -1, 1])[product % 3]
        numbers = (product // 3) * 2.0 ** (below - 23.0)
        return words_of(numbers * rng.choice([-1, 1], length))

    def near(self, rng: np.random.Generator, length: int, settings: dict) -> NDArray[np.uint64]:
        """Return numbers at steps, half way between them, next to that, and any."""
        low, high = (settings[k] - settings["zero_point"] for k in ("qmin", "qmax"))
        low, high = min(low, high), max(low, high)
        scale = np.array(settings["scale"], np.uint32).view(np.float32)
        counts = rng.integers(low, high, length, endpoint=True).astype(float)
        at_end = rng.random(length) < 0.4
        counts = np.where(at_end, rng.choice([low, high], length), counts)
        counts += rng.choice([-1, -0.5, 0, 0.5, 1, 0.25], length)
        words = words_of(counts * scale)
        words = np.where(words & 0x7FFFFFFF, words + rng.choice([-1, 0, 1], length), words)
        anything = rng.integers(0, 1 << 32, length, dtype=np.uint64)
        special = rng.choice(np.array(SPECIAL, np.uint64), length)
        kinds = rng.choice(3, length, p=[0.8, 0.1, 0.1])
        chosen = np.choose(kinds, [words.astype(np.uint64), anything, special])
        return chosen & np.uint64(0xFFFFFFFF)


class BlockSelectorBench(Bench):
    """Packets with every probability, of which some last until the blocks' number is large."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        layout, width = block.config.shape(), block.beat.element_width
        sent: dict[str, list[Word]] = {"i": [], "q": []}
        out: list[int] = []

        def words(length: int) -> NDArray[np.uint64]:
            return rng.integers(0, 1 << width, length, dtype=np.uint64)

        for length in self.lengths(kind, rng):
            full, few = words(length), words(length)
            if width == 1:
                # Which one was chosen can be told from every bit.
                few = full ^ np.uint64(1)
            settings = {
                "key": int(rng.integers(0, 1 << 64, dtype=np.uint64)),
                "start": int(rng.integers(0, 1 << 32)),
                "threshold": int(rng.integers(0, 256, endpoint=True)),
            }
            if rng.random() < 0.5:
                # One block is just chosen, or just not.
                text = settings["start"] + int(rng.integers(0, 1 + length // block.block // 4))
                draws = int(encrypt(text & 0xFFFFFFFF, key=settings["key"]))
                settings["threshold"] = (draws >> 8 * int(rng.integers(0, 4)) & 0xFF) + int(
                    rng.integers(0, 2)
                )
            elif kind == "extremes":
                settings["threshold"] = int(rng.choice([0, 1, 2, 128, 255, 256]))
                # The counter goes over its end, or carries far.
                settings["start"] = int(rng.choice([0, (1 << 32) - 1, (1 << 16) - 1, 0xFFFF0F]))
                settings["key"] = int(rng.choice([0, 1, 0xFFFF], 1)[0]) or settings["key"]
            chosen = select_blocks(length, block=block.block, **settings)
            sent["i"] += packet(block.beat, full.tolist(), pack_fields(layout, settings))
            came = packet(block.beat, few.tolist())
            sent["q"] += [Word(soiled(block.beat, w.payload, rng)) for w in came]
            out += beats(block.beat, np.where(chosen, few, full).tolist())
        uneven = kind == "extremes"
        if uneven:
            # A beat that ends a packet of one input, and is one of several of the other.
            (one,) = beats(block.beat, [1] * block.lanes)
            sent["i"].append(Word(one, 0))
            sent["q"].append(Word(one & ~(1 << block.beat.data_bits + block.lanes)))
            out.append(one)
        return Scenario(sent, {"o": out}, {"status": int(uneven)})

    def lengths(self, kind: str, rng: np.random.Generator) -> list[int]:
        """Return how many elements packets have."""
        lanes, size = self.block.lanes, self.block.block
        if kind == "rate":
            return [lanes] + [20 * lanes] * 2 + [lanes]
        most = min(6 * lanes + 4 * size, 60 * lanes)
        found = rng.integers(0, most, 20, endpoint=True).tolist()
        if kind == "extremes":
            found += [0, 1, lanes, 0, lanes + 1, lanes - 1]
            # Over the end of blocks, and of the word that decides for four of them.
            found += [min(5 * size, 80 * lanes) + 2 * lanes] * 2
        return found
