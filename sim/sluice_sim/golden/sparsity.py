"""Golden models of what is zero and is left out."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "compact",
    "expand",
    "histogram",
    "magnitudes",
    "mask_words",
    "prune",
    "relu_compress",
    "relu_decompress",
]


def compact(words: ArrayLike, flags: ArrayLike) -> NDArray[np.uint64]:
    """Return the words whose flag is set, in their order.

    Parameters
    ----------
    words : array of integers, shape ``(n,)``
    flags : array of 0 and 1, shape ``(n,)``

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    a, chosen = np.asarray(words, np.uint64), np.asarray(flags, bool)
    if a.ndim != 1 or a.shape != chosen.shape:
        raise ValueError(f"words and flags must be of one length, not {a.shape}, {chosen.shape}")
    return a[chosen]


def expand(words: ArrayLike, flags: ArrayLike) -> NDArray[np.uint64]:
    """Return an array that has the words, in their order, where flags are set, and else zeros.

    Parameters
    ----------
    words : array of integers, shape ``(k,)``
        What there are too few of are zeros; too many are left out.
    flags : array of 0 and 1, shape ``(n,)``
    """
    a, chosen = np.asarray(words, np.uint64), np.asarray(flags, bool)
    found = np.zeros(chosen.shape, np.uint64)
    places = np.flatnonzero(chosen)[: a.size]
    found[places] = a[: places.size]
    return found


def relu_compress(
    words: ArrayLike, *, block: int, width: int
) -> tuple[NDArray[np.uint64], NDArray[np.bool_], NDArray[np.uint64]]:
    """Return the elements that are stored, the bits of the bitmap, and the table of counts.

    Parameters
    ----------
    words : array of integers, shape ``(n,)``
        Bit patterns; 0 is left out.
    block : int
        Elements per block.
    width : int, bits
        Of an element.

    Returns
    -------
    stored : array, shape ``(k,)``
    bits : array, shape ``(block * b,)``, or fewer where the last block is short
        Of the ``b`` blocks that are not raw.
    counts : array, shape ``(ceil(n / block),)``
        In each how many elements are stored, and ``1 << 15`` if all are, and no bit.
    """
    a = np.asarray(words, np.uint64)
    stored, bits, counts = [a[:0]], [np.zeros(0, bool)], []
    for k in range(0, a.size, block):
        part = a[k : k + block]
        there = part != 0
        if (part.size - there.sum()) * width < part.size:
            stored.append(part)
            counts.append(1 << 15 | part.size)
        else:
            stored.append(part[there])
            bits.append(there)
            counts.append(int(there.sum()))
    return np.concatenate(stored), np.concatenate(bits), np.array(counts, np.uint64)


def relu_decompress(
    stored: ArrayLike, bits: ArrayLike, counts: ArrayLike, *, block: int
) -> NDArray[np.uint64]:
    """Return the array that :func:`relu_compress` made these of; elements that lack are zeros."""
    a, flags = np.asarray(stored, np.uint64), np.asarray(bits, bool)
    parts = [a[:0]]
    for entry in np.asarray(counts, np.uint64).tolist():
        count = entry & (1 << 15) - 1
        if entry >> 15:
            parts.append(expand(a[:count], np.ones(count)))
        else:
            parts.append(expand(a[:count], flags[:block]))
            flags = flags[block:]
        a = a[count:]
    return np.concatenate(parts)


def magnitudes(words: ArrayLike, *, width: int, signed: bool, is_float: bool) -> NDArray[np.int64]:
    """Return floats without their sign, or absolute values of integers.

    Parameters
    ----------
    words : array of integers
        Bit patterns of ``width`` bits, of floats, or of integers that are ``signed`` or not.
    """
    sizes = np.asarray(words, np.int64)
    if is_float:
        return sizes & ((1 << width - 1) - 1)
    return np.where(sizes >> width - 1, (1 << width) - sizes, sizes) if signed else sizes


def histogram(sizes: ArrayLike, *, bins: int, most: int, bits: int) -> tuple[NDArray, int]:
    """Return how many magnitudes each bin has, and the least lower end of one as few reach.

    Parameters
    ----------
    sizes : array of integers, shape ``(n,)``
        Magnitudes, of which there are ``2**bits``.
    most : int
        As many may be in the bin that begins at the threshold, and above. If all bins have more in
        the last one, the threshold is ``2**bits - 1``.

    Returns
    -------
    counts : array of integers, shape ``(bins,)``
    threshold : int
    """
    step = (1 << bits) // bins
    counts = np.bincount(np.asarray(sizes, np.int64) // step, minlength=bins)
    for k in range(bins):
        if counts[k:].sum() <= most:
            return counts, k * step
    return counts, (1 << bits) - 1


def mask_words(
    words: ArrayLike, memory: NDArray[np.bool_], *, store: bool, at: int
) -> NDArray[np.uint64]:
    """Return what leaves the memory of a mask, which is changed if bits are stored.

    Parameters
    ----------
    words : array of integers, shape ``(n,)``
        Bit patterns.
    memory : array of bool, shape ``(beats, lanes)``
    at : int
        Row of the first words' bits; behind the last row is the first.
    """
    a = np.asarray(words, np.uint64)
    beats, lanes = memory.shape
    rows = (at + np.arange(max(1, -(-a.size // lanes)))) % beats
    if store:
        bits = np.zeros(rows.size * lanes, bool)
        bits[: a.size] = a != 0
        # One after the other: what goes round overwrites its own beginning.
        for row, found in zip(rows, bits.reshape(-1, lanes), strict=True):
            memory[row] = found
        return a
    return np.where(memory[rows].reshape(-1)[: a.size], a, np.uint64(0))


def prune(
    words: ArrayLike,
    *,
    threshold: int,
    most: int,
    group: int,
    width: int,
    signed: bool,
    is_float: bool,
) -> NDArray[np.bool_]:
    """Return which words are kept: large ones, and the ``most`` largest of each group.

    Parameters
    ----------
    words : array of integers, shape ``(n,)``
        Bit patterns of ``width`` bits, of floats, or of integers that are ``signed`` or not.
    threshold : int
        The least magnitude: of a float the bits without the sign, of an integer its absolute value.
    group : int
        Words that compete; the last ones of an array are fewer. Of equal ones the first is larger.
    """
    sizes = magnitudes(words, width=width, signed=signed, is_float=is_float)
    found = np.zeros(sizes.shape, bool)
    for k in range(0, sizes.size, group):
        first = np.argsort(-sizes[k : k + group], kind="stable")[:most]
        found[k + first] = True
    return found & (sizes >= threshold)
