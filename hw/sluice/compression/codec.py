"""Codecs on the host: one interface, and one place where all of them are."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sluice.compression.lut_codec import LutCodec
from sluice.compression.packed import Packed, Run
from sluice.compression.relu_codec import ReluCodec
from sluice.compression.section import Section
from sluice.compression.ternary_codec import TernaryCodec
from sluice.formats import Format

__all__ = ["CODECS", "COMPRESSORS", "Codec", "Compressor", "find_codec", "find_compressor"]


class Compressor(Protocol):
    """What a tensor can be compressed with.

    Attributes
    ----------
    name : str
    options : tuple of str
        What :meth:`compress` can be told.
    """

    name: str
    options: tuple[str, ...]

    def refuses(self, words: NDArray[np.uint64], number: Format) -> str:
        """Say why a tensor cannot be compressed; empty if it can."""
        ...

    def compress(
        self, words: NDArray[np.uint64], number: Format, *_: Any, **options: Any
    ) -> Packed:
        """Return bit patterns of ``number``, shape ``(n,)``, as they are stored.

        Raises
        ------
        TypeError, ValueError
            Naming the option that is wrong, or what is refused.
        """
        ...


class Codec(Compressor, Protocol):
    """What the memory path can hold several of."""

    def decompress(self, packed: Packed, number: Format, count: int) -> NDArray[np.uint64]:
        """Return the ``count`` bit patterns that the block makes of what is stored."""
        ...

    def block(self, packed: Packed, number: Format, count: int, lanes: int) -> Run:
        """Return how a block decompresses it.

        Raises
        ------
        ValueError
            If there is no such block.
        """
        ...


class RawCodec:
    """Everything as it is."""

    name = "raw"
    options: tuple[str, ...] = ()

    def refuses(self, words: NDArray[np.uint64], number: Format) -> str:
        """Nothing is refused."""
        return ""

    def compress(self, words: NDArray[np.uint64], number: Format) -> Packed:
        """Return all of it in one section."""
        return Packed("raw", {}, {"i": Section(words, number.width)})

    def decompress(self, packed: Packed, number: Format, count: int) -> NDArray[np.uint64]:
        """Return the words of that section."""
        return packed.sections["i"].words

    def block(self, packed: Packed, number: Format, count: int, lanes: int) -> Run:
        """There is nothing to do."""
        raise ValueError("it is stored as it is: no block decompresses it")


class Smallest:
    """Whichever codec without loss takes the fewest bytes of a file; of two that do, the first."""

    name = "smallest"
    options: tuple[str, ...] = ()

    def refuses(self, words: NDArray[np.uint64], number: Format) -> str:
        """Nothing is refused."""
        return ""

    def compress(self, words: NDArray[np.uint64], number: Format) -> Packed:
        """Return what that codec makes."""
        codecs = (codec for codec in LOSSLESS if not codec.refuses(words, number))
        return min((codec.compress(words, number) for codec in codecs), key=lambda p: p.bytes)


LOSSLESS: tuple[Codec, ...] = (RawCodec(), ReluCodec(), TernaryCodec())
CODECS: dict[str, Codec] = {codec.name: codec for codec in (*LOSSLESS, LutCodec())}
COMPRESSORS: dict[str, Compressor] = {**CODECS, "smallest": Smallest()}


def find_codec(name: str) -> Codec:
    """Return the codec called ``name``, or raise ``ValueError`` with those that there are."""
    if name not in CODECS:
        raise ValueError(f"no codec {name!r}: there are {' '.join(CODECS)}")
    return CODECS[name]


def find_compressor(name: str) -> Compressor:
    """Return the codec called ``name``, or what chooses one, as :func:`find_codec` does."""
    if name not in COMPRESSORS:
        raise ValueError(f"no codec {name!r}: there are {' '.join(COMPRESSORS)}")
    return COMPRESSORS[name]
