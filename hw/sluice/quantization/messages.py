"""Messages that say how numbers are to be quantized, and the replies, as a host sees them."""

import enum
import zlib
from dataclasses import dataclass

__all__ = [
    "CRC_BYTES",
    "INDICATION_BYTES",
    "REPLY_BYTES",
    "VERSION",
    "Code",
    "Indication",
    "Method",
    "Reply",
]

VERSION = 1
CRC_BYTES = 4
# With the CRC.
INDICATION_BYTES, REPLY_BYTES = 21, 8


class Method(enum.IntEnum):
    """How numbers are quantized: not at all, or to codes that are unsigned or signed."""

    BYPASS = 0
    UNSIGNED = 1
    SIGNED = 2


class Code(enum.IntEnum):
    """What became of an indication: it counts, or the first of the reasons why it does not."""

    ACCEPTED = 0
    LENGTH = 1
    CRC = 2
    VERSION = 3
    TARGET = 4
    METHOD = 5
    BITS = 6
    ZERO_POINT = 7
    SCALE = 8


@dataclass(frozen=True)
class Indication:
    """A strategy of quantization, and for whom it is.

    Attributes
    ----------
    sequence : int, 0..255
        Another one than that of the indication before; the same if that is sent again.
    target : int, 0..255
        Whose numbers are meant.
    strategy : int, 0..255
        A name for the settings, which the reply repeats.
    method : Method
    bits : int, 1..16
        Of a code.
    scale, inv_scale : int
        Bits of fp32; both positive and normal.
    zero_point : int
        A code.
    """

    sequence: int
    target: int = 0
    strategy: int = 0
    method: int = Method.SIGNED
    bits: int = 8
    scale: int = 0x3F800000
    inv_scale: int = 0x3F800000
    zero_point: int = 0
    version: int = VERSION

    def pack(self) -> bytes:
        """Return the message."""
        head = (self.version, self.sequence, self.target, self.strategy, self.method, self.bits)
        content = bytes(head) + b"".join(
            word.to_bytes(4, "little") for word in (self.scale, self.inv_scale)
        )
        content += self.zero_point.to_bytes(3, "little", signed=True)
        return content + zlib.crc32(content).to_bytes(CRC_BYTES, "little")


@dataclass(frozen=True)
class Reply:
    """What a device says of an indication.

    Attributes
    ----------
    sequence : int
        That of the indication; 0 if its length was wrong.
    code : Code
    strategy : int
        That is in force, 0 if none was accepted yet.
    """

    sequence: int
    code: Code
    strategy: int

    @classmethod
    def unpack(cls, message: bytes) -> "Reply":
        """Return what ``message`` says, or raise ``ValueError`` if it is damaged."""
        content, check = message[:-CRC_BYTES], message[-CRC_BYTES:]
        damaged = zlib.crc32(content).to_bytes(CRC_BYTES, "little") != check
        if len(message) != REPLY_BYTES or damaged:
            raise ValueError("a damaged reply")
        if content[0] != VERSION:
            raise ValueError(f"a reply of version {content[0]}, which is not {VERSION}")
        return cls(content[1], Code(content[2]), content[3])
