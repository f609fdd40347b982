"""Parameters and run-time settings of the rounding unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.lib import data

from sluice.formats import Fixed, Float, find_format
from sluice.params import Parameter

__all__ = ["MODES", "Modes", "NumberFormat", "rounding_layout"]

# A mode's place in this list is its value in the settings.
MODES = ("nearest_even", "towards_zero", "own_bits", "generator")


@dataclass(frozen=True)
class NumberFormat(Parameter):
    """The name of a signed format: one of ``names``, or ``fixedW.F``."""

    names: Sequence[str]

    @property
    def range(self) -> str:
        return f"{' '.join(self.names)} fixedW.F"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} must be one of {self.range}, not {value!r}")
        if value not in self.names and not value.startswith("fixed"):
            raise ValueError(f"{self.name} must be one of {self.range}, not {value!r}")
        return find_format(value).name


@dataclass(frozen=True)
class Modes(Parameter):
    """Some of the rounding modes, as words between commas; kept in the order of ``MODES``."""

    @property
    def range(self) -> str:
        return f"some of {' '.join(MODES)}, with commas between"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} must be {self.range}, not {value!r}")
        words = [word.strip() for word in value.split(",")]
        if len(set(words)) != len(words) or not set(words) <= set(MODES):
            raise ValueError(f"{self.name} must be {self.range}, not {value!r}")
        return ",".join(mode for mode in MODES if mode in words)


def rounding_layout(
    *, modes: Sequence[str], saturation: bool, lanes: int, seed_bits: int
) -> data.StructLayout:
    """Return the layout of the settings; what a unit does not need is left out."""
    members: dict[str, Any] = {}
    if len(modes) > 1:
        members["mode"] = 2
    if saturation:
        members["saturate"] = 1
    if seed_bits:
        members["seed_load"] = 1
        members["seed_lane"] = max(1, (lanes - 1).bit_length())
        members["seed"] = seed_bits
    return data.StructLayout(members)


def own_field_bits(source: Float | Fixed) -> int:
    """Return how many low bits of a source word ``own_bits`` may take its value from."""
    return source.fraction_bits if isinstance(source, Float) else source.width - 1
