"""The one payload: what every stream port of every block carries."""

import re
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Value
from amaranth.hdl import Shape, ShapeCastable, ShapeLike, unsigned
from amaranth.lib import data, stream

from sluice.formats import Format, find_format
from sluice.params import Parameter, check_int

__all__ = ["Beat", "Payload", "beat_signature", "run_of"]


class Beat(data.StructLayout):
    """One transfer of a packet: ``lanes`` elements, which of them count, and the packet's end.

    Parameters
    ----------
    element : Format or shape
        What one lane carries.
    lanes : int, >= 1
        Elements per beat.

    Members
    -------
    data : ArrayLayout(element, lanes)
        Lane 0 holds the earliest element, in the low bits.
    keep : unsigned(lanes)
        Lane ``k`` counts where bit ``k`` is set. All ones except in the last beat of a packet,
        where it is a run of ones from lane 0; none at all ends a packet without an element.
    last : 1 bit
        The packet ends with this beat.
    """

    def __init__(self, element: Format | ShapeLike, lanes: int):
        self.lanes = check_int("lanes", lanes, lo=1)
        self.number = element if isinstance(element, Format) else None
        self.element: ShapeLike = element.shape if isinstance(element, Format) else element
        super().__init__(
            {
                "data": data.ArrayLayout(self.element, self.lanes),
                "keep": unsigned(self.lanes),
                "last": 1,
            }
        )

    @property
    def element_width(self) -> int:
        return Shape.cast(self.element).width

    @property
    def data_bits(self) -> int:
        """Bits of all elements together."""
        return self.element_width * self.lanes

    def __str__(self) -> str:
        return f"{self.number or Shape.cast(self.element)!s}x{self.lanes}"


def beat_signature(element: Format | ShapeLike, lanes: int) -> stream.Signature:
    """Return the signature of a stream of :class:`Beat`."""
    return stream.Signature(Beat(element, lanes))


def run_of(count: Value, lanes: int) -> Value:
    """Return ``lanes`` bits, of which the first ``count`` are set: the ``keep`` of so many."""
    return Cat(count > k for k in range(lanes))


@dataclass(frozen=True)
class Payload(Parameter):
    """A stream's payload: any shape, or the text ``FORMATxLANES`` for a :class:`Beat`.

    With ``beats_only`` the shape must be a :class:`Beat`.
    """

    beats_only: bool = False

    @property
    def range(self) -> str:
        return "FORMATxLANES, such as bf16x8"

    def check(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._parse_beat(value)
        if self.beats_only and not isinstance(value, Beat):
            raise TypeError(f"{self.name} must be a Beat ({self.range}), not {value!r}")
        if not isinstance(value, (int, Shape, ShapeCastable, range)):
            raise TypeError(f"{self.name} must be a shape or {self.range}, not {value!r}")
        Shape.cast(value)
        return value

    def _parse_beat(self, text: str) -> Beat:
        found = re.fullmatch(r"(\S+)x(\d{1,4})", text)
        if not found or not int(found[2]):
            raise ValueError(f"{self.name} must be {self.range}, not {text!r}")
        return Beat(find_format(found[1]), int(found[2]))
