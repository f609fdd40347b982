"""Codecs on the host: one interface, and one place where all of them are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sluice.compression.lut_codec import LutCodec
from sluice.compression.section import Section
from sluice.formats import Format

__all__ = ["CODECS", "Codec", "Packed", "find_codec"]


@dataclass(frozen=True)
class Packed:
    """A tensor as a codec stores it.

    Attributes
    ----------
    codec : str
        Key of :data:`CODECS`.
    options : mapping
        What the codec must know to undo it, and the parameters of the block that does.
    sections : mapping of stream name to Section
        Each is a packet of that stream of the block; all are bytes in memory.
    """

    codec: str
    options: Mapping[str, Any]
    sections: Mapping[str, Section] = field(default_factory=dict)

    @property
    def bits(self) -> int:
        """Bits of all sections, without what fills their last byte."""
        return sum(section.bits for section in self.sections.values())


class Codec(Protocol):
    """What the memory path can hold several of.

    Attributes
    ----------
    name : str
    options : tuple of str
        What :meth:`compress` can be told.
    """

    name: str
    options: tuple[str, ...]

    def compress(self, words: NDArray[np.uint64], number: Format, **options: Any) -> Packed:
        """Return bit patterns of ``number``, shape ``(n,)``, as they are stored.

        Raises
        ------
        ValueError
            Naming the option or the format that the codec does not have.
        """
        ...

    def decompress(self, packed: Packed, number: Format, count: int) -> NDArray[np.uint64]:
        """Return the ``count`` bit patterns that the block makes of what is stored."""
        ...

    def block(self, packed: Packed, number: Format, lanes: int) -> tuple[str, dict[str, Any]]:
        """Return the name and the parameters of the block that decompresses; or no name."""
        ...


class RawCodec:
    """Everything as it is."""

    name = "raw"
    options: tuple[str, ...] = ()

    def compress(self, words: NDArray[np.uint64], number: Format, **options: Any) -> Packed:
        """Return all of it in one section."""
        return Packed("raw", {}, {"i": Section(words, number.width)})

    def decompress(self, packed: Packed, number: Format, count: int) -> NDArray[np.uint64]:
        """Return the words of that section."""
        return packed.sections["i"].words

    def block(self, packed: Packed, number: Format, lanes: int) -> tuple[str, dict[str, Any]]:
        """There is nothing to do."""
        return "", {}


class _Lut(LutCodec):
    """The codec with tables, as :class:`Packed`."""

    name = "lut"
    options: tuple[str, ...] = ("exponent_bits", "fraction_bits", "method")

    def compress(self, words: NDArray[np.uint64], number: Format, **options: Any) -> Packed:
        made, sections = self.pack(words, number, **options)
        return Packed(self.name, made, sections)

    def decompress(self, packed: Packed, number: Format, count: int) -> NDArray[np.uint64]:
        return self.unpack(packed.options, packed.sections, number)

    def block(self, packed: Packed, number: Format, lanes: int) -> tuple[str, dict[str, Any]]:
        return "lut_decompress", {"element": number.name, "lanes": lanes, **packed.options}


CODECS: dict[str, Codec] = {codec.name: codec for codec in (RawCodec(), _Lut())}


def find_codec(name: str) -> Codec:
    """Return the codec called ``name``, or raise ``ValueError`` with those that there are."""
    if name not in CODECS:
        raise ValueError(f"no codec {name!r}: there are {' '.join(CODECS)}")
    return CODECS[name]
