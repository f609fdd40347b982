"""Dot product: the datapath."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import unpack
from sluice.arith.flow import Flow
from sluice.arith.multiplier import Multiplier
from sluice.arith.round import shift_up, up_steps
from sluice.arith.sum import Frame, add_and_round
from sluice.formats import Float

__all__ = ["DotUnit"]

MULTIPLY_STEPS = 3
SHIFT_STEPS = 2


class DotUnit(wiring.Component):
    """``sum(a * b) + c``, rounded once to nearest even; a result per cycle, no handshake.

    Parameters
    ----------
    source : Float
        Format of the factors.
    target : Float
        Format of ``c`` and of the result; its exponent has at least as many bits as the source's.
    terms : int
        Products per result.
    stages : int
        Registers between operands and result; as many as there are steps to cut if those are fewer.
    flush : bool
        Subnormal operands count as zero, and so do results below the smallest normal number.

    Members
    -------
    a, b : In(source.width * terms)
        The first factor in the low bits.
    c : In(target.width)
    o : Out(target.width)
        ``latency`` cycles later. A NaN is the canonical one, positive.

    Attributes
    ----------
    width : int
        Bits of the largest magnitude of the sum of the products, in units of the smallest product.

    Notes
    -----
    The products are summed in fixed point, with all bits there are; only the sum of that with ``c``
    is rounded.
    """

    a: Signal
    b: Signal
    c: Signal
    o: Signal

    def __init__(
        self, *, source: Float, target: Float, terms: int, stages: int, flush: bool = False
    ):
        self.source, self.target, self.terms, self.flush = source, target, terms, flush
        largest = int(source.max / source.smallest)
        self.width = (terms * largest**2).bit_length()
        self.depth = (terms - 1).bit_length()
        self.frame = Frame(target, self.width - 1, target.fraction_bits, headroom=1)
        normalise = up_steps(self.width)
        self.steps = (
            MULTIPLY_STEPS + SHIFT_STEPS + 1 + self.depth + 1 + normalise + 1 + self.frame.steps
        )
        self.latency = min(stages, self.steps)
        size = source.width * terms
        super().__init__(
            {"a": In(size), "b": In(size), "c": In(target.width), "o": Out(target.width)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        target = self.target
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        flow.c = self.c
        self._add_products(m, flow)
        self._normalise(flow)

        c = unpack(flow.c, target, flush=self.flush)
        flow.c_sign, flow.c_exponent, flow.c_significand = c.sign, c.exponent, c.significand
        infinity = flow.up | flow.down
        opposite = (flow.up & c.is_infinity & c.sign) | (flow.down & c.is_infinity & ~c.sign)
        flow.nan = flow.any_nan | (flow.up & flow.down) | c.is_nan | opposite
        flow.infinity = infinity | c.is_infinity
        flow.infinity_sign = Mux(infinity, flow.down, c.sign)
        flow.step()
        add_and_round(flow, self.frame, flush=self.flush)
        m.d.comb += self.o.eq(flow.result)
        return m

    def _add_products(self, m: Module, flow: Any) -> None:
        """Set ``total``, in units of the smallest product, and what the products were."""
        source, terms = self.source, range(self.terms)
        bits = source.fraction_bits + 1
        # Registers of the multipliers; the exponents pass as many on the way.
        stages = flow.registers(MULTIPLY_STEPS)
        products: list[Value] = []
        signs: list[Value] = []
        up: list[Value] = []
        down: list[Value] = []
        nan: list[Value] = []
        for k in terms:
            part = slice(k * source.width, (k + 1) * source.width)
            a = unpack(self.a[part], source, flush=self.flush)
            b = unpack(self.b[part], source, flush=self.flush)
            m.submodules[f"product_{k}"] = multiplier = Multiplier(
                a_width=bits, b_width=bits, signed=False, stages=stages
            )
            m.d.comb += [multiplier.a.eq(a.significand), multiplier.b.eq(b.significand)]
            products.append(multiplier.p)
            sign = a.sign ^ b.sign
            infinity = a.is_infinity | b.is_infinity
            signs.append(sign)
            up.append(infinity & ~sign)
            down.append(infinity & sign)
            nan.append(a.is_nan | b.is_nan | (infinity & (a.is_zero | b.is_zero)))
            # Both are at least 1.
            setattr(flow, f"up_by_{k}", (a.exponent + b.exponent - 2)[: source.exponent_bits + 1])
        flow.signs, flow.ups, flow.downs, flow.nans = Cat(signs), Cat(up), Cat(down), Cat(nan)
        flow.step()
        flow.up, flow.down, flow.any_nan = flow.ups.any(), flow.downs.any(), flow.nans.any()
        flow.all_negative = flow.signs.all()
        for _ in range(MULTIPLY_STEPS - 1):
            flow.step()

        for k in terms:
            setattr(flow, f"term_{k}", products[k])
        half = (source.exponent_bits + 1) // 2
        for low, high in ((half, source.exponent_bits + 1), (0, half)):
            for k in terms:
                value, by = getattr(flow, f"term_{k}"), getattr(flow, f"up_by_{k}")
                setattr(flow, f"term_{k}", value << (by[low:high] << low))
            flow.step()
        for k in terms:
            value = getattr(flow, f"term_{k}")[: self.width]
            setattr(flow, f"part_{k}", Mux(flow.signs[k], -value, value))
        flow.step()

        count = self.terms
        for _ in range(self.depth):
            for k in range(count // 2):
                pair = (getattr(flow, f"part_{j}") for j in (2 * k, 2 * k + 1))
                setattr(flow, f"next_{k}", sum(pair, Const(0, 1)))
            if count % 2:
                setattr(flow, f"next_{count // 2}", getattr(flow, f"part_{count - 1}"))
            count -= count // 2
            for k in range(count):
                setattr(flow, f"part_{k}", getattr(flow, f"next_{k}"))
            flow.step()
        flow.total = flow.part_0[: self.width + 1].as_signed()

    def _normalise(self, flow: Any) -> None:
        """Set what :func:`add_and_round` asks of a product."""
        negative = flow.total[-1]
        flow.magnitude = Mux(negative, -flow.total, flow.total)[: self.width]
        flow.p_zero = ~flow.total.any()
        flow.p_sign = Mux(flow.p_zero, flow.all_negative, negative)
        flow.step()

        shift_up(flow)
        flow.p_significand = flow.magnitude
        lowest = 2 * (self.source.min_exponent - self.source.fraction_bits)
        flow.p_exponent = Const(lowest + self.width - 1 + self.target.bias) - flow.zeros
