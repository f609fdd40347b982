"""Arithmetic that blocks are made of, in whatever parts the technology supplies."""

from sluice.arith.multiplier import Multiplier
from sluice.arith.packed_multiplier import PackedMultiplier

__all__ = ["Multiplier", "PackedMultiplier"]
