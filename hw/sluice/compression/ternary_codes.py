"""Ternary weights: their codes, and the order of the pairs that are not zero."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Const, Value

from sluice.formats import Fixed, unsigned_format
from sluice.params import Parameter

__all__ = [
    "NATURAL",
    "PAIRS",
    "VALUE",
    "WEIGHT",
    "Codes",
    "look_up",
    "pair_items",
    "split_codes",
]

# What the elements of the streams are. With the natural codes a weight is its own number.
WEIGHT = Fixed("int2", 2, "int8")
VALUE = unsigned_format(3)

# Both weights of a pair, in an element of this format.
ITEM, ITEM_BITS = "int4", 4

NATURAL = "00,01,11"

# The first weight and the second of the pair that each value stands for.
PAIRS = tuple((first, second) for second in (0, 1, -1) for first in (0, 1, -1))[1:]

_TEXTS = tuple(",".join(t) for t in itertools.permutations(("00", "01", "10", "11"), 3))


@dataclass(frozen=True)
class Codes(Parameter):
    """Three different codes of two bits, with commas between: of 0, +1 and -1."""

    @property
    def range(self) -> str:
        return "three different codes of 00 01 10 11, of 0, +1 and -1, with commas between"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} must be {self.range}, not {value!r}")
        text = value.replace(" ", "")
        if text not in _TEXTS:
            raise ValueError(f"{self.name} must be {self.range}, not {value!r}")
        return text


def split_codes(text: str) -> tuple[int, int, int]:
    """Return the codes of 0, +1 and -1; that of a weight ``w`` is element ``w``."""
    zero, plus, minus = (int(code, 2) for code in text.split(","))
    return zero, plus, minus


def pair_items(text: str) -> list[int]:
    """Return the codes of the pair that each value stands for, the first weight in the low bits.

    They are such that two zeros are zero: a code differs from that of zero in the bits given.
    """
    codes = split_codes(text)
    return [codes[a] ^ codes[0] | (codes[b] ^ codes[0]) << 2 for a, b in PAIRS]


def look_up(index: Value, table: Sequence[int], width: int) -> Value:
    """Return the element of a table of constants, of ``width`` bits; of none it is zero."""
    found = [index == k for k in range(len(table))]
    ones = ([f for f, v in zip(found, table, strict=True) if v >> b & 1] for b in range(width))
    return Cat(Cat(rows).any() if rows else Const(0, 1) for rows in ones)
