"""Run-time settings of the masking circuit, and the short texts people write them in."""

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth import signed, unsigned
from amaranth.lib import data

from sluice.formats import Format, to_words
from sluice.params import Parameter, parse_whole

__all__ = [
    "Alternative",
    "Kind",
    "Kinds",
    "Operation",
    "Term",
    "masking_layout",
    "parse_mask",
    "read_masking",
]

# The generators that can be left out one by one; the others have parameters of their own.
GENERATORS = ("lower", "upper", "band", "columns", "rows")


class Kind(enum.IntEnum):
    """Which elements a term passes; ``r`` is the row, ``c`` the column, both from zero.

    Bit 0 says that the upper bound, if there is one, counts from the column and not from the
    diagonal, so that nothing has to be decoded there.
    """

    NONE = 0
    ALL = 1
    LOWER = 2  # c <= r + a
    COLUMNS = 3  # c < a
    UPPER = 4  # c >= r + a
    SEGMENTS = 5  # r and c lie in the same segment
    ROWS = 6  # r < a
    EXTERNAL = 7  # the next bit of the mask stream
    BAND = 8  # r + a <= c <= r + b


@dataclass(frozen=True)
class Kinds(Parameter):
    """Some of the generators, as words between commas, or none of them."""

    @property
    def range(self) -> str:
        return f"some or none of {' '.join(GENERATORS)}, with commas between"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} must be {self.range}, not {value!r}")
        words = [word.strip() for word in value.split(",")] if value.strip() else []
        if len(set(words)) != len(words) or not set(words) <= set(GENERATORS):
            raise ValueError(f"{self.name} must be {self.range}, not {value!r}")
        return ",".join(kind for kind in GENERATORS if kind in words)


class Operation(enum.IntEnum):
    """How a term joins the ones before it."""

    AND = 0
    OR = 1


class Alternative(enum.IntEnum):
    """What stands in the place of a masked element."""

    ZERO = 0
    LOWEST = 1
    MINUS_INFINITY = 2
    VALUE = 3


@dataclass(frozen=True)
class Term:
    """One generator: what it passes, turned round by ``invert``, joined by ``operation``."""

    kind: Kind
    a: int = 0
    b: int = 0
    invert: bool = False
    operation: Operation = Operation.AND


def masking_layout(number: Format, *, terms: int, segments: int, index_bits: int) -> Any:
    """Return the layout of the settings; ``a`` and ``b`` of a term are signed."""
    term = data.StructLayout(
        {
            "kind": 4,
            "operation": 1,
            "invert": 1,
            "a": signed(index_bits + 1),
            "b": signed(index_bits + 1),
        }
    )
    fields: dict[str, Any] = {
        "rows": unsigned(index_bits),
        "alternative": 2,
        "value": unsigned(number.width),
        "terms": data.ArrayLayout(term, terms),
    }
    if segments:
        fields["segments"] = data.ArrayLayout(unsigned(index_bits), segments)
    return data.StructLayout(fields)


_SHAPES: Mapping[str, tuple[int, str]] = {
    "none": (0, "none"),
    "all": (0, "all"),
    "lower": (1, "lower(offset): columns up to row + offset"),
    "upper": (1, "upper(offset): columns from row + offset"),
    "band": (1, "band(width): |row - column| < width"),
    "columns": (1, "columns(count): the first columns"),
    "rows": (1, "rows(count): the first rows"),
    "padding": (2, "padding(rows, columns): the first rows and columns"),
    "prefix": (1, "prefix(count): the first columns, and columns up to the row"),
    "segments": (0, "segments: row and column in the same segment"),
    "external": (0, "external: bits of the mask stream"),
}


def _expand(name: str, numbers: Sequence[int]) -> tuple[Operation, list[Term]]:
    """Return the terms behind one word, and the operation that joins them."""
    if name == "padding":
        return Operation.AND, [Term(Kind.ROWS, numbers[0]), Term(Kind.COLUMNS, numbers[1])]
    if name == "prefix":
        return Operation.OR, [Term(Kind.COLUMNS, numbers[0]), Term(Kind.LOWER, 0)]
    if name == "band":
        reach = numbers[0] - 1
        return Operation.AND, [Term(Kind.BAND, -reach, reach)]
    a, b, *_ = (*numbers, 0, 0)
    return Operation.AND, [Term(Kind[name.upper()], a, b)]


