"""Golden models of product quantization: blocks of numbers as indices into a codebook."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["product_decode", "product_encode"]


def product_decode(indices: ArrayLike, codebook: ArrayLike, *, spare: int = 0) -> NDArray:
    """Return the numbers that indices stand for.

    Parameters
    ----------
    indices : array of int, shape ``(n,)``
    codebook : array, shape ``(count, lanes)``
    spare : int, 0..lanes
        Elements that the last block has too many.

    Returns
    -------
    array, shape ``(n * lanes - spare,)``
        Empty if there is no index.
    """
    found = np.asarray(codebook)[np.asarray(indices, np.int64)].ravel()
    return found[: max(0, found.size - spare)]


def product_encode(
    elements: ArrayLike, codebook: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each block of a row the index of the nearest codeword, and their distance.

    Parameters
    ----------
    elements : array of int, shape ``(n,)``
        The last block may have fewer than ``lanes``, and is compared by those that it has.
    codebook : array of int, shape ``(count, lanes)``

    Returns
    -------
    array of int, shape ``(blocks,)``
        Of equally near codewords the first one's.
    array of int, shape ``(blocks,)``
        Sums of squared differences, and ``2**32 - 1`` where they are more.
    """
    words = np.asarray(codebook, np.int64)
    lanes = words.shape[1]
    given = np.asarray(elements, np.int64)
    blocks = np.zeros((-(-given.size // lanes), lanes), np.int64)
    there = np.arange(blocks.size).reshape(blocks.shape) < given.size
    blocks[there] = given
    differences = np.where(there[:, None], blocks[:, None] - words, 0)
    squares = (differences**2).sum(2)
    return squares.argmin(1), np.minimum(squares.min(1), (1 << 32) - 1)
