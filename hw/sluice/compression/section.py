"""Words of any width side by side in bytes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALIGNMENT", "Section"]

# Sections begin at multiples of so many bytes in files, as memories are read.
ALIGNMENT = 64


@dataclass(frozen=True)
class Section:
    """Words of ``width`` bits (1..64), shape ``(n,)``."""

    words: NDArray[np.uint64]
    width: int

    @property
    def bits(self) -> int:
        return self.words.size * self.width

    @property
    def filled(self) -> int:
        """Bytes in a file, with those that fill it up to where the next one begins."""
        return -(-self.bits // (8 * ALIGNMENT)) * ALIGNMENT

    def to_bytes(self) -> bytes:
        """Return bits ``k * width`` to ``(k + 1) * width - 1`` as word ``k``, lowest bit first.

        Bit ``b`` is bit ``b % 8`` of byte ``b // 8``; the last byte is filled with zeros. So a beat
        of ``lanes`` words is ``lanes * width`` bits that follow each other.
        """
        octets = self.words.astype("<u8").view(np.uint8).reshape(-1, 8)
        bits = np.unpackbits(octets, axis=1, count=self.width, bitorder="little")
        return np.packbits(bits, bitorder="little").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, *, count: int, width: int) -> "Section":
        """Return the ``count`` words that bytes hold.

        Raises
        ------
        ValueError
            If these are not as many bytes as that takes.
        """
        if len(data) != -(-count * width // 8):
            raise ValueError(f"{count} words of {width} bits are not {len(data)} bytes")
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: count * width]
        octets = np.zeros((count, 8), np.uint8)
        packed = np.packbits(bits.reshape(count, width), axis=1, bitorder="little")
        octets[:, : packed.shape[1]] = packed
        return cls(octets.view("<u8").reshape(-1).astype(np.uint64), width)
