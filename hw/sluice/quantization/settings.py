"""The run-time settings of what quantizes."""

from amaranth import signed
from amaranth.lib import data

__all__ = ["CODE_BITS", "quantizer_layout"]

# Of a code, a zero point, and the ends of the range: up to 16 bits, signed or not.
CODE_BITS = 17


def quantizer_layout() -> data.StructLayout:
    """Return the layout of the settings."""
    code = signed(CODE_BITS)
    return data.StructLayout(
        {
            "scale": 32,
            "inv_scale": 32,
            "zero_point": code,
            "qmin": code,
            "qmax": code,
            "bypass": 1,
        }
    )
