"""Golden model of the steps of an optimizer."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.arith import add, divide, multiply, multiply_add, square_root

__all__ = ["optimize"]

Words = NDArray[np.uint64]
_TOP = np.uint64(1 << 31)
_INFINITY = np.uint64(0x7F800000)


def optimize(
    g: ArrayLike,
    w: ArrayLike,
    m: ArrayLike | None = None,
    v: ArrayLike | None = None,
    *,
    settings: Mapping[str, int],
    flush: bool = False,
) -> tuple[Words, ...]:
    """Return the next weights and moments, as many as are given.

    Parameters
    ----------
    g, w, m, v : arrays of integers
        Words of fp32: gradients, weights, first and second moments.
    settings : mapping
        Flags ``skip``, ``maximize``, ``decoupled``, ``first``, ``nesterov``, ``adam``; and words of
        fp32 ``scale``, ``clip``, ``decay``, ``rate``, ``momentum``, ``gain``, ``gain2``, ``eps``.
        What the formula does not use may be missing.
    flush : bool
        As in :mod:`sluice_sim.golden.arith`.
    """
    given = [np.asarray(x, np.uint64) for x in (w, m, v) if x is not None]
    if settings.get("skip"):
        return tuple(given)
    with_moments = m is not None
    g, w = np.asarray(g, np.uint64), given[0]

    def number(name: str) -> np.uint64:
        return np.uint64(settings[name])

    def fma(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Words:
        return multiply_add(a, b, c, source="fp32", addend="fp32", flush=flush)

    sign = _TOP if settings.get("maximize") else np.uint64(0)
    scaled = multiply(g ^ sign, number("scale"), source="fp32", flush=flush)
    size, limit = scaled & ~_TOP, number("clip") & ~_TOP
    d = np.where((size > limit) & (size <= _INFINITY), limit | scaled & _TOP, scaled)
    if settings.get("decoupled"):
        w = fma(number("decay"), w, _TOP)
    else:
        d = fma(number("decay"), w, d)
    down = number("rate") ^ _TOP
    if not with_moments:
        return (fma(down, d, w),)
    m = given[1]
    if settings.get("adam"):
        v = given[2]
        v_next = fma(number("gain2"), fma(d, d, v ^ _TOP), v)
        m_next = fma(number("gain"), add(d, m, source="fp32", subtract=True, flush=flush), m)
        if settings.get("first"):
            m_next = d
        root = square_root(v_next, source="fp32", flush=flush)
        below = add(root, number("eps"), source="fp32", flush=flush)
        direction = divide(m_next, below, source="fp32", flush=flush)
        return fma(down, direction, w), m_next, v_next
    m_next = (
        d if settings.get("first") else fma(number("gain"), d, fma(number("momentum"), m, _TOP))
    )
    direction = fma(number("momentum"), m_next, d) if settings.get("nesterov") else m_next
    return fma(down, direction, w), m_next, *given[2:]
