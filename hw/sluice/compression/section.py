"""Words of any width side by side in bytes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Section"]


@dataclass(frozen=True)
class Section:
    """Words of ``width`` bits (1..64), shape ``(n,)``."""

    words: NDArray[np.uint64]
    width: int

    @property
    def bits(self) -> int:
        return self.words.size * self.width

    def to_bytes(self) -> bytes:
        """Return bits ``k * width`` to ``(k + 1) * width - 1`` as word ``k``, lowest bit first.

        Bit ``b`` is bit ``b % 8`` of byte ``b // 8``; the last byte is filled with zeros. So a beat
        of ``lanes`` words is ``lanes * width`` bits that follow each other.
        """
        places = np.arange(self.width, dtype=np.uint64)
        bits = (self.words[:, None] >> places & np.uint64(1)).astype(np.uint8)
        return np.packbits(bits.ravel(), bitorder="little").tobytes()

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
        places = np.uint64(1) << np.arange(width, dtype=np.uint64)
        words = (bits.reshape(count, width) * places).sum(1, dtype=np.uint64)
        return cls(words.astype(np.uint64), width)
