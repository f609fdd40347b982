"""Which of two numbers is the larger."""

from amaranth import Const, Value

from sluice.arith.floats import unpack
from sluice.arith.flow import Flow
from sluice.formats import Float, Format

__all__ = ["ORDER_STEPS", "order"]

# Steps that `order` ends.
ORDER_STEPS = 1


def order(flow: Flow, a: Value, b: Value, number: Format, *, flush: bool) -> None:
    """Set, a step later, ``less``, ``equal``, ``a_nan``, ``b_nan``, ``a_sign`` and ``b_sign``.

    ``less`` and ``equal`` compare ``a`` with ``b``, of which zeros are equal whatever their signs,
    and say nothing where one is NaN. With ``flush`` subnormal numbers are zeros.
    """
    flow.a_sign, flow.b_sign = a[-1], b[-1]
    a_nan = b_nan = zeros = reverse = Const(0, 1)
    if isinstance(number, Float):
        x, y = (unpack(word, number, flush=flush) for word in (a, b))
        a_nan, b_nan, zeros, reverse = x.is_nan, y.is_nan, x.is_zero & y.is_zero, x.sign
    flow.a_nan, flow.b_nan, flow.zeros, flow.reverse = a_nan, b_nan, zeros, reverse
    flow.below, flow.same = a[:-1] < b[:-1], a[:-1] == b[:-1]
    flow.step()

    alike = flow.a_sign == flow.b_sign
    flow.equal = flow.zeros | (alike & flow.same)
    larger = flow.below ^ flow.reverse
    flow.less = ~flow.equal & ((flow.a_sign & ~flow.b_sign) | (alike & larger))
