"""The places of elements with a flag, when they stand side by side in the beats of a packet."""

from amaranth import Cat, Module, Mux, Signal, Value

from sluice.arith.flow import Flow
from sluice.delay import delay
from sluice.sparsity.prefix_sum import add_prefix_sums, prefix_steps
from sluice.sparsity.switches import add_settings, levels
from sluice.stream import run_of

__all__ = ["add_places", "place_steps"]


def place_steps(lanes: int) -> int:
    """Return the steps that :func:`add_places` ends."""
    return prefix_steps(lanes) + 2


def add_places(m: Module, flow: Flow, flags: Value, valid: Value, *, placed: bool = False) -> None:
    """Set what there is to know of the places of a beat's elements.

    The first place of a packet is lane 0, or any one if it is ``placed``; a beat of elements is
    full only when one more comes, so that the last one of a packet is never empty, but for a packet
    without an element.

    Parameters
    ----------
    flow : Flow
        ``last`` is set: the beat of flags ends its packet. If it is ``placed``, ``first`` is set,
        which begins one, and with it ``offset``, the lane of its first place. Set are ``cross_s``,
        the settings of the switches between elements and places; ``held``, a bit for each lane that
        is taken by the elements before; ``over``, the elements do not fit into what is left, and go
        on in another beat; and ``rest``, the lanes that are then taken of the beat that was
        reached.
    flags : one bit per lane
    valid : 1 bit
        With the flags; those that are not valid do not count.
    """
    lanes = len(flags)
    add_prefix_sums(flow, flags)
    low = levels(lanes)
    begun = Signal(range(lanes + 1), name="start")
    start = Mux(flow.first, flow.offset, begun) if placed else begun
    arrives = delay(m, "arrives", valid, flow.latency, reset=True)
    total = (start + getattr(flow, f"sum_{lanes}"))[: low + 2]
    over = total[low + 1] | (total[low] & total[:low].any())
    rest = Cat(total[:low], Mux(over, total[low + 1], total[low]))
    # Made before the condition, which would hold its registers as well.
    follows = rest if placed else Mux(flow.last, 0, rest)
    with m.If(arrives):
        m.d.sync += begun.eq(follows)
    flow.start, flow.left, flow.over = start, rest, over
    flow.step()

    add_settings(flow, lanes, flow.start)
    flow.held = run_of(flow.start, lanes)
    flow.rest = run_of(flow.left, lanes)
    flow.step()
