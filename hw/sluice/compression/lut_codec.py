"""The codec with a table of exponents and a table of fractions, on the host."""

import numpy as np
from numpy.typing import NDArray

from sluice.compression.centroids import best_centroids, lloyd
from sluice.compression.lut_tables import ELEMENTS
from sluice.compression.packed import Packed, Run
from sluice.compression.section import Section
from sluice.formats import Float, Format
from sluice.params import Choice, check_int

__all__ = ["LutCodec"]

# Of more different fractions than this the best centroids are not looked for.
_MOST = 1 << 12
_METHOD = Choice("method", "how centroids are found", ("best", "lloyd"))


class LutCodec:
    """Exponents without loss, through a table of those that are there; fractions through centroids.

    What it makes, :class:`sluice.compression.LutDecompress` takes: sections ``codes``, ``raw`` and
    ``tables`` are the packets of its streams.
    """

    name = "lut"
    options: tuple[str, ...] = ("exponent_bits", "fraction_bits", "method")

    def refuses(self, words: NDArray[np.uint64], number: Format) -> str:
        """Say why a tensor cannot be compressed; empty if it can."""
        if isinstance(number, Float) and number.has_infinity and number.width >= 16:
            return ""
        return f"codec lut takes bf16, fp16, tf32, fp32 and fp64, not {number}"

    def compress(
        self,
        words: NDArray[np.uint64],
        number: Format,
        *,
        exponent_bits: int = 0,
        fraction_bits: int = 4,
        method: str = "best",
    ) -> Packed:
        """Return the three sections.

        Parameters
        ----------
        words : array of bit patterns, shape ``(n,)``
        number : format
            ``bf16``, ``fp16``, ``tf32``, ``fp32`` or ``fp64``.
        exponent_bits : int, 0..8
            With 0, as few as make the whole smallest.
        fraction_bits : int, 1..8
        method : str
            How centroids are found: ``best``, the least squared error, or ``lloyd``. Numbers of
            more than 4096 different fractions are always given to the second.

        Raises
        ------
        TypeError, ValueError
            Naming what is out of its range.
        """
        if reason := self.refuses(words, number):
            raise ValueError(reason)
        assert isinstance(number, Float)
        widest = min(8, number.exponent_bits)
        check_int("fraction_bits", fraction_bits, lo=1, hi=min(8, number.fraction_bits))
        check_int("exponent_bits", exponent_bits, lo=0, hi=widest)
        _METHOD.check(method)
        sign, exponent, fraction = _split(words, number)
        top = (1 << number.exponent_bits) - 1
        special = (exponent == 0) | (exponent == top)
        raw = special & (fraction != 0)
        there = np.bincount(exponent[~raw].astype(np.int64), minlength=top + 1)
        # The most frequent first, so that escapes are as few as can be.
        order = np.argsort(-there, kind="stable")[: np.count_nonzero(there)]
        if not exponent_bits:
            exponent_bits = _fewest_bits(there[order], number, widest, raw.sum())
        entries = (1 << exponent_bits) - 1
        exponents = np.sort(order[:entries]).astype(np.uint64)
        rank = np.full(top + 1, entries, np.uint64)
        rank[exponents.astype(np.int64)] = np.arange(exponents.size, dtype=np.uint64)
        ranks = rank[exponent.astype(np.int64)]
        escapes = raw | (ranks == entries)
        table = _centroids(fraction[~escapes & ~special], number, fraction_bits, method)
        index = nearest(fraction, table)
        code = index | ranks << np.uint64(fraction_bits)
        code |= sign << np.uint64(fraction_bits + exponent_bits)
        codes = np.where(escapes, np.uint64(entries << fraction_bits), code).astype(np.uint64)
        filled = np.zeros(entries, np.uint64)
        filled[: exponents.size] = exponents
        wide = max(number.exponent_bits, number.fraction_bits)
        return Packed(
            self.name,
            {"exponent_bits": exponent_bits, "fraction_bits": fraction_bits},
            {
                "codes": Section(codes, 1 + exponent_bits + fraction_bits),
                "raw": Section(words[escapes], number.width),
                "tables": Section(np.concatenate([filled, table]), wide),
            },
        )

    def decompress(self, packed: Packed, number: Format, count: int) -> NDArray[np.uint64]:
        """Return the bit patterns.

        Raises
        ------
        ValueError
            If there are not as many raw weights as escapes, or not as many entries as the indices
            ask for.
        """
        assert isinstance(number, Float)
        wide, narrow = packed.options["exponent_bits"], packed.options["fraction_bits"]
        entries = (1 << wide) - 1
        codes, raw, tables = (packed.sections[s].words for s in ("codes", "raw", "tables"))
        if tables.size != entries + (1 << narrow):
            raise ValueError(f"tables has {tables.size} entries, not {entries + (1 << narrow)}")
        rank = codes >> np.uint64(narrow) & np.uint64(entries)
        escapes = rank == entries
        if raw.size != escapes.sum():
            raise ValueError(f"raw has {raw.size} weights for {escapes.sum()} escapes")
        exponent = np.append(tables[:entries], np.uint64(0))[rank]
        fraction = tables[entries:][codes & np.uint64((1 << narrow) - 1)]
        top = (1 << number.exponent_bits) - 1
        fraction = np.where((exponent == 0) | (exponent == top), np.uint64(0), fraction)
        found = fraction | exponent << np.uint64(number.fraction_bits)
        found |= codes >> np.uint64(wide + narrow) << np.uint64(number.width - 1)
        found[escapes] = raw
        return found

    def block(self, packed: Packed, number: Format, count: int, lanes: int) -> Run:
        """Return how the block decompresses it.

        Raises
        ------
        ValueError
            If the block does not have the format.
        """
        if number.name not in ELEMENTS:
            raise ValueError(f"no block decompresses {number}: there are {' '.join(ELEMENTS)}")
        parameters = {"element": number.name, "lanes": lanes, **packed.options}
        return Run("lut_decompress", parameters, {"fresh": 1})


