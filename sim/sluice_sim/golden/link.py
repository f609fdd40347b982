"""Golden model of the bytes on the host link: stuffing by its definition, and frames."""

import zlib
from collections.abc import Sequence
from typing import Protocol

__all__ = ["BlockModel", "LinkModel", "decode", "encode", "frame", "unframe"]


def encode(content: bytes) -> bytes:
    """Return ``content`` without zero bytes, and a zero byte that ends it.

    Each group is its length plus one and up to 254 bytes that are not zero. A group stands for a
    zero after it, unless it is a full one or the last.
    """
    out = bytearray()
    parts = content.split(b"\0")
    for n, part in enumerate(parts):
        rest = part
        while len(rest) > 254 or (len(rest) == 254 and n < len(parts) - 1):
            out += b"\xff" + rest[:254]
            rest = rest[254:]
        out += bytes([len(rest) + 1]) + rest
    return bytes(out) + b"\0"


def decode(stuffed: bytes) -> bytes | None:
    """Return the content of a frame given without its zero byte, or ``None`` if it is cut."""
    out = bytearray()
    while stuffed:
        code, stuffed = stuffed[0], stuffed[1:]
        if len(stuffed) < code - 1:
            return None
        out += stuffed[: code - 1]
        stuffed = stuffed[code - 1 :]
        if stuffed and code != 255:
            out.append(0)
    return bytes(out)


def frame(content: bytes) -> bytes:
    """Return the frame that carries ``content``: its checksum added, stuffed, ended."""
    return encode(content + zlib.crc32(content).to_bytes(4, "little"))


def unframe(stuffed: bytes) -> bytes | None:
    """Return what a frame (without its zero byte) carries, or ``None`` if it is damaged."""
    content = decode(stuffed)
    if content is None or len(content) < 4:
        return None
    content, check = content[:-4], content[-4:]
    return content if zlib.crc32(content).to_bytes(4, "little") == check else None


class BlockModel(Protocol):
    """What the model of a device must know of the block in it."""

    status: int
    unfinished: bool

    def reset(self) -> None:
        """Return to the state after reset."""

    def take(self, config: int, beat: int, room: Sequence[int]) -> int | None:
        """Take a beat of the first input stream if the output it goes to has room.

        Returns
        -------
        int or None
            The output stream that gives the beat, one past the last for none of them; ``None``
            if the beat was not taken.
        """
        ...


class LinkModel:
    """Golden model of a device whose block has one input stream and gives every beat at once.

    Parameters
    ----------
    identity : bytes
        Payload of the answer to ``IDENTIFY``.
    frame_bytes, depth : int
        Largest frame; beats per queue.
    bits, config_bits, status_bits : int
        Of a beat of every stream, of the settings, of the status.
    outputs : int
        Output streams.
    """

    def __init__(
        self,
        block: BlockModel,
        *,
        identity: bytes,
        frame_bytes: int,
        depth: int,
        bits: int,
        outputs: int,
        config_bits: int,
        status_bits: int,
    ):
        self.block, self.identity, self.depth, self.bits = block, identity, depth, bits
        self.frame_bytes, self.outputs = frame_bytes, outputs
        self.config_bits, self.status_bits = config_bits, status_bits
        self.size = -(-bits // 8)
        self.last_seq: int | None = None
        self.stored = b""
        self.restart()

    def restart(self) -> None:
        """Reset everything but the sequence of requests."""
        self.block.reset()
        self.config, self.answers = 0, [0] * 8
        self.queued: list[int] = []
        self.given: list[list[int]] = [[] for _ in range(self.outputs)]
        self.counts = [0] * (1 + self.outputs)

    def receive(self, stuffed: bytes) -> bytes | None:
        """Return the answer, checksum not included, to what came before a zero byte."""
        if not stuffed:
            return None
        content = decode(stuffed)
        if content is None:
            return self.reject(1, 0, 0)
        if not 6 <= len(content) <= self.frame_bytes:
            return self.reject(2, 0, 0)
        if zlib.crc32(content[:-4]).to_bytes(4, "little") != content[-4:]:
            return self.reject(3, 0, 0)
        op, seq, payload = content[0], content[1], content[2:-4]
        if not 1 <= op <= 6:
            return self.reject(4, op, seq)
        if op not in (1, 6):
            if self.last_seq is not None and seq == self.last_seq:
                return self.stored
            if self.last_seq is None or seq != (self.last_seq + 1) % 256:
                return self.reject(5, op, seq)
        self.last_seq = seq
        code, answer = self.obey(op, payload)
        self.count(code)
        self.stored = bytes([op | 0x80, seq, code]) + answer
        return self.stored

    def count(self, code: int) -> None:
        self.answers[code] = min(self.answers[code] + 1, 0xFFFF)

    def reject(self, code: int, op: int, seq: int) -> bytes:
        self.count(code)
        return bytes([op | 0x80, seq, code])

    def obey(self, op: int, payload: bytes) -> tuple[int, bytes]:
        """Do what a request in order asks for; return the code and the payload of the answer."""
        size = self.size
        match op:
            case 1 if not payload:
                return 0, self.identity
            case 2 if len(payload) == -(-self.config_bits // 8):
                if self.queued or self.block.unfinished:
                    return 7, b""
                self.config = int.from_bytes(payload, "little") & ((1 << self.config_bits) - 1)
                return 0, b""
            case 3 if payload and payload[0] == 0 and (len(payload) - 1) % size == 0:
                words = [payload[k : k + size] for k in range(1, len(payload), size)]
                if len(words) > self.depth - len(self.queued):
                    return 7, b""
                mask = (1 << self.bits) - 1
                self.queued += [int.from_bytes(word, "little") & mask for word in words]
                self.settle()
                return 0, b""
            case 4 if len(payload) == 3 and payload[0] < self.outputs:
                most = int.from_bytes(payload[1:], "little")
                most = min(most, (self.frame_bytes - 7) // size)
                out: list[int] = []
                while len(out) < most and self.given[payload[0]]:
                    out.append(self.given[payload[0]].pop(0))
                    self.settle()
                return 0, b"".join(word.to_bytes(size, "little") for word in out)
            case 5 if not payload:
                status = self.block.status.to_bytes(-(-self.status_bits // 8), "little")
                counts = b"".join(n.to_bytes(4, "little") for n in self.counts)
                return 0, status + counts + b"".join(n.to_bytes(2, "little") for n in self.answers)
            case 6 if not payload:
                self.restart()
                return 0, b""
        return 6, b""

    def settle(self) -> None:
        """Let the block take whatever it can."""
        while self.queued:
            room = [self.depth - len(given) for given in self.given]
            k = self.block.take(self.config, self.queued[0], room)
            if k is None:
                break
            beat = self.queued.pop(0)
            self.counts[0] += 1
            if k < self.outputs:
                self.given[k].append(beat)
                self.counts[1 + k] += 1
