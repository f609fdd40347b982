"""Arrays and matrices for benches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.array import SystolicArray, make_mac
from sluice.formats import FORMATS
from sluice_sim.bench.arith import float_words
from sluice_sim.golden.formats import FloatFormat, find_format

__all__ = ["make_array", "matrix_words"]


def make_array(
    *,
    operand: str,
    total: str,
    rows: int,
    columns: int,
    stages: int,
    flush: bool = False,
    group: int = 1,
    gating: bool = False,
) -> Any:
    """Return an array of the formats called ``operand`` and ``total``."""
    mac = make_mac(FORMATS[operand], FORMATS[total], stages=stages, flush=flush)
    return SystolicArray(rows=rows, columns=columns, mac=mac, group=group, gating=gating)


def matrix_words(
    name: str, rng: np.random.Generator, shape: tuple[int, ...], zeros: float = 0.0
) -> NDArray[np.uint64]:
    """Return words of all kinds, most such that sums stay numbers; ``zeros`` is a share."""
    number = find_format(name)
    count = int(np.prod(shape))
    zero = np.zeros(count, np.uint64)
    if isinstance(number, FloatFormat):
        found = float_words(number, rng, count)
        # Sums of anything are soon NaN, which hides what came before.
        tame = rng.integers(-4, 4, count) + number.bias << number.mantissa_bits
        tame |= rng.integers(0, 1 << number.mantissa_bits, count)
        tame |= rng.integers(0, 2, count) << number.width - 1
        found = np.where(rng.random(count) < 0.9, tame.astype(np.uint64), found)
        if zeros:
            # Zeros meet what is no number, and follow it.
            worst = rng.choice([number.nan_code, number.inf_code if number.has_inf else 0], count)
            found = np.where(rng.random(count) < 0.05, worst.astype(np.uint64), found)
        zero |= rng.integers(0, 2, count, dtype=np.uint64) << np.uint64(number.width - 1)
    else:
        found = rng.integers(0, 1 << number.width, count, dtype=np.uint64)
        least = np.uint64(1 << number.width - 1)
        found = np.where(rng.random(count) < 0.2, least, found)
    return np.where(rng.random(count) < zeros, zero, found).reshape(shape)
