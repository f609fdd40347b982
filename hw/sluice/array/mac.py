"""What multiplies and accumulates in a processing element."""

from abc import ABC, abstractmethod
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed

from sluice.arith import Multiplier, MultiplyAddUnit
from sluice.arith.floats import unpack
from sluice.delay import delay
from sluice.formats import Fixed, Float, Format

__all__ = ["FloatMac", "IntegerMac", "Mac", "make_mac"]

# Registers from operands to adder that are of use to integers.
_MOST = 5


class Mac(ABC):
    """Adds ``x * weight`` to a partial sum, in a column of them.

    Attributes
    ----------
    operand, total : Format
        Of ``x`` and weight, and of what leaves the column.
    lead : int, cycles
        From ``x`` being in an element to when its partial sum must be: one more than from ``x``
        being given to :meth:`add`.
    step : int, cycles
        From a partial sum entering an element to its leaving it.
    adds_at_top : bool
        What is accumulated enters the column at its top, where the order of additions matters;
        otherwise it is added below it.
    held_bits : int
        Low bits of ``x`` that do not matter where a product is known to be zero.
    nothing : int
        The ``x`` that adds nothing to any partial sum, not even to a negative zero, where the
        weight is a positive zero.
    kind_bits : int
        Bits of :meth:`kind`.
    """

    operand: Format
    total: Format
    lead: int
    step: int
    adds_at_top: bool
    held_bits: int
    nothing: int
    kind_bits: int

    @abstractmethod
    def sum_width(self, row: int) -> int:
        """Return the bits of the partial sum that leaves row ``row``."""

    @abstractmethod
    def kind(self, word: Value) -> Value:
        """Return what :meth:`is_zero` must know of an operand."""

    @abstractmethod
    def is_zero(self, x_kind: Value, weight_kind: Value) -> Value:
        """Return whether the product is zero, and nothing worse, because an operand is."""

    @abstractmethod
    def add(
        self, m: Module, *, x: Value, weight: Value, above: Value | None, zero: Value | None = None
    ) -> Value:
        """Return the partial sum that leaves an element.

        Parameters
        ----------
        x, weight : operand.width bits
        above : Value or None
            The partial sum from above; ``None`` for zero.
        zero : Value or None
            The product is zero, and ``held_bits`` of ``x`` are what they were before.
        """


class IntegerMac(Mac):
    """Two's complement: exact, in as few bits as the rows so far can fill."""

    step = 1
    adds_at_top = False
    nothing = 0
    kind_bits = 1

    def __init__(self, operand: Fixed, total: Fixed, *, stages: int):
        self.operand, self.total = operand, total
        self.held_bits = operand.width
        self.lead = 1 + stages
        # Further ones are on the way to the adder: hard multipliers are in few rows, far from most
        # logic.
        self.multiplier_stages = min(stages, 3)

    def sum_width(self, row: int) -> int:
        # Only the product of the two most negative operands needs the top bit of the product.
        return min(2 * self.operand.width + row.bit_length(), self.total.width)

    def kind(self, word: Value) -> Value:
        return ~word.any()

    def is_zero(self, x_kind: Value, weight_kind: Value) -> Value:
        return x_kind | weight_kind

    def add(
        self, m: Module, *, x: Value, weight: Value, above: Value | None, zero: Value | None = None
    ) -> Value:
        width, stages = self.operand.width, self.multiplier_stages
        multiplier = Multiplier(a_width=width, b_width=width, signed=True, stages=stages)
        m.submodules.multiplier = multiplier
        m.d.comb += [multiplier.a.eq(x.as_signed()), multiplier.b.eq(weight.as_signed())]
        total: Value = multiplier.p
        if zero is not None:
            zero = delay(m, "zero", zero, stages)
            total = Mux(zero, 0, total)
        total = delay(m, "product", total, self.lead - 1 - stages).as_signed()
        if above is not None:
            total = total + above.as_signed()
        row = 0 if above is None else 1 << (len(above) - 2 * width)
        kept = Signal(signed(self.sum_width(row)), name="total", reset_less=True)
        m.d.sync += kept.eq(total)
        return kept.as_unsigned()


class FloatMac(Mac):
    """Fused multiply-add: every element rounds, from the top row to the last one."""

    adds_at_top = True
    kind_bits = 2

    def __init__(self, operand: Float, total: Float, *, stages: int, flush: bool = False):
        self.operand, self.total, self.flush, self.stages = operand, total, flush, stages
        # The sign of a zero is still that of the operands.
        self.held_bits = operand.width - 1
        self.nothing = 1 << operand.width - 1
        unit: Any = self.make_unit()
        # It only says how many registers it has.
        unit._MustUse__silence = True
        self.lead = 1 + unit.lead
        self.step = unit.latency - unit.lead

    def make_unit(self, *, gated: bool = False) -> MultiplyAddUnit:
        return MultiplyAddUnit(
            source=self.float_operand,
            target=self.float_total,
            stages=self.stages,
            flush=self.flush,
            late=True,
            gated=gated,
        )

    @property
    def float_operand(self) -> Float:
        assert isinstance(self.operand, Float)
        return self.operand

    @property
    def float_total(self) -> Float:
        assert isinstance(self.total, Float)
        return self.total

    def sum_width(self, row: int) -> int:
        return self.total.width

    def kind(self, word: Value) -> Value:
        number = unpack(word, self.float_operand, flush=self.flush)
        return Cat(number.is_zero, number.is_infinity | number.is_nan)

    def is_zero(self, x_kind: Value, weight_kind: Value) -> Value:
        # Zero times anything that is no number is NaN.
        return (x_kind[0] & ~weight_kind[1]) | (weight_kind[0] & ~x_kind[1])

    def add(
        self, m: Module, *, x: Value, weight: Value, above: Value | None, zero: Value | None = None
    ) -> Value:
        m.submodules.unit = unit = self.make_unit(gated=zero is not None)
        m.d.comb += [unit.a.eq(x), unit.b.eq(weight)]
        if zero is not None:
            m.d.comb += unit.zero.eq(zero)
        if above is not None:
            m.d.comb += unit.c.eq(above)
        return unit.o


def make_mac(operand: Format, total: Format, *, stages: int, flush: bool = False) -> Mac:
    """Return what fits the formats: integers with integers, floats with floats.

    Raises
    ------
    ValueError
        If they do not go together.
    """
    if isinstance(operand, Fixed) and isinstance(total, Fixed) and not total.fraction_bits:
        return IntegerMac(operand, total, stages=min(stages, _MOST))
    if isinstance(operand, Float) and isinstance(total, Float):
        return FloatMac(operand, total, stages=stages, flush=flush)
    raise ValueError(f"{operand} cannot be accumulated in {total}")
