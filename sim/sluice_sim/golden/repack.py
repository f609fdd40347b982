"""Golden model of a packet's bits as elements of another width."""

from collections.abc import Sequence

__all__ = ["repack"]


def repack(elements: Sequence[int], i_width: int, o_width: int, *, spare: int = 0) -> list[int]:
    """Return the elements of ``o_width`` bits that have the bits of others, low bits first.

    Parameters
    ----------
    elements : sequence of int
        Bit patterns of ``i_width`` bits.
    spare : int, 0..i_width-1
        Top bits of the last one that are none of the packet's; the last result may show them.

    Returns
    -------
    list of int
        As many as have at least one bit.
    """
    bits = sum(value << k * i_width for k, value in enumerate(elements))
    size = max(0, len(elements) * i_width - spare)
    mask = (1 << o_width) - 1
    return [bits >> at & mask for at in range(0, size, o_width)]
