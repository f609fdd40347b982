"""Golden models of products that leave out pairs with a zero in them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import add, multiply_add
from sluice_sim.golden.arith_exact import dot
from sluice_sim.golden.formats import FixedFormat, check_codes, find_format

__all__ = ["Step", "count_steps", "decode", "multiply_pairs", "packet_ends", "pairs_of"]


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


def packet_ends(packets: Iterable[Sequence[int]], *, gap: int = 1) -> list[int]:
    """Return the cycles of packets' last steps, where contexts come one per cycle without a gap.

    Cycle 0 is that of the first step, if the first context ends its packet. One that does not is
    let go by the next one that has something to say, in the cycle in which it would have gone by
    itself had it come right before.

    Parameters
    ----------
    packets : of numbers of steps
        Of each context of each packet.
    gap : int, cycles
        From one packet's last step to the next one's, at least.
    """
    at, end, waiting = 0, 0, 0
    ends: list[int] = []
    for steps in packets:
        for k, count in enumerate(steps):
            last = k == len(steps) - 1
            if waiting and (count or last):
                end, waiting = max(end, at - 1) + waiting, 0
            if last and (count or not any(steps)):
                end = max(end, at) + max(1, count)
            elif count:
                waiting = count
            at += 1
        end = max([end, *(last + 1 + gap for last in ends[-1:])])
        ends.append(end - 1)
    return ends


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
    context: int = 16,
    lanes: int = 1,
    slots: int = 1,
) -> NDArray[np.uint64]:
    """Return the products of rows and columns in bit patterns, of the pairs of :func:`pairs_of`.

    Integers less their zero-points are summed modulo ``2**width`` of the total. Products of fp8
    are summed exactly, and the sum is rounded once, to nearest even; of zeros it is +0.

    Products of wider floats are summed in the order of their pairs, ``lanes`` in a step, contexts
    apart: that of lane ``l`` in step ``j`` of a row goes to partial sum ``(j % slots, l)``, which
    begins with +0, by a fused multiply-add. All of these are added to +0 in the end, slot by slot,
    and by lanes within a slot.

    Parameters
    ----------
    a, b, operand, zeros, bits
        See :func:`pairs_of`.
    total : str
        Format of the sums.
    context, lanes, slots : int
        Of the order in which wider floats are summed; nothing else depends on them.

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
        if number.width > 8:
            how = {"context": context, "lanes": lanes, "slots": slots}
            return _sum_in_turns(x, y, pairs, operand=operand, total=total, **how)
        return dot(np.where(pairs, x, 0), np.where(pairs, y, 0), 0, source=operand, addend=total)
    if not isinstance(result, FixedFormat):
        raise ValueError(f"{operand} cannot be summed in {total}")
    spare = 64 - number.width
    p, q = (v << spare >> spare for v in (x, y))
    sums = np.where(pairs, (p - zeros[0]) * (q - zeros[1]), 0).sum(axis=-1)
    return (sums & (1 << result.width) - 1).astype(np.uint64)


def _sum_in_turns(
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    pairs: NDArray[np.bool_],
    *,
    operand: str,
    total: str,
    context: int,
    lanes: int,
    slots: int,
) -> NDArray[np.uint64]:
    """Return sums of the products of pairs, in partial sums that take turns."""
    m, n, inner = pairs.shape
    x, y = (np.broadcast_to(v, pairs.shape) for v in (x, y))
    sums = np.zeros((slots, lanes, m, n), np.uint64)
    # Steps of each result so far.
    step = np.zeros((m, n), np.int64)
    for start in range(0, inner, context):
        part = pairs[..., start : start + context]
        ranks = np.cumsum(part, axis=-1) - 1
        for at in range(part.shape[-1]):
            rows, columns = np.nonzero(part[..., at])
            rank = ranks[rows, columns, at]
            place = (step[rows, columns] + rank // lanes) % slots, rank % lanes, rows, columns
            a, b = (v[rows, columns, start + at] for v in (x, y))
            sums[place] = multiply_add(a, b, sums[place], source=operand, addend=total)
        step += -(-part.sum(axis=-1) // lanes)
    result = np.zeros((m, n), np.uint64)
    for partial in sums.reshape(slots * lanes, m, n):
        result = add(result, partial, source=total)
    return result
