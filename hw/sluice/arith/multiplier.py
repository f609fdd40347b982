"""An exact product, in the multipliers of the technology."""

from typing import Any

from amaranth import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Flag, Int
from sluice.technology import MakeMultiplier, technology_of

__all__ = ["Multiplier"]


class Multiplier(Block):
    """Multiply: ``p = a * b``, exact, ``stages`` cycles later.

    Parameters
    ----------
    a_width, b_width : int, 1..32 bits
    signed : bool
        Both operands and the product are signed (two's complement), or none of them.
    stages : int, 0..3
        Registers on the way: none; operands; operands and product; and one between them as well.

    Members
    -------
    a : In(a_width)
    b : In(b_width)
    b_en : In(1, init=1)
        The operand register of ``b`` takes it only when high, and holds a weight when low. There
        is no such port without stages.
    p : Out(a_width + b_width)

    Attributes
    ----------
    latency : int, cycles
        ``stages``.
    interval : 1 cycle

    Notes
    -----
    The technology that elaboration is given supplies the multipliers and their registers
    (:class:`sluice.technology.Technology`); a product of few bits costs a whole one too. Without
    any, it is ``a * b`` between registers, and synthesis chooses.

    Operands wider than the technology's are cut in two, into one product for each pair of parts.
    The sum of these is in logic: without stages and with one it follows the multipliers in the
    same cycle; with more it ends in the product's register, which is then in logic too.

    The registers start at zero and have no reset: what is on the operands during reset is
    multiplied. Without stages the path from operands to product is combinational; with one, the
    product comes straight from the multiplier's logic.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.
    """

    a: Value
    b: Value
    b_en: Signal
    p: Signal
    interval = 1

    PARAMETERS = (
        Int("a_width", "width of one operand", 1, 32, unit="bits"),
        Int("b_width", "width of the other operand", 1, 32, unit="bits"),
        Flag("signed", "operands and product are signed"),
        Int("stages", "registers between operands and product", 0, 3),
    )

    def __init__(self, *, a_width: int, b_width: int, signed: bool, stages: int):
        self.check(a_width=a_width, b_width=b_width, signed=signed, stages=stages)
        self.a_width: int
        self.b_width: int
        self.signed: bool
        self.stages: int
        self.latency = self.stages
        ports: dict[str, Any] = {
            "a": In(Shape(self.a_width, self.signed)),
            "b": In(Shape(self.b_width, self.signed)),
            "p": Out(Shape(self.a_width + self.b_width, self.signed)),
        }
        if self.stages:
            ports["b_en"] = In(1, init=1)  # pyright: ignore[reportCallIssue] (not in the stubs)
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        technology = technology_of(platform)
        enable: Value = self.b_en if self.stages else Const(1)
        if technology.multiplier is None:
            self._leave_to_synthesis(m, enable)
        elif max(self.a_width, self.b_width) <= technology.multiplier_width:
            m.submodules.product = technology.multiplier(
                a=self.a, b=self.b, b_en=enable, p=self.p, stages=self.stages
            )
        else:
            self._join(m, technology.multiplier, technology.multiplier_width, enable)
        return m

    def _leave_to_synthesis(self, m: Module, enable: Value) -> None:
        a: Value = self.a
        b: Value = self.b
        if self.stages >= 1:
            a_taken = Signal.like(self.a, reset_less=True)
            b_taken = Signal.like(self.b, reset_less=True)
            m.d.sync += a_taken.eq(a)
            with m.If(enable):
                m.d.sync += b_taken.eq(b)
            a, b = a_taken, b_taken
        product: Value = a * b
        for stage in range(1, self.stages):
            later = Signal(self.p.shape(), name=f"product_{stage}", reset_less=True)
            m.d.sync += later.eq(product)
            product = later
        m.d.comb += self.p.eq(product)

    def _join(self, m: Module, make: MakeMultiplier, cut: int, enable: Value) -> None:
        """Cut wide operands, multiply each pair of parts and add the products by weight."""
        within = self.stages - (self.stages >= 2)

        def part(i: int, j: int) -> Value:
            a, b = _parts(self.a, cut)[i], _parts(self.b, cut)[j]
            product = Signal(Shape(len(a) + len(b), _signed(a) or _signed(b)), name=f"p_{i}{j}")
            m.submodules[f"product_{i}{j}"] = make(a=a, b=b, b_en=enable, p=product, stages=within)
            return product

        low = part(0, 0)
        # The lowest bits belong to one product only, and need no adder.
        rest = _like(low[cut:], _signed(low))
        if self.a_width > cut and self.b_width > cut:
            # The highest product begins where the lowest ends, so these two need none either.
            rest = _like(Cat(rest, part(1, 1)), self.signed) + (part(0, 1) + part(1, 0))
        else:
            rest = rest + (part(1, 0) if self.a_width > cut else part(0, 1))
        total = Cat(low[:cut], rest)[: len(self.p)]
        if self.stages >= 2:
            registered = Signal(len(self.p), reset_less=True)
            m.d.sync += registered.eq(total)
            total = registered
        m.d.comb += self.p.eq(total)


def _signed(value: Value) -> bool:
    return value.shape().signed


def _like(value: Value, signed: bool) -> Value:
    return value.as_signed() if signed else value.as_unsigned()


def _parts(value: Value, cut: int) -> list[Value]:
    """Return ``value`` in parts of at most ``cut`` bits; the last has the sign."""
    if len(value) <= cut:
        return [value]
    return [value[:cut], _like(value[cut:], _signed(value))]
