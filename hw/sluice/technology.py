"""What a target supplies to blocks: the generic one here, vendors' in ``sluice_boards``."""

from dataclasses import dataclass
from typing import Any, Protocol

from amaranth import Signal, Value

__all__ = ["GENERIC", "MakeMultiplier", "Target", "Technology", "technology_of"]


class MakeMultiplier(Protocol):
    """Return a submodule that drives ``p`` with ``a * b``, exact, ``stages`` cycles later.

    Parameters
    ----------
    a, b : Value
        1 to ``multiplier_width`` bits each; the shape of each says whether it is signed.
    b_en : Value
        1 bit: the register of ``b`` takes it only when high. Without stages it means nothing.
    p : Signal
        ``len(a) + len(b)`` bits.
    stages : int
        0 to 3: none; operands registered; product as well; and what is between as well. The
        registers are in the domain ``sync``, start at zero and have no reset.
    """

    def __call__(self, *, a: Value, b: Value, b_en: Value, p: Signal, stages: int) -> Any: ...


@dataclass(frozen=True)
class Technology:
    """A target's parts and limits.

    Attributes
    ----------
    name : str
    logic_inputs : int
        Inputs of its look-up table, by which pipelines are cut; zero where there is none.
    multiplier : callable, optional
        Makes one of its multipliers; without it, products are left to synthesis.
    multiplier_width : int, bits
        The widest operand of one of its multipliers, signed or unsigned: 16 or more, so that two
        parts make any operand.
    """

    name: str
    logic_inputs: int = 0
    multiplier: MakeMultiplier | None = None
    multiplier_width: int = 0


GENERIC = Technology("generic")


@dataclass(frozen=True)
class Target:
    """What ``elaborate`` gets as its platform where there is no board: the technology alone."""

    technology: Technology


def technology_of(platform: Any) -> Technology:
    """Return the technology that ``platform`` carries; without one, the generic one."""
    return getattr(platform, "technology", GENERIC)
