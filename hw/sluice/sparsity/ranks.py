"""The positions of set bits, by their ranks.

A bit's rank is the number of set bits below it: a sum for each group of four bits, and a count of
the bits of the group, which one logic cell looks at together. Once the sums are there, the bits of
any ranks are found without a carry from one to the next.
"""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Const, Mux, Value

from sluice.sparsity.prefix_sum import add_sums_below, prefix_steps

__all__ = ["POSITION_STEPS", "add_positions", "add_ranks", "groups_of", "rank_steps"]

GROUP = 4
# Steps of :func:`add_positions`.
POSITION_STEPS = 3


def groups_of(context: int) -> int:
    """Return the groups of so many bits."""
    return context // GROUP


def rank_steps(context: int, vectors: int) -> int:
    """Return the steps that :func:`add_ranks` ends."""
    return 2 + prefix_steps(groups_of(context)) + (vectors - 1).bit_length()


def add_ranks(flow: Any, bits: Value, *, context: int, lanes: int, vectors: int) -> None:
    """Set what must be known to find ``lanes`` set bits of each vector per step.

    ``bits`` are those of all vectors, the first in the low bits. Set are ``below_v_g``, the set
    bits of vector ``v`` below group ``g``; ``most_0``, the steps of the vector that takes most of
    them, less one; and ``any_0``, whether any bit is set.
    """
    groups = range(groups_of(context))
    names = [f"below_{v}" for v in range(vectors)]
    # They have names, so that what is summed are registers.
    for v, name in enumerate(names):
        for g in groups:
            setattr(flow, f"count_{name}_{g}", _count(bits.word_select(v * len(groups) + g, GROUP)))
    flow.step()

    add_sums_below(
        flow, {name: [getattr(flow, f"count_{name}_{g}") for g in groups] for name in names}
    )
    for v, name in enumerate(names):
        total = getattr(flow, f"{name}_{len(groups)}")
        steps = (total - 1)[(lanes - 1).bit_length() : (context - 1).bit_length()]
        setattr(flow, f"most_{v}", Mux(total.any(), steps, 0))
        setattr(flow, f"any_{v}", total.any())
    flow.step()

    while vectors > 1:
        pairs = vectors // 2
        for v in range(pairs):
            a, b = (getattr(flow, f"most_{w}") for w in (2 * v, 2 * v + 1))
            some = getattr(flow, f"any_{2 * v}") | getattr(flow, f"any_{2 * v + 1}")
            setattr(flow, f"next_{v}", Cat(Mux(a < b, b, a), some))
        if vectors % 2:
            odd = (getattr(flow, f"{name}_{vectors - 1}") for name in ("most", "any"))
            setattr(flow, f"next_{pairs}", Cat(*odd))
        vectors -= pairs
        for v in range(vectors):
            word = getattr(flow, f"next_{v}")
            setattr(flow, f"most_{v}", word[:-1])
            setattr(flow, f"any_{v}", word[-1])
        flow.step()


def add_positions(
    flow: Any, bits: Value, below: Sequence[Value], step: Value, *, lanes: int, vectors: int
) -> None:
    """Set ``flow.found``, a bit for each lane of each vector, and ``flow.positions``, or else 0.

    Lane ``l`` has the bit of rank ``step * lanes + l``.

    Parameters
    ----------
    bits : of all vectors
    below : values
        The set bits below each group of each vector, see :func:`add_ranks`.
    step : number
    """
    groups = len(below) // vectors
    digits = (lanes - 1).bit_length()
    flow.bits = bits
    walks = [(v, lane, g) for v in range(vectors) for lane in range(lanes) for g in range(groups)]
    for v, lane, g in walks:
        # The rank within the group, and whether it is in the group at all.
        rank = Cat(Const(lane, digits), step) - below[v * groups + g]
        setattr(flow, f"rank_{v}_{lane}_{g}", Cat(rank[:2], ~rank[2:].any()))
    flow.step()

    for v, lane, g in walks:
        rank = getattr(flow, f"rank_{v}_{lane}_{g}")
        group = flow.bits.word_select(v * groups + g, GROUP)
        hits = [group[k] & (rank == 4 + _count(group[:k])) for k in range(GROUP)]
        hit = Cat(hits[1] | hits[3], hits[2] | hits[3], Cat(hits).any())
        setattr(flow, f"hit_{v}_{lane}_{g}", hit)
    flow.step()

    found: list[Value] = []
    positions: list[Value] = []
    for v in range(vectors):
        for lane in range(lanes):
            hits = [getattr(flow, f"hit_{v}_{lane}_{g}") for g in range(groups)]
            found.append(Cat(hit[2] for hit in hits).any())
            positions += [Cat(hit[k] for hit in hits).any() for k in range(2)]
            positions += [
                Cat(hit[2] for g, hit in enumerate(hits) if g >> k & 1).any()
                for k in range((groups - 1).bit_length())
            ]
    flow.found, flow.positions = Cat(found), Cat(positions)
    flow.step()


def _count(bits: Value) -> Value:
    """Return how many bits are set, in as few bits."""
    total: Value = Const(0, 1)
    for bit in bits:
        total = total + bit
    return total[: len(bits).bit_length()]
