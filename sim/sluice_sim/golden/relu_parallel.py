"""Golden models of zeros left out, and put back, by several engines."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.sparsity import relu_compress

__all__ = ["Write", "deal", "relu_compress_parallel"]

# Beat of the region, first lane, and what is written from there on.
Write = tuple[int, int, NDArray[np.uint64]]
_STORED = (1 << 15) - 1


def deal(words: ArrayLike, *, block: int, engines: int) -> list[NDArray[np.uint64]]:
    """Return the elements of each engine: its blocks, one of so many, one behind the other."""
    a = np.asarray(words, np.uint64)
    blocks = [a[k : k + block] for k in range(0, a.size, block)]
    return [np.concatenate([a[:0], *blocks[e::engines]]) for e in range(engines)]


def relu_compress_parallel(
    parts: Sequence[ArrayLike], *, block: int, width: int, lanes: int
) -> tuple[list[list[Write]], list[list[Write]], NDArray[np.uint64]]:
    """Return the writes of elements and of bits of each engine, and the table of counts.

    Parameters
    ----------
    parts : sequence of arrays of integers
        Elements of each engine, as :func:`deal` gives them. Where they are not those of one
        tensor, there are holes in the table, which are raw blocks without an element.
    block : int
        Elements per block.
    width : int, bits
        Of an element.
    lanes : int
        Elements per beat.

    Returns
    -------
    elements, bits : list of lists of writes
        Of each engine, in their order. None is empty but for the last one of an engine.
    counts : array, shape ``(blocks,)``
        As of :func:`sluice_sim.golden.sparsity.relu_compress`.
    """
    dealt = [np.asarray(part, np.uint64) for part in parts]
    elements: list[list[Write]] = [[] for _ in dealt]
    bits: list[list[Write]] = [[] for _ in dealt]
    counts: list[int] = []
    start, row = 0, 0
    for begin in range(0, max(part.size for part in dealt), block):
        for e, part in enumerate(dealt):
            found = part[begin : begin + block]
            if not found.size:
                counts.append(1 << 15)
                continue
            stored, flags, (entry,) = relu_compress(found, block=block, width=width)
            counts.append(int(entry))
            elements[e] += _writes(stored, start, lanes)
            bits[e] += _writes(flags.astype(np.uint64), row * block, lanes)
            start += int(entry) & _STORED
            row += not int(entry) >> 15
    # What ends the table is a block.
    while counts and counts[-1] == 1 << 15:
        counts.pop()
    for e, part in enumerate(dealt):
        last = part[(part.size - 1) // block * block :] if part.size else part
        stored, flags, _ = relu_compress(last, block=block, width=width)
        for writes, given in ((elements[e], stored), (bits[e], flags)):
            if not given.size:
                writes.append((0, 0, np.zeros(0, np.uint64)))
    return elements, bits, np.array(counts, np.uint64)


def _writes(words: NDArray[np.uint64], start: int, lanes: int) -> list[Write]:
    """Return the writes that bring words to their place from element ``start`` on."""
    found: list[Write] = []
    while words.size:
        beat, lane = divmod(start, lanes)
        found.append((beat, lane, words[: lanes - lane]))
        start += found[-1][2].size
        words = words[lanes - lane :]
    return found
