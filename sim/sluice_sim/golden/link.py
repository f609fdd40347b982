"""Golden model of the bytes on the host link: stuffing by its definition, and frames."""

import zlib

__all__ = ["decode", "encode", "frame", "unframe"]


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
