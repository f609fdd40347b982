"""Golden model of the codec with a table of exponents and a table of fractions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Fields", "exponent_table", "lut_compress", "lut_decompress", "nearest"]

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Fields:
    """Widths: of the fields of a number, and of what stands for them in a code.

    Attributes
    ----------
    exponent, fraction : int, bits
        Of the number, whose sign is above both.
    exponent_bits, fraction_bits : int, bits
        Of the indices into the two tables; the sign is above both.
    """

    exponent: int
    fraction: int
    exponent_bits: int
    fraction_bits: int

    @property
    def exponents(self) -> int:
        """Entries of the table of exponents: the index of all ones is no entry, but the escape."""
        return (1 << self.exponent_bits) - 1

    @property
    def fractions(self) -> int:
        """Entries of the table of fractions."""
        return 1 << self.fraction_bits

    def split(self, words: ArrayLike) -> tuple[Words, Words, Words]:
        """Return the signs, exponents and fractions of bit patterns."""
        a = np.asarray(words, np.uint64)
        return (
            a >> np.uint64(self.exponent + self.fraction),
            a >> np.uint64(self.fraction) & np.uint64((1 << self.exponent) - 1),
            a & np.uint64((1 << self.fraction) - 1),
        )

    def is_special(self, exponents: ArrayLike) -> NDArray[np.bool_]:
        """Say of each exponent whether it is that of zero or of infinity.

        A code with such an exponent has the fraction zero.
        """
        e = np.asarray(exponents, np.uint64)
        return (e == 0) | (e == (1 << self.exponent) - 1)


def exponent_table(words: ArrayLike, fields: Fields) -> list[int]:
    """Return the exponents that get an entry: zero first, then the largest ones downwards.

    Those that there is no room for, the smallest, get none; nor does that of subnormals and NaN
    alone.
    """
    _, exponent, fraction = fields.split(words)
    there = set(exponent[~fields.is_special(exponent) | (fraction == 0)].tolist())
    order = [0, *range((1 << fields.exponent) - 1, 0, -1)]
    return [e for e in order if e in there][: fields.exponents]


def nearest(fractions: ArrayLike, table: Sequence[int]) -> Words:
    """Return the index of the entry nearest to each fraction; of two as near, the lower one's.

    ``table`` ascends. Of equal entries it is the index of the last one for a fraction above them,
    and of the first one for the others.
    """
    entries = np.asarray(table, np.int64)
    middles = entries[:-1] + entries[1:] >> 1
    return np.searchsorted(middles, np.asarray(fractions, np.int64), "left").astype(np.uint64)


def lut_compress(
    words: ArrayLike, exponents: Sequence[int], fractions: Sequence[int], fields: Fields
) -> tuple[Words, Words]:
    """Return the codes of bit patterns, and those that only an escape stands for.

    These are the numbers whose exponent is not in the table, subnormals, and NaN.
    """
    a = np.asarray(words, np.uint64)
    sign, exponent, fraction = fields.split(a)
    rank = {e: k for k, e in enumerate(exponents)}
    ranks = np.array([rank.get(e, fields.exponents) for e in exponent.tolist()], np.uint64)
    escapes = (ranks == fields.exponents) | (fields.is_special(exponent) & (fraction != 0))
    index = nearest(fraction, fractions)
    low, wide = np.uint64(fields.fraction_bits), np.uint64(fields.exponent_bits)
    codes = index | ranks << low | sign << low + wide
    escape = np.uint64(fields.exponents) << low
    return np.where(escapes, escape, codes).astype(np.uint64), a[escapes]


def lut_decompress(
    codes: ArrayLike,
    raw: ArrayLike,
    exponents: Sequence[int],
    fractions: Sequence[int],
    fields: Fields,
) -> Words:
    """Return the bit patterns that codes stand for.

    Parameters
    ----------
    codes, raw : arrays of integers
        Escapes take the words of ``raw`` in turn, and zeros when there are no more.
    exponents, fractions : sequences of int
        The tables, with as many entries as there can be.
    """
    a = np.asarray(codes, np.uint64)
    low, wide = np.uint64(fields.fraction_bits), np.uint64(fields.exponent_bits)
    rank = a >> low & np.uint64(fields.exponents)
    escapes = rank == fields.exponents
    exponent = np.asarray([*exponents, 0], np.uint64)[rank]
    fraction = np.asarray(fractions, np.uint64)[a & np.uint64(fields.fractions - 1)]
    fraction = np.where(fields.is_special(exponent), np.uint64(0), fraction)
    sign = a >> low + wide
    found = fraction | exponent << np.uint64(fields.fraction)
    found |= sign << np.uint64(fields.fraction + fields.exponent)
    given = np.asarray(raw, np.uint64)[: int(escapes.sum())]
    found[escapes] = np.append(given, np.zeros(int(escapes.sum()) - given.size, np.uint64))
    return found
