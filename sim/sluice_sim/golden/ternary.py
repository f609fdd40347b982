"""Golden models of compressed ternary weights."""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["NATURAL", "ternary_compress", "ternary_decompress", "ternary_dot", "weights_of"]

# Codes of 0, +1 and -1: two bits of two's complement.
NATURAL = (0b00, 0b01, 0b11)

# Pairs in the order of their values, as numbers in base 3 whose digit 2 stands for -1.
_DIGITS = np.array([0, 1, -1])
_RANKS = np.arange(1, 9)
_PAIRS = _DIGITS[np.stack([_RANKS % 3, _RANKS // 3], axis=1)]


def weights_of(words: ArrayLike, *, codes: tuple[int, int, int] = NATURAL) -> NDArray[np.int64]:
    """Return the weights that codes stand for; zeros where a code stands for none."""
    a = np.asarray(words, np.int64)
    return (a == codes[1]).astype(np.int64) - (a == codes[2])


def ternary_compress(
    words: ArrayLike, *, codes: tuple[int, int, int] = NATURAL
) -> tuple[NDArray[np.bool_], NDArray[np.uint64], int]:
    """Return a flag for each pair, the values of those with one, and how many codes are illegal.

    Parameters
    ----------
    words : array of integers, shape ``(n,)``
        Codes of two bits. One more of zero is added to an odd number.
    codes : three integers
        Of 0, +1 and -1.

    Returns
    -------
    flags : array of bool, shape ``(ceil(n / 2),)``
    values : array of integers in 0..7, shape ``(k,)``
        Of the ``k`` pairs with a flag.
    illegal : int
    """
    a = np.asarray(words, np.int64)
    weights = weights_of(a, codes=codes)
    pairs = np.append(weights, np.zeros(weights.size % 2, np.int64)).reshape(-1, 2)
    flags = np.asarray(pairs.any(axis=1), bool)
    # The digits are the weights modulo 3.
    values = (pairs[flags] % 3) @ np.array([1, 3]) - 1
    return flags, values.astype(np.uint64), int((~np.isin(a, codes)).sum())


def ternary_decompress(
    flags: ArrayLike,
    values: ArrayLike,
    *,
    odd: bool = False,
    codes: tuple[int, int, int] = NATURAL,
) -> NDArray[np.uint64]:
    """Return the codes that :func:`ternary_compress` made these of.

    Parameters
    ----------
    flags : array of 0 and 1, shape ``(p,)``
    values : array of integers in 0..7, shape ``(k,)``
        Pairs that have none are zero; too many are left out.
    odd : bool
        The last pair has one weight.
    """
    table = np.array(codes, np.uint64)[_PAIRS]
    chosen, given = np.asarray(flags, bool), np.asarray(values, np.int64)
    pairs = np.full((chosen.size, 2), codes[0], np.uint64)
    places = np.flatnonzero(chosen)[: given.size]
    pairs[places] = table[given[: places.size]]
    found = pairs.reshape(-1)
    return found[:-1] if odd and found.size else found


def ternary_dot(
    flags: ArrayLike,
    values: ArrayLike,
    activations: ArrayLike,
    *,
    lanes: int,
    bits: int = 32,
) -> tuple[int, bool]:
    """Return the sum of activations times weights, and whether it has left its range on the way.

    Parameters
    ----------
    flags, values
        As in :func:`ternary_decompress`.
    activations : array of integers, shape ``(n,)``
        What lacks is zero; what has no weight does not count.
    lanes : int
        Of a beat: where the range is looked at.
    bits : int
        Of the result, in two's complement.
    """
    weights = weights_of(ternary_decompress(flags, values)).tolist()
    given = np.asarray(activations, np.int64).tolist()
    products = [a * w for a, w in zip(given, weights, strict=False)]
    sums = [sum(products[k : k + lanes]) for k in range(0, len(products), lanes)]
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    left = any(not low <= total <= high for total in itertools.accumulate(sums))
    return sum(products), left
