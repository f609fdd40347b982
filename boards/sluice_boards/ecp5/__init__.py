"""Lattice ECP5: vendor primitives."""

from sluice.technology import Technology
from sluice_boards.ecp5.clock import Ecp5Clock

__all__ = ["ECP5", "Ecp5Clock"]

ECP5 = Technology("ecp5", logic_inputs=4)
