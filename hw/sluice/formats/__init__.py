"""Number formats as data: widths, fields, limits, special values and the NumPy type."""

from sluice.formats.catalogue import FORMATS, FP64, find_format, fixed, unsigned_format
from sluice.formats.convert import from_words, to_words
from sluice.formats.format import Fixed, Float, Format

__all__ = [
    "FORMATS",
    "FP64",
    "Fixed",
    "Float",
    "Format",
    "find_format",
    "fixed",
    "from_words",
    "to_words",
    "unsigned_format",
]
