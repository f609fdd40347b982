"""What sums the products of a processing element."""

from typing import Any

from amaranth import Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith import AccumulateExactUnit, Multiplier
from sluice.delay import delay
from sluice.formats import Fixed, Float, Format
from sluice.sparsity.pair_float_sums import FloatSums

__all__ = ["IntegerSums", "make_sums"]


class IntegerSums(wiring.Component):
    """The sum of all products of a row, modulo ``2**width`` of the total; no handshake.

    Parameters
    ----------
    operand, total : Fixed
    lanes : int
        Products per cycle.
    zeros : (int, int)
        What is taken from ``a`` and from ``b`` before they are multiplied.
    stages : int, 0..3
        Registers of the multipliers.

    Members
    -------
    a, b : In(operand.width * lanes)
        The first factor in the low bits.
    keep : In(lanes)
        Products that count.
    valid : In(1)
        There are products.
    last : In(1)
        They are the last ones of the row.
    o : Out(total.width)
        ``latency`` cycles after the last products.
    """

    a: Signal
    b: Signal
    keep: Signal
    valid: Signal
    last: Signal
    o: Signal

    def __init__(
        self, *, operand: Fixed, total: Fixed, lanes: int, zeros: tuple[int, int], stages: int
    ):
        self.operand, self.total, self.lanes, self.zeros = operand, total, lanes, zeros
        self.stages = stages
        self.slots = self.gap = 1
        # Differences, products, levels of the tree of lanes, and the sum.
        self.latency = 1 + stages + (lanes - 1).bit_length() + 1
        super().__init__(
            {
                "a": In(operand.width * lanes),
                "b": In(operand.width * lanes),
                "keep": In(lanes),
                "valid": In(1),
                "last": In(1),
                "o": Out(total.width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        parts = [self._product(m, lane) for lane in range(self.lanes)]
        level = 0
        while len(parts) > 1:
            level += 1
            # An odd one never is, for there is a power of two of them.
            pairs = [x + y for x, y in zip(parts[::2], parts[1::2], strict=True)]
            parts = [
                Signal(pair.shape(), name=f"sum_{level}_{k}", reset_less=True)
                for k, pair in enumerate(pairs)
            ]
            m.d.sync += [part.eq(pair) for part, pair in zip(parts, pairs, strict=True)]
        arrives = delay(m, "arrives", self.valid, self.latency - 1, reset=True)
        last = delay(m, "last", self.last, self.latency - 1)
        first = Signal(init=1)
        total = Signal(signed(self.total.width), reset_less=True)
        with m.If(arrives):
            m.d.sync += [first.eq(last), total.eq(Mux(first, 0, total) + parts[0])]
        m.d.comb += self.o.eq(total)
        return m

    def _product(self, m: Module, lane: int) -> Value:
        """Return the product of a lane, or 0."""
        width = self.operand.width
        factors: list[Value] = []
        for name, given, zero in zip("ab", (self.a, self.b), self.zeros, strict=True):
            word = given.word_select(lane, width).as_signed()
            difference = word - Const(zero, Shape(width, signed=True)) if zero else word
            factor = Signal(difference.shape(), name=f"{name}_{lane}", reset_less=True)
            m.d.sync += factor.eq(
                difference if name == "b" else Mux(self.keep[lane], difference, 0)
            )
            factors.append(factor)
        a, b = factors
        m.submodules[f"multiplier_{lane}"] = multiplier = Multiplier(
            a_width=len(a), b_width=len(b), signed=True, stages=self.stages
        )
        m.d.comb += [multiplier.a.eq(a), multiplier.b.eq(b)]
        return multiplier.p


def make_sums(
    operand: Format,
    total: Format,
    *,
    lanes: int,
    terms: int,
    zeros: tuple[int, int],
    stages: int,
) -> Any:
    """Return what sums rows of up to ``terms`` products.

    Raises
    ------
    ValueError
        If formats do not go together.
    """
    if isinstance(operand, Fixed) and isinstance(total, Fixed):
        return IntegerSums(
            operand=operand, total=total, lanes=lanes, zeros=zeros, stages=min(stages, 3)
        )
    if isinstance(operand, Float) and isinstance(total, Float):
        if any(zeros):
            raise ValueError(f"{operand} has no zero-points")
        if operand.width > 8:
            # Fixed point of all their products would be hundreds of bits wide.
            if total.exponent_bits < operand.exponent_bits:
                raise ValueError(f"{operand} cannot be summed in {total}")
            return FloatSums(operand=operand, total=total, lanes=lanes, stages=stages)
        return AccumulateExactUnit(
            source=operand, other=operand, target=total, lanes=lanes, terms=terms, stages=stages
        )
    raise ValueError(f"{operand} cannot be summed in {total}")
