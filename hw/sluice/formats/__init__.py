"""Number formats as data: widths, fields, limits, special values and the NumPy type."""

from sluice.formats.catalogue import FORMATS, find_format, fixed, unsigned_format
from sluice.formats.convert import from_words, to_words
from sluice.formats.format import Fixed, Float, Format

__all__ = [
    "FORMATS",
    "Fixed",
    "Float",
    "Format",
    "find_format",
    "fixed",
    "from_words",
    "to_words",
    "unsigned_format",
]
