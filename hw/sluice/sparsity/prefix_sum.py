"""How many flags are set below each."""

from amaranth import Value

from sluice.arith.flow import Flow

__all__ = ["add_prefix_sums", "prefix_steps"]


def prefix_steps(count: int) -> int:
    """Return the steps that :func:`add_prefix_sums` ends."""
    return (count - 1).bit_length()


def add_prefix_sums(flow: Flow, flags: Value) -> None:
    """Set ``flow.sum_k``, for ``k`` from 1 to as many as there are, to the flags set below ``k``.

    There are as many levels as binary digits: each adds the sum of the lower half of a block to all
    of its upper half. Method: J. Sklansky, Conditional-Sum Addition Logic, 1960.
    """
    count = len(flags)
    for k in range(count):
        setattr(flow, f"sum_{k + 1}", flags[k])
    for level in range(prefix_steps(count)):
        for k in (k for k in range(count) if k >> level & 1):
            lower = getattr(flow, f"sum_{k >> level << level}")
            setattr(flow, f"sum_{k + 1}", getattr(flow, f"sum_{k + 1}") + lower)
        flow.step()
