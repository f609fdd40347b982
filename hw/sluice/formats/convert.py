"""Between NumPy arrays and bit patterns.

NumPy's own types hold a format as it is. The others come out as a type that holds every value
exactly: bf16, fp8 and tf32 as ``float32``, int4 as ``int8``, fixed point as ``float32`` or
``float64``. Going in, any array will do whose values all exist in the format.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.formats.format import Fixed, Float, Format

__all__ = ["from_words", "to_words"]


def to_words(array: NDArray[Any], number: Format, *, nan: bool = True) -> NDArray[np.uint64]:
    """Return the bit patterns of ``array`` in format ``number``, in the array's shape.

    Raises
    ------
    ValueError
        Saying what the array holds, and where, that ``number`` does not have; with ``nan=False``
        also for a NaN.
    """
    dtype = number.dtype
    if dtype.kind == "V" == array.dtype.kind and array.dtype.itemsize == dtype.itemsize:
        # What NumPy writes for the types of ml_dtypes: it knows their size only.
        array = array.view(dtype)
    if array.dtype != dtype and array.dtype.kind not in (
        "f" if isinstance(number, Float) else "biuf"
    ):
        raise ValueError(f"holds {array.dtype}, but {number} takes {_accepted(number)}")
    words, wrong = (_float_words if isinstance(number, Float) else _fixed_words)(array, number)
    if not nan and isinstance(number, Float):
        missing = np.isnan(array.astype(np.float64))
        if missing.any():
            raise ValueError(f"holds NaN {_where(missing)}, for which this block has no result")
    if wrong.any():
        value = array[np.unravel_index(int(np.argmax(wrong)), array.shape)]
        raise ValueError(
            f"holds {value} {_where(wrong)}, which {number} does not have: "
            "round it first, or choose another format"
        )
    return words


def _float_words(array: NDArray[Any], number: Any) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    # Signalling NaN are as good as others.
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(array.astype(number.dtype)).reshape(array.shape)
        values = array.astype(np.float64)
        wrong = (cast.astype(np.float64) != values) & ~np.isnan(values)
    spare = 8 * number.dtype.itemsize - number.width
    if spare:
        raw = cast.view(np.dtype(f"u{number.dtype.itemsize}"))
        wrong |= (raw & np.asarray((1 << spare) - 1, raw.dtype)) != 0
        cast = np.where(wrong, np.zeros_like(cast), cast)
    return number.to_bits(cast), wrong


def _fixed_words(array: NDArray[Any], number: Any) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    scaled = array.astype(np.float64) * 2.0**number.fraction_bits
    scale = 1 << number.fraction_bits
    low, high = int(number.min * scale), int(number.max * scale)
    with np.errstate(invalid="ignore"):
        wrong = ~((scaled >= low) & (scaled <= high) & (scaled == np.floor(scaled)))
    whole = np.where(wrong, 0, scaled).astype(np.int64)
    return whole.astype(np.uint64) & np.uint64((1 << number.width) - 1), wrong


def _accepted(number: Format) -> str:
    if isinstance(number, Float):
        return f"{number.dtype}, or floating point with values that {number} has"
    if number.name == "bit":
        return "bool, or integers 0 and 1"
    return f"numbers in {float(number.min):g}..{float(number.max):g}"


def _where(wrong: NDArray[np.bool_]) -> str:
    place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return "at [" + ", ".join(str(int(k)) for k in place) + "]"


def from_words(words: NDArray[np.uint64], number: Format) -> NDArray[Any]:
    """Return the values of bit patterns, in a type that plain NumPy reads."""
    array = number.from_bits(words)
    if isinstance(number, Fixed):
        if number.fraction_bits:
            wide = np.float32 if number.width <= 24 else np.float64
            return array.astype(wide) * wide(2.0**-number.fraction_bits)
        plain = {"int4": np.int8, "uint4": np.uint8}.get(number.name, array.dtype)
        return array.astype(plain)
    return array if array.dtype.kind == "f" else array.astype(np.float32)
