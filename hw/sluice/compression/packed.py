"""What a codec makes of a tensor, and how a block undoes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.compression.section import Section

__all__ = ["Packed", "Run"]


@dataclass(frozen=True)
class Packed:
    """A tensor as a codec stores it.

    Attributes
    ----------
    codec : str
        Key of :data:`sluice.compression.codec.CODECS`.
    options : mapping
        What the codec must know to undo it.
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

    @property
    def bytes(self) -> int:
        """Bytes of all sections in a file."""
        return sum(section.filled for section in self.sections.values())


@dataclass(frozen=True)
class Run:
    """How a block decompresses a tensor.

    Attributes
    ----------
    block : str
        Name in the catalogue.
    parameters, config : mappings
        Of the block, and settings of the packet.
    scale : float
        What comes out, times this, is the tensor.
    """

    block: str
    parameters: Mapping[str, Any]
    config: Mapping[str, int] = field(default_factory=dict)
    scale: float = 1.0
