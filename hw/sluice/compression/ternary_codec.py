"""The codec of ternary weights, on the host."""

import numpy as np
from numpy.typing import NDArray

from sluice.compression.packed import Packed, Run
from sluice.compression.section import Section
from sluice.compression.ternary_codes import VALUE
from sluice.formats import Fixed, Float, Format

__all__ = ["TernaryCodec"]


class TernaryCodec:
    """Weights of 0, +1 and -1, times one scale: a flag for each pair, and 3 bits if it is not zero.

    What it makes, :class:`sluice.compression.TernaryDecompress` takes: sections ``flags`` and
    ``values`` are the packets of its streams. Of floats it makes the signs, as integers; ``scale``
    is the word of the positive ones.
    """

    name = "ternary"
    options: tuple[str, ...] = ()

    def refuses(self, words: NDArray[np.uint64], number: Format) -> str:
        """Say why a tensor cannot be compressed; empty if it can."""
        if isinstance(number, Fixed) and not number.is_signed:
            return f"codec ternary takes signed integers and floats, not {number}"
        if np.isin(words, self._levels(number, self._scale(words, number))).all():
            return ""
        if isinstance(number, Float):
            return "codec ternary takes floats that are +0, s and -s of one s"
        return "codec ternary takes -1, 0 and +1"

    def compress(self, words: NDArray[np.uint64], number: Format) -> Packed:
        """Return both sections.

        Parameters
        ----------
        words : array of bit patterns, shape ``(n,)``
        number : format
            A signed integer, or floating point; -0 is no zero.

        Raises
        ------
        ValueError
            If the weights are not ternary.
        """
        if reason := self.refuses(words, number):
            raise ValueError(reason)
        scale = self._scale(words, number)
        _, plus, minus = self._levels(number, scale)
        # The pairs are numbers in base 3, the first weight's digit the low one.
        digits = (words == plus) + 2 * (words == minus)
        low, high = np.append(digits, [0] * (words.size % 2)).reshape(-1, 2).T
        ranks = low + 3 * high
        return Packed(
            self.name,
            {"scale": scale},
            {
                "flags": Section((ranks > 0).astype(np.uint64), 1),
                "values": Section((ranks[ranks > 0] - 1).astype(np.uint64), VALUE.width),
            },
        )

    def decompress(self, packed: Packed, number: Format, count: int) -> NDArray[np.uint64]:
        """Return the bit patterns.

        Raises
        ------
        ValueError
            If there are not as many flags as pairs, or values as flags.
        """
        flags, values = (packed.sections[s].words for s in ("flags", "values"))
        if flags.size != -(-count // 2):
            raise ValueError(f"there are {flags.size} flags for {count} weights")
        if values.size != flags.sum():
            raise ValueError(f"there are {values.size} values for {flags.sum()} flags")
        ranks = np.zeros(flags.size, np.int64)
        ranks[flags != 0] = values + 1
        digits = np.stack([ranks % 3, ranks // 3], axis=1).reshape(-1)[:count]
        return self._levels(number, packed.options["scale"])[digits]

    def block(self, packed: Packed, number: Format, count: int, lanes: int) -> Run:
        """Return how the block decompresses it."""
        word = np.array([packed.options["scale"]], np.uint64)
        scale = float(number.from_bits(word)[0])
        return Run("ternary_decompress", {"lanes": lanes}, {"odd": count % 2}, scale)

    @staticmethod
    def _scale(words: NDArray[np.uint64], number: Format) -> int:
        """Return the word that stands for +1: one, or the size of a float that is not zero."""
        if not isinstance(number, Float):
            return 1
        sizes = words & np.uint64((1 << number.width - 1) - 1)
        largest = int(sizes.max(initial=0))
        # Of zeros alone it is anything finite.
        return largest if 0 < largest <= number.max_bits else 1

    @staticmethod
    def _levels(number: Format, scale: int) -> NDArray[np.uint64]:
        """Return the words of 0, +1 and -1."""
        top = 1 << number.width - 1
        minus = scale | top if isinstance(number, Float) else 2 * top - 1
        return np.array([0, scale, minus], np.uint64)
