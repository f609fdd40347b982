"""Gowin GW1N and GW2A: vendor primitives."""

from sluice.technology import Technology
from sluice_boards.gowin.multiplier import WIDTH, GowinMultiplier

__all__ = ["GOWIN", "GowinMultiplier"]

GOWIN = Technology("gowin", logic_inputs=4, multiplier=GowinMultiplier, multiplier_width=WIDTH)
