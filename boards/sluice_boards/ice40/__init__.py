"""Lattice iCE40 UltraPlus: vendor primitives."""

from sluice.technology import Technology
from sluice_boards.ice40.clock import Ice40Clock
from sluice_boards.ice40.multiplier import WIDTH, Ice40Multiplier

__all__ = ["ICE40", "Ice40Clock", "Ice40Multiplier"]

ICE40 = Technology("ice40", logic_inputs=4, multiplier=Ice40Multiplier, multiplier_width=WIDTH)
