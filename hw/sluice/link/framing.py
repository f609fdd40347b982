"""Frames as the host makes and reads them."""

import zlib

from sluice.link.protocol import CRC_BYTES

__all__ = ["pack_frame", "unpack_frame"]


def pack_frame(content: bytes) -> bytes:
    """Return ``content`` with its checksum, stuffed, and the zero byte that ends it."""
    content += zlib.crc32(content).to_bytes(CRC_BYTES, "little")
    out, group = bytearray(), bytearray()
    for n, byte in enumerate(content):
        if byte:
            group.append(byte)
        if not byte or (len(group) == 254 and n + 1 < len(content)):
            out += bytes([len(group) + 1]) + group
            group.clear()
    return bytes(out + bytes([len(group) + 1]) + group + b"\0")


def unpack_frame(stuffed: bytes) -> bytes | None:
    """Return what a frame (given without its zero byte) carries, or ``None`` if it is damaged."""
    out, at = bytearray(), 0
    while at < len(stuffed):
        code = stuffed[at]
        out += stuffed[at + 1 : at + code]
        at += code
        if at < len(stuffed) and code != 255:
            out.append(0)
    content, check = bytes(out[:-CRC_BYTES]), bytes(out[-CRC_BYTES:])
    damaged = at != len(stuffed) or zlib.crc32(content).to_bytes(CRC_BYTES, "little") != check
    return None if damaged else content
