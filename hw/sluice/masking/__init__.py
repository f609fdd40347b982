"""Masks made from indices or read from a stream, and the multiplexer that applies them."""

from sluice.masking.external import MaskAligner
from sluice.masking.masking import Masking
from sluice.masking.settings import Alternative, Kind, Operation, Term, masking_layout, parse_mask

__all__ = [
    "Alternative",
    "Kind",
    "MaskAligner",
    "Masking",
    "Operation",
    "Term",
    "masking_layout",
    "parse_mask",
]
