"""Systolic arrays and what feeds them."""

from sluice.array.command import Kind, command_layout
from sluice.array.mac import FloatMac, IntegerMac, Mac, make_mac
from sluice.array.matmul import Matmul
from sluice.array.systolic import SystolicArray

__all__ = [
    "FloatMac",
    "IntegerMac",
    "Kind",
    "Mac",
    "Matmul",
    "SystolicArray",
    "command_layout",
    "make_mac",
]
