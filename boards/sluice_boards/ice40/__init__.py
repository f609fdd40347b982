"""Lattice iCE40 UltraPlus: vendor primitives."""

from sluice.technology import Technology
from sluice_boards.ice40.clock import Ice40Clock

__all__ = ["ICE40", "Ice40Clock"]

ICE40 = Technology("ice40", logic_inputs=4)
