"""The formats there are. Adding a format is adding one object here."""

import difflib
import re

from sluice.formats.format import Fixed, Float, Format

__all__ = ["FORMATS", "FP64", "find_format", "fixed", "unsigned_format"]

FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Float("fp32", 32, "float32", exponent_bits=8, fraction_bits=23),
        Float("tf32", 19, "float32", exponent_bits=8, fraction_bits=10),
        Float("bf16", 16, "bfloat16", exponent_bits=8, fraction_bits=7),
        Float("fp16", 16, "float16", exponent_bits=5, fraction_bits=10),
        Float("fp8_e4m3", 8, "float8_e4m3fn", 4, 3, has_infinity=False),
        Float("fp8_e5m2", 8, "float8_e5m2", exponent_bits=5, fraction_bits=2),
        Fixed("int32", 32, "int32"),
        Fixed("int16", 16, "int16"),
        Fixed("int8", 8, "int8"),
        Fixed("int4", 4, "int4"),
        Fixed("uint32", 32, "uint32", is_signed=False),
        Fixed("uint16", 16, "uint16", is_signed=False),
        Fixed("uint8", 8, "uint8", is_signed=False),
        Fixed("uint4", 4, "uint4", is_signed=False),
        Fixed("bit", 1, "bool", is_signed=False),
    )
}

# Of files: no block has it, so that it is none of those that a parameter can name.
FP64 = Float("fp64", 64, "float64", exponent_bits=11, fraction_bits=52)


def fixed(width: int, fraction_bits: int) -> Fixed:
    """Return two's complement of ``width`` bits (2..32), ``fraction_bits`` of them fraction."""
    if not 2 <= width <= 32 or not 0 <= fraction_bits <= width:
        raise ValueError(
            f"fixed{width}.{fraction_bits} is not a format: "
            "the width must be in 2..32 and the fraction in 0..width bits"
        )
    container = next(bits for bits in (8, 16, 32) if bits >= width)
    return Fixed(f"fixed{width}.{fraction_bits}", width, f"int{container}", fraction_bits)


def unsigned_format(width: int) -> Fixed:
    """Return the unsigned integers of ``width`` bits (1..32)."""
    if not 1 <= width <= 32:
        raise ValueError(f"uint{width} is not a format: the width must be in 1..32")
    container = next(bits for bits in (8, 16, 32) if bits >= width)
    return Fixed(f"uint{width}", width, f"uint{container}", is_signed=False)


def find_format(name: str) -> Format:
    """Return the format called ``name``; ``fixedW.F`` and ``uintW`` make formats of any width.

    Raises
    ------
    ValueError
        Naming the formats there are.
    """
    if name in FORMATS:
        return FORMATS[name]
    if found := re.fullmatch(r"fixed(\d{1,3})\.(\d{1,3})", name):
        return fixed(int(found[1]), int(found[2]))
    if found := re.fullmatch(r"uint(\d{1,3})", name):
        return unsigned_format(int(found[1]))
    near = difflib.get_close_matches(name, FORMATS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"no format {name!r}: there are {' '.join(FORMATS)} fixedW.F uintW{hint}")
