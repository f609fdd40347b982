"""What a number format is: one immutable object answers every question about it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
from amaranth import signed, unsigned
from amaranth.hdl import ShapeLike
from amaranth.lib import data

__all__ = ["Fixed", "Float", "Format"]


@dataclass(frozen=True)
class Format:
    """A number format of ``width`` bits.

    Attributes
    ----------
    name : str
        How parameters and command lines spell it.
    width : int
        Bits of one element in a beat.
    dtype : numpy.dtype
        The NumPy type whose bit pattern, in its low ``width`` bits, is an element; ``tf32`` and
        the 4-bit integers are kept in a wider type, see :meth:`to_bits`.
    shape : ShapeLike
        The Amaranth shape of one element.
    """

    name: str
    width: int
    dtype_name: str

    @property
    def dtype(self) -> np.dtype:
        scalar = getattr(ml_dtypes, self.dtype_name, None) or self.dtype_name
        return np.dtype(scalar)

    @property
    def shape(self) -> ShapeLike:
        raise NotImplementedError

    @property
    def max(self) -> Fraction:
        """Largest finite value."""
        raise NotImplementedError

    @property
    def min(self) -> Fraction:
        """Most negative finite value."""
        raise NotImplementedError

    @property
    def lowest_bits(self) -> int:
        """Bit pattern of the most negative finite value."""
        raise NotImplementedError

    @property
    def minus_infinity_bits(self) -> int | None:
        """Bit pattern of minus infinity, or ``None`` where the format has no infinity."""
        return None

    def to_bits(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Return the bit patterns (``uint64``) of ``array``, which must have this ``dtype``."""
        if array.dtype != self.dtype:
            raise TypeError(f"{self.name} takes arrays of {self.dtype}, not {array.dtype}")
        raw = array.view(np.dtype(f"u{array.dtype.itemsize}")).astype(np.uint64)
        return raw & np.uint64((1 << self.width) - 1)

    def from_bits(self, bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the array of ``dtype`` whose elements have the given bit patterns."""
        raw = bits.astype(np.uint64) & np.uint64((1 << self.width) - 1)
        return raw.astype(np.dtype(f"u{self.dtype.itemsize}")).view(self.dtype)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Float(Format):
    """Binary floating point: sign, ``exponent_bits``, ``fraction_bits``, from the top bit down.

    Attributes
    ----------
    has_infinity : bool
        An exponent of all ones means infinity or NaN, as in IEEE 754. Otherwise (OCP E4M3) only
        the pattern of all ones is a NaN and the rest of that exponent holds finite values.
    """

    exponent_bits: int
    fraction_bits: int
    has_infinity: bool = True

    @property
    def bias(self) -> int:
        return (1 << self.exponent_bits - 1) - 1

    @property
    def shape(self) -> data.StructLayout:
        return data.StructLayout(
            {"fraction": self.fraction_bits, "exponent": self.exponent_bits, "sign": 1}
        )

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal value; subnormals share it."""
        return 1 - self.bias

    @property
    def max_bits(self) -> int:
        """Bit pattern of the largest finite value."""
        ones = (1 << self.width - 1) - 1
        return ones - (1 << self.fraction_bits) if self.has_infinity else ones - 1

    @property
    def lowest_bits(self) -> int:
        return self.max_bits | 1 << self.width - 1

    @property
    def infinity_bits(self) -> int | None:
        """Bit pattern of plus infinity, or ``None`` where the format has none."""
        return self.max_bits + 1 if self.has_infinity else None

    @property
    def minus_infinity_bits(self) -> int | None:
        return self.infinity_bits | 1 << self.width - 1 if self.infinity_bits else None

    @property
    def nan_bits(self) -> int:
        """Bit pattern of the canonical quiet NaN with its sign clear."""
        if not self.has_infinity:
            return self.max_bits + 1
        return self.max_bits + 1 | 1 << self.fraction_bits - 1

    @property
    def max(self) -> Fraction:
        exponent, fraction = divmod(self.max_bits, 1 << self.fraction_bits)
        significand = Fraction((1 << self.fraction_bits) + fraction, 1 << self.fraction_bits)
        return significand * Fraction(2) ** (exponent - self.bias)

    @property
    def min(self) -> Fraction:
        return -self.max

    @property
    def smallest(self) -> Fraction:
        """Smallest positive value: the least subnormal."""
        return Fraction(2) ** (self.min_exponent - self.fraction_bits)

    def to_bits(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint64]]:
        if self.width in (8, 16, 32):
            return super().to_bits(array)
        # A format narrower than its NumPy type occupies that type's top bits (tf32 in float32).
        if array.dtype != self.dtype:
            raise TypeError(f"{self.name} takes arrays of {self.dtype}, not {array.dtype}")
        raw = array.view(np.dtype(f"u{array.dtype.itemsize}")).astype(np.uint64)
        spare = np.uint64(8 * self.dtype.itemsize - self.width)
        if np.any(raw & np.uint64((1 << int(spare)) - 1)):
            raise ValueError(f"{self.name} values must have their low {spare} bits clear")
        return raw >> spare

    def from_bits(self, bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        spare = np.uint64(8 * self.dtype.itemsize - self.width)
        raw = bits.astype(np.uint64) << spare
        return raw.astype(np.dtype(f"u{self.dtype.itemsize}")).view(self.dtype)


@dataclass(frozen=True)
class Fixed(Format):
    """Integers and fixed point: ``width`` bits of which ``fraction_bits`` stand after the point."""

    fraction_bits: int = 0
    is_signed: bool = True

    @property
    def shape(self) -> ShapeLike:
        return signed(self.width) if self.is_signed else unsigned(self.width)

    @property
    def max(self) -> Fraction:
        top = (1 << self.width - self.is_signed) - 1
        return Fraction(top, 1 << self.fraction_bits)

    @property
    def min(self) -> Fraction:
        return Fraction(-(1 << self.width - 1) * self.is_signed, 1 << self.fraction_bits)

    @property
    def lowest_bits(self) -> int:
        return (1 << self.width - 1) * self.is_signed

    def from_bits(self, bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        raw = bits.astype(np.int64) & ((1 << self.width) - 1)
        if self.is_signed:
            raw -= (raw >> self.width - 1) << self.width
        return raw.astype(self.dtype)
