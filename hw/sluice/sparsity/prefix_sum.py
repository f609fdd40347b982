"""How many flags are set below each."""

from collections.abc import Mapping, Sequence

from amaranth import Const, Value

from sluice.arith.flow import Flow

__all__ = ["add_prefix_sums", "add_sums_below", "count_ones", "prefix_steps"]


def prefix_steps(count: int) -> int:
    """Return the steps that :func:`add_prefix_sums` ends."""
    return (count - 1).bit_length()


def add_prefix_sums(flow: Flow, flags: Value) -> None:
    """Set ``flow.sum_k``, for ``k`` from 1 to as many as there are, to the flags set below ``k``.

    There are as many levels as binary digits: each adds the sum of the lower half of a block to all
    of its upper half. Method: J. Sklansky, Conditional-Sum Addition Logic, 1960.
    """
    add_sums_below(flow, {"sum": list(flags)})


def add_sums_below(flow: Flow, rows: Mapping[str, Sequence[Value]]) -> None:
    """Do the same for rows of numbers, all of one length, in the same steps.

    Of the row ``name``, ``flow.name_k`` becomes the sum of the numbers below ``k``.
    """
    count = len(next(iter(rows.values())))
    for name, row in rows.items():
        for k in range(count):
            setattr(flow, f"{name}_{k + 1}", row[k])
    for level in range(prefix_steps(count)):
        for name in rows:
            for k in (k for k in range(count) if k >> level & 1):
                lower = getattr(flow, f"{name}_{k >> level << level}")
                setattr(flow, f"{name}_{k + 1}", getattr(flow, f"{name}_{k + 1}") + lower)
        flow.step()


def count_ones(bits: Value) -> Value:
    """Return how many bits are set."""
    total: Value = Const(0, 1)
    terms = [bits[k] for k in range(len(bits))]
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[::2], [*terms[1::2], Const(0, 1)], strict=False)]
    return terms[0] if terms else total