def parse_mask(text: str, *, terms: int) -> list[Term]:
    """Return the terms that ``text`` stands for, filled up to ``terms`` with ones without effect.

    The text joins words by ``&`` and ``|``, worked off from left to right; ``~`` turns a word
    round: ``lower(0) & columns(20)``, ``~band(3) | external``. Elements that it passes are kept.

    Raises
    ------
    ValueError
        Naming the part that is wrong and the words there are, or how many terms would be needed.
    """
    parts = re.split(r"\s*([&|])\s*", text.strip())
    result: list[Term] = []
    for n in range(0, len(parts), 2):
        found = re.fullmatch(r"(~?)\s*([a-z]+)\s*(?:\(([^()]*)\))?", parts[n])
        if not found or found[2] not in _SHAPES:
            raise ValueError(f"no mask {parts[n]!r}: there are {' '.join(_SHAPES)}")
        words = [w for w in re.split(r"[\s,]+", found[3] or "") if w]
        count, form = _SHAPES[found[2]]
        try:
            numbers = [int(w) for w in words]
        except ValueError:
            raise ValueError(f"{parts[n]!r} needs whole numbers: {form}") from None
        if len(numbers) != count and not (found[2] in ("lower", "upper") and not numbers):
            raise ValueError(f"{parts[n]!r} needs {count} numbers: {form}")
        inner, made = _expand(found[2], numbers)
        joint = Operation.OR if n and parts[n - 1] == "|" else Operation.AND
        if len(made) > 1 and n and joint is not inner:
            raise ValueError(f"{parts[n]!r} must come first where it is joined by {parts[n - 1]!r}")
        invert = bool(found[1])
        if invert and len(made) > 1:
            # De Morgan: the parts of a word are turned round, and so is what joins them.
            inner = Operation.AND if inner is Operation.OR else Operation.OR
            if n and joint is not inner:
                raise ValueError(f"{parts[n]!r} must come first in {text!r}")
        for k, term in enumerate(made):
            operation = joint if k == 0 else inner
            result.append(Term(term.kind, term.a, term.b, invert, operation))
    if len(result) > terms:
        raise ValueError(f"{text!r} needs {len(result)} terms, this circuit has {terms}")
    return result + [Term(Kind.ALL)] * (terms - len(result))


def read_masking(texts: Mapping[str, str], block: Any, *, packets: int) -> dict[str, int]:
    """Return the settings of a :class:`Masking` that ``name=text`` pairs stand for.

    ``mask`` is what :func:`parse_mask` reads; ``alternative`` a word; ``value`` a number of the
    format, which chooses itself; ``segments`` lengths between commas; ``rows`` all there are unless
    given. Any other name is a field.

    Raises
    ------
    ValueError
        Naming the setting that is wrong.
    """
    words = {"mask": "all", "rows": str(packets), **texts}
    values: dict[str, int] = {}
    for k, term in enumerate(parse_mask(words.pop("mask"), terms=block.terms)):
        if term.kind not in block.built:
            there = " ".join(kind.name.lower() for kind in sorted(block.built))
            raise ValueError(f"mask needs {term.kind.name.lower()}, this circuit has {there}")
        for name in ("kind", "a", "b", "invert", "operation"):
            values[f"terms[{k}].{name}"] = int(getattr(term, name))
    if "value" in words:
        values["value"] = _pattern(words.pop("value"), block.number)
        values["alternative"] = Alternative.VALUE
    if "alternative" in words:
        choice = words.pop("alternative").upper()
        if choice not in Alternative.__members__:
            names = " ".join(a.name.lower() for a in Alternative)
            raise ValueError(f"alternative must be one of {names}, not {choice.lower()!r}")
        values["alternative"] = Alternative[choice]
    if "segments" in words:
        lengths = [parse_whole("segments", w) for w in words.pop("segments").split(",")]
        if len(lengths) > block.segments:
            raise ValueError(f"segments has {len(lengths)} lengths, this circuit {block.segments}")
        values |= {f"segments[{k}]": length for k, length in enumerate(lengths)}
    values |= {name: parse_whole(name, text) for name, text in words.items()}
    # A count of zero stands for all that an index can tell apart.
    if "rows" not in texts:
        values["rows"] = packets if packets < 1 << block.index_bits else 0
    return values


def _pattern(text: str, number: Format) -> int:
    """Return the bit pattern of a number written as text."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"value must be a number of {number}, not {text!r}") from None
    return int(to_words(np.array([value]), number)[0])
