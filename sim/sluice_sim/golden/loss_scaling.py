"""Golden models of loss scaling."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sluice_sim.golden.formats import FloatFormat, decode, find_format

__all__ = ["Decision", "Report", "Settings", "decide", "report"]

CONSTANT, BACKOFF, LARGEST = range(3)


@dataclass(frozen=True)
class Report:
    """What there is in the gradient of a step.

    Attributes
    ----------
    largest : int
        Bit pattern, without the sign, of the largest finite magnitude; 0 if there is none.
    infinity, nan, nonzero : bool
        An element was that.
    """

    largest: int = 0
    infinity: bool = False
    nan: bool = False
    nonzero: bool = False


def report(packets: Sequence[ArrayLike], *, element: str) -> Report:
    """Return the report of the packets of a step, arrays of bit patterns of ``element``."""
    number = find_format(element)
    assert isinstance(number, FloatFormat)
    words = np.concatenate([np.asarray(p, np.uint64) for p in (*packets, [])])
    sizes = words & np.uint64((1 << number.width - 1) - 1)
    # Magnitudes are ordered as their patterns are: behind the largest finite number there are
    # infinity, if the format has it, and NaN.
    finite = sizes <= number.max_code
    infinite = (sizes == number.inf_code) if number.has_inf else np.zeros(sizes.shape, bool)
    return Report(
        largest=int(sizes[finite].max(initial=0)),
        infinity=bool(infinite.any()),
        nan=bool((~finite & ~infinite).any()),
        nonzero=bool(sizes.any()),
    )


@dataclass(frozen=True)
class Settings:
    """How the scale of a step follows from the one before; as in PyTorch, unless it is said.

    Attributes
    ----------
    policy : int
        0 constant, 1 backoff, 2 largest; any other is constant.
    initial, least, most : int
        Exponents of scales: of the first one, and the ends of the range.
    growth, backoff : int
        The scale is multiplied by ``2**growth``, or divided by ``2**backoff``.
    interval : int
        Steps without overflow after which it grows; 0 is never.
    headroom : int
        Exponent that the largest element is to have.
    unscaled : bool
        The scale of a step is not on the gradient that its report is about.
    """

    policy: int = BACKOFF
    initial: int = 16
    least: int = -126
    most: int = 127
    growth: int = 1
    backoff: int = 1
    interval: int = 2000
    headroom: int = 14
    unscaled: bool = False


@dataclass(frozen=True)
class Decision:
    """What becomes of a step, and the scale of the next one.

    Attributes
    ----------
    skip : bool
        The step does not count.
    exponent : int
        Of the scale of the next step.
    unscale : int
        Exponent of what the gradient of this step is to be multiplied by.
    """

    skip: bool
    exponent: int
    unscale: int


def decide(
    steps: Iterable[tuple[Report, Settings]], *, element: str, count_bits: int
) -> tuple[list[Decision], bool]:
    """Return a decision for each report, and whether the least scale has overflowed.

    Parameters
    ----------
    steps : iterable of (Report, Settings)
        ``initial`` is that of the first one.
    count_bits : int
        Of the count of steps without overflow, which stands still at its end.
    """
    decisions: list[Decision] = []
    exponent, clean, stuck = 0, 0, False
    for k, (found, settings) in enumerate(steps):
        if k == 0:
            exponent = settings.initial
        policy = settings.policy if settings.policy in (BACKOFF, LARGEST) else CONSTANT
        overflow = found.infinity or found.nan
        chosen = exponent
        clean = clean + 1 if policy == BACKOFF and not overflow else 0
        if overflow:
            stuck |= exponent <= settings.least
            chosen -= settings.backoff if policy != CONSTANT else 0
        elif policy == LARGEST and found.largest:
            size = float(decode(np.array([found.largest]), element)[0])
            # Of 2**e <= size < 2**(e + 1).
            e = math.frexp(size)[1] - 1
            chosen = settings.headroom - e + (0 if settings.unscaled else exponent)
        elif clean and clean == settings.interval:
            chosen, clean = chosen + settings.growth, 0
        clean = min(clean, (1 << count_bits) - 1)
        chosen = max(settings.least, min(settings.most, chosen))
        decisions.append(Decision(overflow, chosen, -exponent))
        exponent = chosen
    return decisions, stuck
