"""The codec that leaves zeros out, block by block, on the host."""

import numpy as np
from numpy.typing import NDArray

from sluice.compression.packed import Packed, Run
from sluice.compression.section import Section
from sluice.formats import Format
from sluice.sparsity.relu_compress import BLOCK, ELEMENTS

__all__ = ["ReluCodec"]

_RAW, _STORED = np.uint64(1 << 15), np.uint64((1 << 15) - 1)


class ReluCodec:
    """Zeros without loss: counts per block, a bitmap, and the elements that are not zero.

    What it makes, :class:`sluice.sparsity.ReluDecompress` takes: sections ``counts``, ``bitmap``
    and ``i`` are the packets of its streams. Only words without a bit set are left out.
    """

    name = "relu"
    options: tuple[str, ...] = ("block",)

    def refuses(self, words: NDArray[np.uint64], number: Format) -> str:
        """Say why a tensor cannot be compressed; empty if it can."""
        if number.name in ELEMENTS:
            return ""
        return f"codec relu takes the formats of relu_decompress, not {number}"

    def compress(self, words: NDArray[np.uint64], number: Format, *, block: int = 256) -> Packed:
        """Return the three sections.

        Parameters
        ----------
        words : array of bit patterns, shape ``(n,)``
        number : format
        block : int, 2..8192
            Elements per block, a power of two. The last block may be shorter.

        Raises
        ------
        TypeError, ValueError
            Naming what is out of its range.
        """
        if reason := self.refuses(words, number):
            raise ValueError(reason)
        block = BLOCK.check(block)
        owner = np.arange(words.size) // block
        there = words != 0
        sizes = np.bincount(owner)
        counts = np.bincount(owner, there).astype(np.int64)
        raw = (sizes - counts) * number.width < sizes
        table = np.where(raw, sizes | int(_RAW), counts).astype(np.uint64)
        mapped = ~raw[owner]
        return Packed(
            self.name,
            {"block": block},
            {
                "counts": Section(table, 16),
                "bitmap": Section(there[mapped].astype(np.uint64), 1),
                "i": Section(words[there | ~mapped], number.width),
            },
        )

    def decompress(self, packed: Packed, number: Format, count: int) -> NDArray[np.uint64]:
        """Return the bit patterns.

        Raises
        ------
        ValueError
            If the sections do not say of each element what it is.
        """
        counts, bitmap, stored = (packed.sections[s].words for s in ("counts", "bitmap", "i"))
        block = packed.options["block"]
        owner = np.arange(count) // block
        if counts.size != -(-count // block):
            raise ValueError(f"counts has {counts.size} entries for {count} elements")
        there = counts[owner] >= _RAW
        if bitmap.size != (~there).sum():
            raise ValueError(f"bitmap has {bitmap.size} bits for {(~there).sum()} elements")
        there[~there] = bitmap != 0
        if (np.bincount(owner, there, counts.size) != counts & _STORED).any():
            raise ValueError("counts and bitmap do not agree")
        if stored.size != there.sum():
            raise ValueError(f"there are {stored.size} elements, not {there.sum()}")
        found = np.zeros(count, np.uint64)
        found[there] = stored
        return found

    def block(self, packed: Packed, number: Format, count: int, lanes: int) -> Run:
        """Return how the block decompresses it."""
        parameters = {"element": number.name, "lanes": lanes, **packed.options}
        return Run("relu_decompress", parameters)
