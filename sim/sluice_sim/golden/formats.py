"""Number formats as the golden models see them, derived from ml_dtypes and not from `sluice`.

The hardware generator keeps its own tables. The two are written independently on purpose: a wrong
bias or NaN pattern then shows as a mismatch instead of cancelling out.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FORMAT_NAMES", "FixedFormat", "FloatFormat", "decode", "find_format"]


@dataclass(frozen=True)
class FloatFormat:
    """Binary floating point: sign, exponent and mantissa field, from the top bit down.

    Attributes
    ----------
    name : str
        Name of the format.
    width, exponent_bits, mantissa_bits : int
        Bits of the whole word and of its fields; the leading one is not stored.
    bias : int
        A normal value is ``1.mantissa * 2**(exponent - bias)``; subnormals share the exponent
        ``1 - bias``.
    has_inf : bool
        Whether there are infinities. OCP E4M3 has none.
    max_code, nan_code : int
        Bit patterns, sign clear, of the largest finite value and of the canonical quiet NaN.
    """

    name: str
    width: int
    exponent_bits: int
    mantissa_bits: int
    bias: int
    has_inf: bool
    max_code: int
    nan_code: int

    @property
    def inf_code(self) -> int:
        """Bit pattern of plus infinity, or of the positive NaN where there is no infinity."""
        return self.max_code + 1

    @property
    def max(self) -> float:
        """Largest finite value."""
        return float(decode(np.array([self.max_code]), self.name)[0])


@dataclass(frozen=True)
class FixedFormat:
    """Two's complement of ``width`` bits, ``fraction_bits`` of them after the point."""

    name: str
    width: int
    fraction_bits: int

    @property
    def max(self) -> float:
        """Largest value."""
        return ((1 << self.width - 1) - 1) * 2.0**-self.fraction_bits

    @property
    def min(self) -> float:
        """Most negative value."""
        return -(1 << self.width - 1) * 2.0**-self.fraction_bits


def _from_dtype(name: str, dtype: type) -> FloatFormat:
    info = ml_dtypes.finfo(dtype)
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")

    def code(value: float) -> int:
        return int(np.array([value]).astype(dtype).view(unsigned)[0])

    return FloatFormat(
        name=name,
        width=int(info.bits),
        exponent_bits=int(info.nexp),
        mantissa_bits=int(info.nmant),
        bias=1 - int(info.minexp),
        has_inf=bool(np.isinf(np.array([np.inf]).astype(dtype).astype(np.float64)[0])),
        max_code=code(float(info.max)),
        nan_code=code(np.nan) & ((1 << info.bits - 1) - 1),
    )


_FORMATS: dict[str, FloatFormat | FixedFormat] = {
    f.name: f
    for f in (
        _from_dtype("fp32", np.float32),
        # No NumPy type: the exponent of fp32 and the mantissa of fp16, packed into 19 bits.
        FloatFormat("tf32", 19, 8, 10, 127, True, max_code=0x3FBFF, nan_code=0x3FE00),
        _from_dtype("bf16", ml_dtypes.bfloat16),
        _from_dtype("fp16", np.float16),
        _from_dtype("fp8_e4m3", ml_dtypes.float8_e4m3fn),
        _from_dtype("fp8_e5m2", ml_dtypes.float8_e5m2),
        FixedFormat("int4", 4, 0),
        FixedFormat("int8", 8, 0),
        FixedFormat("int16", 16, 0),
        FixedFormat("int32", 32, 0),
    )
}

FORMAT_NAMES = tuple(_FORMATS)


@lru_cache
def find_format(name: str) -> FloatFormat | FixedFormat:
    """Return the format called ``name``; ``fixedW.F`` is fixed point of W bits, F of them fraction.

    Raises
    ------
    ValueError
        If there is no such format; W must be in 2..32 and F in 0..W.
    """
    if name in _FORMATS:
        return _FORMATS[name]
    if found := re.fullmatch(r"fixed(\d{1,2})\.(\d{1,2})", name):
        width, fraction_bits = int(found[1]), int(found[2])
        if 2 <= width <= 32 and fraction_bits <= width:
            return FixedFormat(name, width, fraction_bits)
    raise ValueError(
        f"no format {name!r}: there are {' '.join(FORMAT_NAMES)} and fixedW.F "
        "with W in 2..32 and F in 0..W"
    )


def check_codes(bits: ArrayLike, fmt: FloatFormat | FixedFormat) -> NDArray[np.int64]:
    """Return bit patterns as ``int64`` after checking that they fit ``fmt``.

    Raises
    ------
    TypeError
        If ``bits`` are not integers.
    ValueError
        If one is negative or wider than the format.
    """
    array = np.asarray(bits)
    if array.dtype.kind not in "iu":
        raise TypeError(f"bit patterns of {fmt.name} must be integers, not {array.dtype}")
    if array.size and (int(array.min()) < 0 or int(array.max()) >> fmt.width):
        raise ValueError(f"bit patterns of {fmt.name} must be in 0..2**{fmt.width}-1")
    return array.astype(np.int64)


def decode(bits: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return the values of bit patterns of format ``name``, exactly, as ``float64``.

    Every value of every format fits a ``float64``; NaNs lose their sign and payload.
    """
    fmt = find_format(name)
    code = check_codes(bits, fmt)
    if isinstance(fmt, FixedFormat):
        value = code - ((code >> fmt.width - 1) << fmt.width)
        return np.ldexp(value.astype(np.float64), -fmt.fraction_bits)
    magnitude = code & ((1 << fmt.width - 1) - 1)
    exponent = magnitude >> fmt.mantissa_bits
    significand = (magnitude & ((1 << fmt.mantissa_bits) - 1)) | (
        (exponent > 0).astype(np.int64) << fmt.mantissa_bits
    )
    scale = np.maximum(exponent, 1) - fmt.bias - fmt.mantissa_bits
    value = np.ldexp(significand.astype(np.float64), scale)
    value = np.where(magnitude > fmt.max_code, np.nan, value)
    if fmt.has_inf:
        value = np.where(magnitude == fmt.inf_code, np.inf, value)
    return np.copysign(value, np.where(code >> fmt.width - 1, -1.0, 1.0))
