"""Two exact products of small numbers in one multiplier."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from sluice.arith.multiplier import Multiplier
from sluice.block import Block
from sluice.params import Int
from sluice.technology import technology_of

__all__ = ["PackedMultiplier"]


class PackedMultiplier(Block):
    """Multiply two numbers by a third: ``p0 = a0 * b``, ``p1 = a1 * b``, exact and unsigned.

    Parameters
    ----------
    a_width, b_width : int, 1..16 bits
    stages : int, 0..3
        As of :class:`Multiplier`.

    Members
    -------
    a0, a1 : In(a_width)
    b : In(b_width)
    b_en : In(1, init=1)
        As of :class:`Multiplier`.
    p0, p1 : Out(a_width + b_width)

    Attributes
    ----------
    latency : int, cycles
        ``stages``.
    interval : 1 cycle

    Notes
    -----
    One multiplier of the technology gives both products where ``2 * a_width + b_width`` is not
    above the width of its operands: ``a1`` stands ``a_width + b_width`` bits above ``a0``, so that
    ``a0 * b`` ends below ``a1 * b``. Significands of fp8 (3 and 4 bits) fit in 16 bits, two
    numbers of 6 bits each in 18. Where they do not fit, and where the technology has no
    multipliers, there are two of :class:`Multiplier`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.
    """

    a0: Signal
    a1: Signal
    b: Signal
    b_en: Signal
    p0: Signal
    p1: Signal
    interval = 1

    PARAMETERS = (
        Int("a_width", "width of the two operands", 1, 16, unit="bits"),
        Int("b_width", "width of the operand they share", 1, 16, unit="bits"),
        Int("stages", "registers between operands and products", 0, 3),
    )

    def __init__(self, *, a_width: int, b_width: int, stages: int):
        self.check(a_width=a_width, b_width=b_width, stages=stages)
        self.a_width: int
        self.b_width: int
        self.stages: int
        self.latency = self.stages
        self.product_width = self.a_width + self.b_width
        ports: dict[str, Any] = {
            "a0": In(self.a_width),
            "a1": In(self.a_width),
            "b": In(self.b_width),
            "p0": Out(self.product_width),
            "p1": Out(self.product_width),
        }
        if self.stages:
            ports["b_en"] = In(1, init=1)  # pyright: ignore[reportCallIssue] (not in the stubs)
        super().__init__(ports)

    def fits(self, width: int) -> bool:
        """Return whether a multiplier of ``width`` bits gives both products."""
        return 2 * self.a_width + self.b_width <= width

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.fits(technology_of(platform).multiplier_width):
            packed = Cat(self.a0, Const(0, self.b_width), self.a1)
            m.d.comb += Cat(self.p0, self.p1).eq(self._multiply(m, "product", packed))
        else:
            m.d.comb += [
                self.p0.eq(self._multiply(m, "product_0", self.a0)),
                self.p1.eq(self._multiply(m, "product_1", self.a1)),
            ]
        return m

    def _multiply(self, m: Module, name: str, a: Value) -> Value:
        multiplier = Multiplier(
            a_width=len(a), b_width=self.b_width, signed=False, stages=self.stages
        )
        m.submodules[name] = multiplier
        m.d.comb += [multiplier.a.eq(a), multiplier.b.eq(self.b)]
        if self.stages:
            m.d.comb += multiplier.b_en.eq(self.b_en)
        return multiplier.p
