"""Systolic arrays and what feeds them."""

from sluice.array.delay import Delay
from sluice.array.mac import FloatMac, IntegerMac, Mac, make_mac
from sluice.array.systolic import SystolicArray

__all__ = ["Delay", "FloatMac", "IntegerMac", "Mac", "SystolicArray", "make_mac"]
