"""Golden models of products that leave out pairs with a zero in them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith_exact import dot
from sluice_sim.golden.formats import FixedFormat, check_codes, find_format

__all__ = ["Step", "count_steps", "decode", "multiply_pairs", "pairs_of"]


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


def pairs_of(
    a: ArrayLike,
    b: ArrayLike,
    *,
    operand: str,
    zeros: tuple[int, int] = (0, 0),
    bits: tuple[ArrayLike, ArrayLike] | None = None,
) -> NDArray[np.bool_]:
    """Return where neither of two elements is zero, shape ``(M, N, K)``.

    Parameters
    ----------
    a : array of integers, shape ``(M, K)``
        Bit patterns of format ``operand``.
    b : array of integers, shape ``(K, N)``
    zeros : (int, int)
        What a zero of ``a`` and one of ``b`` is; integers only.
    bits : pair of arrays of 0 and 1, shaped as ``a`` and ``b``
        Which elements are not zero, whatever they are.
    """
    number = find_format(operand)
    some: list[NDArray[np.bool_]] = []
    for k, words in enumerate((a, b)):
        codes = check_codes(words, number)
        if bits is not None:
            some.append(np.asarray(bits[k], bool))
        elif isinstance(number, FixedFormat):
            some.append(codes != zeros[k] % (1 << number.width))
        else:
            # Of either sign.
            some.append(codes % (1 << number.width - 1) != 0)
    return some[0][:, None, :] & some[1].T[None, :, :]


def multiply_pairs(
    a: ArrayLike,
    b: ArrayLike,
    *,
    operand: str,
    total: str,
    zeros: tuple[int, int] = (0, 0),
    bits: tuple[ArrayLike, ArrayLike] | None = None,
) -> NDArray[np.uint64]:
    """Return the products of rows and columns in bit patterns, of the pairs of :func:`pairs_of`.

    Integers less their zero-points are summed modulo ``2**width`` of the total. Products of floats
    are summed exactly, and the sum is rounded once, to nearest even; of zeros it is +0.

    Parameters
    ----------
    a, b, operand, zeros, bits
        See :func:`pairs_of`.
    total : str
        Format of the sums.

    Returns
    -------
    array of uint64, shape ``(M, N)``

    Raises
    ------
    TypeError
        If patterns are not integers.
    ValueError
        If a pattern is too wide for its format, or the formats do not go together.
    """
    pairs = pairs_of(a, b, operand=operand, zeros=zeros, bits=bits)
    number, result = find_format(operand), find_format(total)
    x, y = check_codes(a, number)[:, None, :], check_codes(b, number).T[None, :, :]
    if not isinstance(number, FixedFormat):
        return dot(np.where(pairs, x, 0), np.where(pairs, y, 0), 0, source=operand, addend=total)
    if not isinstance(result, FixedFormat):
        raise ValueError(f"{operand} cannot be summed in {total}")
    spare = 64 - number.width
    p, q = (v << spare >> spare for v in (x, y))
    sums = np.where(pairs, (p - zeros[0]) * (q - zeros[1]), 0).sum(axis=-1)
    return (sums & (1 << result.width) - 1).astype(np.uint64)
