"""Bench of settings that come in messages."""

import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sluice.registers import pack_fields
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, random_packets
from sluice_sim.golden.quantization import answer

__all__ = ["QuantizerSettingsBench"]

ONE = 0x3F800000


def sign(content: bytes) -> bytes:
    """Return a message with its CRC."""
    return content + zlib.crc32(content).to_bytes(4, "little")


def build(fields: Sequence[int], scale: int, inverse: int, zero: int) -> bytes:
    """Return a message; ``fields`` are its first six bytes."""
    words = scale.to_bytes(4, "little") + inverse.to_bytes(4, "little")
    return sign(bytes(fields) + words + (zero & 0xFFFFFF).to_bytes(3, "little"))


class QuantizerSettingsBench(Bench):
    """Messages that count, and some with one fault each, while packets of all lengths pass."""

    modules = ("sluice_sim.bench.tb_quantizer_settings",)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        messages = [*self.messages(kind, rng)]
        replies, shown = answer(messages, target=block.target)
        self.shown = [self.pack(settings) for settings in shown]
        sent: list[Word] = []
        for message in messages:
            words = beats(block.bytes_beat, list(message))
            if message and rng.random() < 0.2:
                # An empty beat ends the packet; what it carries is nothing.
                words[-1] &= ~(1 << 9)
                words.append(1 << 9 | int(rng.integers(0, 256)))
            sent += [Word(word) for word in words]
        expected = [word for reply in replies for word in beats(block.bytes_beat, list(reply))]
        packets = random_packets(block.shape, rng, count=30)
        if kind == "rate":
            packets = [[1] * block.shape.lanes] * 30
        passing = [word for packet in packets for word in beats(block.shape, packet)]
        last = shown[-1]
        signals = {"settings": self.shown[-1], "strategy": last["strategy"]}
        return Scenario(
            {"i": [Word(w) for w in passing], "message": sent},
            {"o": passing, "reply": expected},
            signals,
        )

    def pack(self, settings: Mapping[str, int]) -> int:
        """Return the bits of the port ``settings``."""
        fields = {name: value for name, value in settings.items() if name != "strategy"}
        return pack_fields(self.block.settings.shape(), fields)

    def messages(self, kind: str, rng: np.random.Generator) -> Iterator[bytes]:
        """Yield messages, the last of which counts."""
        target = self.block.target
        sequence = int(rng.integers(0, 256))

        def good(**changes: int) -> bytes:
            method, bits = int(rng.integers(0, 3)), int(rng.integers(1, 17))
            bits, method = changes.get("bits", bits), changes.get("method", method)
            low = -(1 << bits - 1) if method == 2 else 0
            zero = int(rng.integers(low, low + (1 << bits) - 1, endpoint=True))
            scale, inverse = (int(w) for w in rng.integers(1 << 23, 255 << 23, 2))
            head = [1, sequence, target, int(rng.integers(0, 256)), method, bits]
            values = {"scale": scale, "inverse": inverse, "zero": zero} | {
                k: v for k, v in changes.items() if k in ("scale", "inverse", "zero")
            }
            return build(head, **values)

        if kind == "rate":
            yield good()
            return
        if kind == "extremes":
            yield from self.extremes(good, sequence)
            # The same number, again and again, and another one between.
            for _ in range(3):
                yield good()
        for _ in range(12):
            sequence = (sequence + int(rng.integers(1, 256))) & 0xFF
            message = good()
            fault = int(rng.integers(0, 8))
            if fault == 0:
                # One bit is wrong.
                at = int(rng.integers(0, len(message) * 8))
                broken = bytearray(message)
                broken[at // 8] ^= 1 << at % 8
                yield bytes(broken)
            elif fault == 1:
                yield message[: int(rng.integers(0, 21))]
            elif fault == 2:
                yield message + rng.bytes(int(rng.integers(1, 20)))
            elif fault == 3:
                at = int(rng.choice([0, 2, 4, 5]))
                content = bytearray(message[:-4])
                content[at] ^= 1 << int(rng.integers(0, 8))
                yield sign(bytes(content))
            yield message
            if rng.random() < 0.3:
                yield message
        sequence = (sequence + 1) & 0xFF
        yield good(bits=int(rng.integers(1, 17)), method=int(rng.integers(0, 3)))

    def extremes(self, good, sequence: int) -> Iterator[bytes]:
        """Yield what is just right and just wrong, with one number; nothing before has it."""
        target = self.block.target

        def renumbered(message: bytes, number: int) -> bytes:
            return sign(message[:1] + bytes([number & 0xFF]) + message[2:-4])

        number = sequence + 1
        yield b""
        for bits in (1, 2, 15, 16):
            for method in (1, 2):
                low = -(1 << bits - 1) if method == 2 else 0
                high = low + (1 << bits) - 1
                for zero in (low, high, low - 1, high + 1, high + (1 << 17), low - (1 << 17)):
                    number += 1
                    yield renumbered(good(bits=bits, method=method, zero=zero), number)
        for word in (0, 1, (1 << 23) - 1, 1 << 23, (255 << 23) - 1, 255 << 23, 1 << 31 | ONE):
            for name in ("scale", "inverse"):
                number += 1
                yield renumbered(good(**{name: word}), number)
        for at, values in (
            (0, (0, 2, 3, 0x81)),
            (2, (target ^ 1, target ^ 0x80)),
            (4, (3, 4, 0x81, 0x82)),
            (5, (0, 17, 32, 0x81, 255)),
        ):
            for value in values:
                message = bytearray(good())
                message[at] = value
                number += 1
                yield renumbered(bytes(message), number)
                # Also if it has the number of one that counted.
                yield renumbered(good(bits=8), number)
                yield renumbered(bytes(message), number)

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        wait = moved["reply"][0] - moved["message"][-1]
        assert wait == self.block.reply_latency, f"a reply after {wait} cycles"
        gap = moved["reply"][-1] - moved["reply"][0]
        assert gap == len(moved["reply"]) - 1, "there is a gap in the reply"
