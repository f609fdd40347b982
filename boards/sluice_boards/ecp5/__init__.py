"""Lattice ECP5: vendor primitives."""

from sluice.technology import Technology
from sluice_boards.ecp5.clock import Ecp5Clock
from sluice_boards.ecp5.floorplan import SITES, pin_multipliers, sites_of
from sluice_boards.ecp5.multiplier import WIDTH, Ecp5Multiplier

__all__ = ["ECP5", "SITES", "Ecp5Clock", "Ecp5Multiplier", "pin_multipliers", "sites_of"]

ECP5 = Technology("ecp5", logic_inputs=4, multiplier=Ecp5Multiplier, multiplier_width=WIDTH)
