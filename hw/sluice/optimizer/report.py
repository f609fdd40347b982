"""What is said of a gradient when a step of training ends."""

from amaranth.lib import data

from sluice.formats import Float
from sluice.stream import Beat

__all__ = ["report_beat"]


def report_beat(number: Float) -> Beat:
    """Return a beat of one report on a gradient whose elements are ``number``.

    Its fields are ``largest``, the largest finite magnitude, a word without its sign; and the bits
    ``infinity``, ``nan`` and ``nonzero``, which say that there was such an element.
    """
    fields = {"largest": number.width - 1, "infinity": 1, "nan": 1, "nonzero": 1}
    return Beat(data.StructLayout(fields), 1)
