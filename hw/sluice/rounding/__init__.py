"""Rounding to narrower formats, with random bits or without."""

from sluice.rounding.generators import LfsrLane, XoroshiroLane, default_seeds
from sluice.rounding.rounding import Rounding
from sluice.rounding.settings import MODES, Modes, NumberFormat, rounding_layout

__all__ = [
    "MODES",
    "LfsrLane",
    "Modes",
    "NumberFormat",
    "Rounding",
    "XoroshiroLane",
    "default_seeds",
    "rounding_layout",
]