def nearest(fractions: NDArray[np.uint64], table: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the index of the entry nearest to each fraction; of two as near, the lower one."""
    entries = table.astype(np.int64)
    found = np.searchsorted(entries[:-1] + entries[1:], 2 * fractions.astype(np.int64), "left")
    return found.astype(np.uint64)


def _split(words: NDArray[np.uint64], number: Float) -> tuple[NDArray[np.uint64], ...]:
    return (
        words >> np.uint64(number.width - 1),
        words >> np.uint64(number.fraction_bits) & np.uint64((1 << number.exponent_bits) - 1),
        words & np.uint64((1 << number.fraction_bits) - 1),
    )


def _fewest_bits(there: NDArray[np.int64], number: Float, most: int, raw: int) -> int:
    """Return the bits of an exponent's index with which everything is smallest.

    ``there`` says how often each exponent is, the most frequent first.
    """
    count = int(there.sum()) + int(raw)
    sizes: list[int] = []
    for bits in range(1, most + 1):
        entries = (1 << bits) - 1
        escapes = int(there[entries:].sum()) + int(raw)
        wide = max(number.exponent_bits, number.fraction_bits)
        sizes.append(count * bits + escapes * number.width + entries * wide)
    return 1 + int(np.argmin(sizes))


def _centroids(
    fractions: NDArray[np.uint64], number: Float, bits: int, method: str
) -> NDArray[np.uint64]:
    """Return the ascending table, whose unused entries are the last one again."""
    count = 1 << bits
    values, weights = np.unique(fractions, return_counts=True)
    if not values.size:
        return np.zeros(count, np.uint64)
    if method == "best" and values.size <= _MOST:
        found, _ = best_centroids(values, weights, count)
    elif values.size <= count:
        found = values.astype(np.float64)
    else:
        found = lloyd(values, weights, count)
    top = (1 << number.fraction_bits) - 1
    # Rounded up to the next exponent, a fraction would change it.
    table = np.clip(np.rint(found), 0, top).astype(np.uint64)
    return np.concatenate([table, np.full(count - table.size, table[-1], np.uint64)])
