"""Golden models of products that leave out pairs with a zero in them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Step", "count_steps", "decode"]


class Step(NamedTuple):
    """Positions of one step, and where it stands."""

    positions: tuple[int, ...]
    number: int
    done: bool
    last: bool


def decode(a: ArrayLike, b: ArrayLike, *, context: int, lanes: int) -> list[Step]:
    """Return the steps in which a packet's pairs of ones are found.

    Parameters
    ----------
    a, b : array of 0 and 1, shape ``(n,)``
        Bit vectors, of which every ``context`` bits are a context; the last one may be shorter.
    context, lanes : int
        Bits of a context, and positions in a step.
    """
    x, y = np.asarray(a, bool), np.asarray(b, bool)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"vectors must be of one length, not {x.shape} and {y.shape}")
    pairs = x & y
    steps: list[Step] = []
    for number, start in enumerate(range(0, max(1, pairs.size), context)):
        found = np.flatnonzero(pairs[start : start + context]).tolist()
        for at in range(0, len(found), lanes):
            done = at + lanes >= len(found)
            steps.append(Step(tuple(found[at : at + lanes]), number, done, False))
    if not steps:
        # Its last context alone says that it was there.
        steps = [Step((), max(0, pairs.size - 1) // context, True, False)]
    return [*steps[:-1], steps[-1]._replace(last=True)]


def count_steps(pairs: ArrayLike, *, context: int, lanes: int) -> NDArray[np.int64]:
    """Return the steps of each context.

    Parameters
    ----------
    pairs : array of 0 and 1, shape ``(..., n)``
        Where both operands count.

    Returns
    -------
    array, shape ``(..., ceil(n / context))``
        ``ceil(pairs of the context / lanes)``.
    """
    x = np.asarray(pairs, bool)
    ragged = -x.shape[-1] % context
    x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, ragged)])
    counts = x.reshape(*x.shape[:-1], -1, context).sum(axis=-1)
    return -(-counts // lanes)
