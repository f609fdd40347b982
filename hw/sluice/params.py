"""Declared parameters: one object per parameter checks it, parses it and describes it."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Choice",
    "Flag",
    "Int",
    "Parameter",
    "check_int",
    "check_matrices",
    "parse_flags",
    "parse_whole",
]


def check_int(name: str, value: SupportsIndex, *, lo: int, hi: int | None = None) -> int:
    """Return ``value`` as an ``int``, or raise an error that names the parameter and its range.

    Raises
    ------
    TypeError
        If ``value`` is not an integer (a ``bool`` is refused too).
    ValueError
        If ``value`` is outside ``lo..hi`` (both inclusive; no upper limit when ``hi`` is ``None``).
    """
    limit = f"an integer in {lo}..{hi}" if hi is not None else f"an integer >= {lo}"
    if isinstance(value, bool):
        raise TypeError(f"{name} must be {limit}, not {value!r}")
    try:
        number = operator.index(value)
    except TypeError as e:
        raise TypeError(f"{name} must be {limit}, not {value!r}") from e
    if number < lo or (hi is not None and number > hi):
        raise ValueError(f"{name} must be {limit}, not {number}")
    return number


def parse_whole(name: str, text: str) -> int:
    """Return the whole number, ``true`` or ``false`` that ``text`` stands for.

    Raises
    ------
    ValueError
        Naming the setting.
    """
    words = {"true": 1, "false": 0}
    try:
        return words[text.lower()] if text.lower() in words else int(text, 0)
    except ValueError:
        raise ValueError(f"{name} must be a whole number, not {text!r}") from None


def parse_flags(texts: Mapping[str, str], known: Sequence[str]) -> dict[str, bool]:
    """Return what texts stand for that are ``true`` or ``false``, or 1 or 0.

    Raises
    ------
    ValueError
        Naming the setting that is none of ``known``, or is neither.
    """
    flags: dict[str, bool] = {}
    for name in texts:
        if name not in known:
            there = "is" if len(known) == 1 else "are"
            raise ValueError(f"no setting {name!r}: there {there} {' '.join(known)}")
    for name, text in texts.items():
        value = parse_whole(name, text)
        if value not in (0, 1):
            raise ValueError(f"{name} must be true or false, not {text!r}")
        flags[name] = bool(value)
    return flags


def check_matrices(arrays: "Mapping[str, NDArray[Any]]") -> None:
    """Raise ``ValueError`` that names the array that is no matrix."""
    for name, array in arrays.items():
        if array.ndim != 2:
            raise ValueError(f"{name} must be a matrix, not an array of shape {array.shape}")


@dataclass(frozen=True)
class Parameter:
    """One keyword-only parameter of a block: its name and meaning, and what values it takes."""

    name: str
    meaning: str

    @property
    def range(self) -> str:
        """The legal values, for people."""
        raise NotImplementedError

    def check(self, value: Any) -> Any:
        """Return ``value`` in its normal form, or raise ``TypeError`` or ``ValueError``."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """Return the value that ``text`` (from a command line) stands for."""
        return self.check(text)


@dataclass(frozen=True)
class Int(Parameter):
    """An integer in ``lo..hi``, both inclusive; ``hi=None`` leaves it open.

    With ``power_of_two`` it is one, and ``hi`` is given.
    """

    lo: int
    hi: int | None = None
    unit: str = ""
    power_of_two: bool = False

    @property
    def range(self) -> str:
        return f"{self.lo}..{self.hi}" if self.hi is not None else f">= {self.lo}"

    def check(self, value: Any) -> int:
        number = check_int(self.name, value, lo=self.lo, hi=self.hi)
        if self.power_of_two and number & (number - 1):
            assert self.hi is not None
            powers = (1 << k for k in range(self.hi.bit_length()))
            legal = " ".join(str(p) for p in powers if p >= self.lo)
            raise ValueError(f"{self.name} must be one of {legal}, not {number}")
        return number

    def parse(self, text: str) -> int:
        try:
            number = int(text, 0)
        except ValueError:
            return self.check(text)
        return self.check(number)


@dataclass(frozen=True)
class Choice(Parameter):
    """One of a few words."""

    options: Sequence[str]

    @property
    def range(self) -> str:
        return " ".join(self.options)

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} must be one of {self.range}, not {value!r}")
        if value not in self.options:
            raise ValueError(f"{self.name} must be one of {self.range}, not {value!r}")
        return value


@dataclass(frozen=True)
class Flag(Parameter):
    """True or false."""

    @property
    def range(self) -> str:
        return "true false"

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{self.name} must be true or false, not {value!r}")
        return value

    def parse(self, text: str) -> bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return self.check(words.get(text.lower(), text))
