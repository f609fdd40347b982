"""Golden models of zeros left out, and put back, by several engines."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.sparsity import relu_compress, relu_decompress

__all__ = ["Write", "deal", "relu_compress_parallel", "relu_decompress_parallel"]

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


def relu_decompress_parallel(
    stored: ArrayLike, bits: ArrayLike, counts: ArrayLike, *, block: int, engines: int, tail: int
) -> tuple[list[list[tuple[int, int]]], list[list[tuple[int, int]]], list[NDArray[np.uint64]]]:
    """Return what each engine reads of both regions, and the elements that it gives.

    Parameters
    ----------
    stored, bits, counts : arrays
        As of :func:`sluice_sim.golden.sparsity.relu_compress`. Behind the ends of ``stored`` and
        ``bits`` there are zeros.
    tail : int
        Elements of the tensor modulo ``block``.

    Returns
    -------
    elements, bits : list of lists of (start, count)
        Runs of elements, and of bits, that each engine reads, one after the other.
    parts : list of arrays
        Elements of each engine.
    """
    a, flags = np.asarray(stored, np.uint64), np.asarray(bits, bool)
    reads: tuple[list[list[tuple[int, int]]], ...] = ([[] for _ in range(engines)], [])
    reads[1].extend([] for _ in range(engines))
    parts: list[list[NDArray[np.uint64]]] = [[a[:0]] for _ in range(engines)]
    table = np.asarray(counts, np.uint64).tolist()
    start, row = 0, 0
    for k, entry in enumerate(table):
        e, count, raw = k % engines, entry & _STORED, entry >> 15
        length = tail or block if k == len(table) - 1 else block
        reads[0][e].append((start, count))
        found = np.zeros(count, np.uint64)
        there = a[start : start + count]
        found[: there.size] = there
        if not raw:
            reads[1][e].append((row * block, length))
        mine = flags[row * block : row * block + length]
        parts[e].append(relu_decompress(found, mine, [entry], block=block))
        start += count
        row += not raw
    return reads[0], reads[1], [np.concatenate(p) for p in parts]


def _writes(words: NDArray[np.uint64], start: int, lanes: int) -> list[Write]:
    """Return the writes that bring words to their place from element ``start`` on."""
    found: list[Write] = []
    while words.size:
        beat, lane = divmod(start, lanes)
        found.append((beat, lane, words[: lanes - lane]))
        start += found[-1][2].size
        words = words[lanes - lane :]
    return found
