"""Golden models of loss scaling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sluice_sim.golden.formats import FloatFormat, find_format

__all__ = ["Report", "report"]


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
