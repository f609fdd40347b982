"""Sums of several numbers by a tree of units."""

from collections.abc import Callable, Sequence
from typing import Any

from amaranth import Module, Value

from sluice.delay import delay_line

__all__ = ["sum_pairs"]


def sum_pairs(
    m: Module, terms: Sequence[Value], make: Callable[[], Any], *, suffix: str = ""
) -> Value:
    """Return the sum: neighbours in pairs, then pairs of these; one without another waits.

    Each level takes as long as one of the adders that ``make`` makes, which have ports ``a``, ``b``
    and ``o``. They are called ``tree`` with ``suffix`` and their places.
    """
    terms, level = list(terms), 0
    while len(terms) > 1:
        adders = [make() for _ in range(len(terms) // 2)]
        sums: list[Value] = []
        for k, adder in enumerate(adders):
            m.submodules[f"tree{suffix}_{level}_{k}"] = adder
            m.d.comb += [adder.a.eq(terms[2 * k]), adder.b.eq(terms[2 * k + 1])]
            sums.append(adder.o)
        if len(terms) % 2:
            latency = adders[0].latency
            sums.append(delay_line(m, f"alone{suffix}_{level}", terms[-1], latency))
        terms, level = sums, level + 1
    return terms[0]
