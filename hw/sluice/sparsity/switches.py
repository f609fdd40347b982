"""Elements with a flag to places side by side, in a network of switches.

A level of the network has a switch for every two lanes whose numbers differ in one bit, the lowest
bit in the first level; the two change places or not. ``lanes`` elements pass as many levels as
their numbers have bits, which is as few as can be, and none is ever in another's way: before level
``s`` the elements of a block of ``2**s`` lanes stand where their places say, modulo ``2**s``, and
since places are consecutive, no two of a block want the same.

Which way a switch is set follows from one number for both its blocks. Let the elements of the upper
block go to the places from ``t`` on. Of the places that end in the bits of the switch, the first
from there on is the upper element's, and the one before it the lower's; so that one bit of it says
which output is whose, whether there is an element or not.
"""

from collections.abc import Iterable, Sequence

from amaranth import Cat, Mux, Value

from sluice.arith.flow import Flow

__all__ = ["add_settings", "gather", "levels", "scatter"]


def levels(lanes: int) -> int:
    """Return the levels of the network."""
    return (lanes - 1).bit_length()


def add_settings(flow: Flow, lanes: int, start: Value) -> None:
    """Set ``flow.cross_s`` of every level ``s``: a bit per switch, which says that it crosses.

    ``flow.sum_k`` are the flags set below ``k``; the first element's place is ``start``, and the
    others' follow, modulo ``lanes``.
    """
    for s in range(levels(lanes)):
        size = 1 << s
        bits: list[Value] = []
        for upper in range(size, lanes, 2 * size):
            place = (start + getattr(flow, f"sum_{upper}"))[: s + 1]
            bits += [~(place[s] ^ (low < place[:s])) if s else ~place[0] for low in range(size)]
        setattr(flow, f"cross_{s}", Cat(bits))


def gather(flow: Flow, words: Sequence[str]) -> None:
    """Bring the elements, attributes of these names, to their places.

    A step per level, of which the last one is not ended.
    """
    _pass(flow, words, range(levels(len(words))))


def scatter(flow: Flow, words: Sequence[str]) -> None:
    """Bring elements from their places to where their flags are, in as many steps."""
    _pass(flow, words, reversed(range(levels(len(words)))))


def _pass(flow: Flow, words: Sequence[str], order: Iterable[int]) -> None:
    for k, s in enumerate(order):
        if k:
            flow.step()
        before = [getattr(flow, name) for name in words]
        crosses = getattr(flow, f"cross_{s}")
        for lane, name in enumerate(words):
            cross = crosses[(lane >> s + 1 << s) + lane % (1 << s)]
            setattr(flow, name, Mux(cross, before[lane ^ 1 << s], before[lane]))
