"""Golden model of optimizer steps with the gradients of several workers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.gather import sum_pairs
from sluice_sim.golden.optimizer import optimize

__all__ = ["Trained", "train"]

Words = NDArray[np.uint64]


class Trained(NamedTuple):
    """The next arrays, and by worker whose gradients were too few or too many."""

    arrays: tuple[Words, ...]
    short: list[bool]
    long: list[bool]
    bad: bool


def train(
    gradients: Sequence[ArrayLike],
    arrays: Sequence[ArrayLike],
    *,
    settings: Mapping[str, Any],
    moments: int,
    flush: bool = False,
) -> Trained:
    """Take a step with a layer.

    Parameters
    ----------
    gradients : sequence of arrays of words
        Of each worker, of any length: what is missing is zero, and what is too much is dropped.
    arrays : sequence of arrays of words
        Weights, and the moments that are moved; others are zero, and not returned.
    settings, flush
        Those of :func:`sluice_sim.golden.optimizer.optimize`.
    moments : int
        That the optimizer has.
    """
    count = len(np.asarray(arrays[0]))
    given = [np.asarray(g, np.uint64) for g in gradients]
    fitted = [np.concatenate([g, np.zeros(count, np.uint64)])[:count] for g in given]
    total = sum_pairs(np.stack(fitted, axis=-1), flush=flush)
    zeros = [np.zeros(count, np.uint64)] * (1 + moments - len(arrays))
    found = optimize(total, *arrays, *zeros, settings=settings, flush=flush)
    return Trained(
        tuple(found[: len(arrays)]),
        [len(g) < count for g in given],
        [len(g) > count for g in given],
        bool((total & np.uint64(0x7F800000) == 0x7F800000).any()),
    )
