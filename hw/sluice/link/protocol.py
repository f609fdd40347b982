"""The numbers of the host link, shared by the hardware and the client."""

import enum
import hashlib
import json
from dataclasses import dataclass

from sluice.block import Block

__all__ = [
    "ANSWER",
    "ANSWER_OVERHEAD",
    "CRC_BYTES",
    "DIGEST_BYTES",
    "REJECTIONS",
    "REQUEST_HEADER",
    "VERSION",
    "Code",
    "Identity",
    "Op",
    "StreamFacts",
    "bytes_of",
    "digest_of",
]

VERSION = 1
ANSWER = 0x80
REQUEST_HEADER = 2
CRC_BYTES = 4
DIGEST_BYTES = 8
# op, seq, code and CRC: what an answer carries besides its payload.
ANSWER_OVERHEAD = 3 + CRC_BYTES


class Op(enum.IntEnum):
    """What a request asks for; its answer has :data:`ANSWER` added."""

    IDENTIFY = 1
    CONFIGURE = 2
    PUSH = 3
    PULL = 4
    STATUS = 5
    RESET = 6


class Code(enum.IntEnum):
    """What became of a frame.

    ``FRAME`` to ``SEQUENCE`` reject it: it was not a request, and its sequence number does not
    count. ``ARGUMENT`` and ``BUSY`` refuse a request that was received in order.
    """

    OK = 0
    FRAME = 1
    LENGTH = 2
    CRC = 3
    OP = 4
    SEQUENCE = 5
    ARGUMENT = 6
    BUSY = 7


REJECTIONS = (Code.FRAME, Code.LENGTH, Code.CRC, Code.OP, Code.SEQUENCE)


def bytes_of(bits: int) -> int:
    """Return the bytes that ``bits`` bits take on the link."""
    return -(-bits // 8)


def digest_of(block: Block) -> bytes:
    """Return the bytes by which a client knows that a device carries ``block``."""
    values = {name: str(value) for name, value in block.parameters.items()}
    text = json.dumps([type(block).__name__, values], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


@dataclass(frozen=True)
class StreamFacts:
    """One stream of a device.

    Attributes
    ----------
    bits : int
        Width of its payload.
    depth : int
        Beats that its queue in the device holds.
    """

    bits: int
    depth: int

    @property
    def beat_bytes(self) -> int:
        return bytes_of(self.bits)


@dataclass(frozen=True)
class Identity:
    """The payload of the answer to ``IDENTIFY``.

    Attributes
    ----------
    digest : bytes
        See :func:`digest_of`.
    largest_payload : int
        Bytes that a request or an answer carries at most.
    config_bits, status_bits : int
    inputs, outputs : tuple of StreamFacts
        In the order of :func:`sluice.export.streams_of`; a stream's place is its number.
    """

    digest: bytes
    largest_payload: int
    config_bits: int
    status_bits: int
    inputs: tuple[StreamFacts, ...]
    outputs: tuple[StreamFacts, ...]
    version: int = VERSION

    def pack(self) -> bytes:
        """Return the payload's bytes."""
        words = [self.largest_payload, self.config_bits, self.status_bits]
        facts = [n for s in (*self.inputs, *self.outputs) for n in (s.bits, s.depth)]
        return (
            bytes([self.version, len(self.inputs), len(self.outputs), 0])
            + b"".join(word.to_bytes(2, "little") for word in words)
            + self.digest
            + b"".join(word.to_bytes(2, "little") for word in facts)
        )

    @classmethod
    def unpack(cls, payload: bytes) -> "Identity":
        """Return what ``payload`` says, or raise ``ValueError`` if it is none of this version."""
        if len(payload) < 18 or payload[0] != VERSION:
            raise ValueError("not an identity of this version")
        inputs, outputs = payload[1], payload[2]
        words = [int.from_bytes(payload[k : k + 2], "little") for k in range(4, len(payload), 2)]
        if len(payload) != 18 + 4 * (inputs + outputs):
            raise ValueError("an identity of the wrong length")
        facts = words[3 + DIGEST_BYTES // 2 :]
        streams = tuple(StreamFacts(*facts[k : k + 2]) for k in range(0, len(facts), 2))
        return cls(payload[10:18], words[0], words[1], words[2], streams[:inputs], streams[inputs:])
