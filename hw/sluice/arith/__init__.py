"""Arithmetic on numbers of :mod:`sluice.formats`, in whatever parts the technology supplies."""

from sluice.arith.elementwise import Elementwise
from sluice.arith.multiplier import Multiplier
from sluice.arith.multiply_add import MultiplyAdd
from sluice.arith.multiply_add_unit import MultiplyAddUnit
from sluice.arith.packed_multiplier import PackedMultiplier

__all__ = ["Elementwise", "Multiplier", "MultiplyAdd", "MultiplyAddUnit", "PackedMultiplier"]
