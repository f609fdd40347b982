"""Masks made from indices or read from a stream, and what is done with what they let pass."""

from sluice.masking.external import MaskAligner
from sluice.masking.masking import Masking
from sluice.masking.row_merge import RowMerge
from sluice.masking.settings import Alternative, Kind, Operation, Term, masking_layout, parse_mask

__all__ = [
    "Alternative",
    "Kind",
    "MaskAligner",
    "Masking",
    "Operation",
    "RowMerge",
    "Term",
    "masking_layout",
    "parse_mask",
]
