"""Lattice ECP5: vendor primitives."""

from sluice.technology import Technology
from sluice_boards.ecp5.clock import Ecp5Clock
from sluice_boards.ecp5.multiplier import WIDTH, Ecp5Multiplier

__all__ = ["ECP5", "Ecp5Clock", "Ecp5Multiplier"]

ECP5 = Technology("ecp5", logic_inputs=4, multiplier=Ecp5Multiplier, multiplier_width=WIDTH)
