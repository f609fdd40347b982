"""The exact product of two floating-point numbers."""

from amaranth import Module, Mux, Value

from sluice.arith.floats import leading_zeros, unpack
from sluice.arith.flow import Flow
from sluice.arith.multiplier import Multiplier
from sluice.formats import Float

__all__ = ["PRODUCT_STEPS", "multiply"]

# Steps that `multiply` ends.
PRODUCT_STEPS = 3


def multiply(
    m: Module,
    flow: Flow,
    a_word: Value,
    b_word: Value,
    *,
    source: Float,
    target: Float,
    flush: bool,
) -> None:
    """Set, three steps later, what the product is.

    - ``p_sign``, ``p_zero``, ``p_infinity``, ``p_nan``;
    - ``p_exponent``, signed, biased as the target is;
    - ``p_significand`` of ``2 * source.fraction_bits + 2`` bits, in [1, 4) or zero.

    Subnormal factors are multiplied as they are, while their leading zeros are counted; the product
    is then brought to [1, 4). Where two subnormal factors make a product so small that only its
    sign can matter, one count serves for both, and the product may stay below that.
    """
    a, b = unpack(a_word, source, flush=flush), unpack(b_word, source, flush=flush)
    bits = source.fraction_bits + 1
    m.submodules.multiplier = multiplier = Multiplier(
        a_width=bits, b_width=bits, signed=False, stages=flow.registers(PRODUCT_STEPS)
    )
    m.d.comb += [multiplier.a.eq(a.significand), multiplier.b.eq(b.significand)]

    # What the operands are, while the multiplier works.
    flow.a_exponent, flow.b_exponent = a.exponent, b.exponent
    if not flush:
        flow.a_zeros = Mux(a.is_subnormal, leading_zeros(a.significand), 0)
        flow.b_zeros = Mux(b.is_subnormal, leading_zeros(b.significand), 0)
    flow.p_sign = a.sign ^ b.sign
    flow.p_zero = a.is_zero | b.is_zero
    flow.p_infinity = a.is_infinity | b.is_infinity
    flow.p_nan = a.is_nan | b.is_nan | (a.is_infinity & b.is_zero) | (a.is_zero & b.is_infinity)
    flow.step()

    alone = 2 * source.min_exponent <= target.min_exponent - target.fraction_bits - 3
    flow.exponents = flow.a_exponent + flow.b_exponent
    if not flush:
        flow.zeros = flow.a_zeros | flow.b_zeros if alone else flow.a_zeros + flow.b_zeros
    flow.step()

    bias = target.bias - 2 * source.bias
    flow.p_exponent = flow.exponents + bias - (0 if flush else flow.zeros)
    flow.step()

    if flush:
        flow.p_significand = Mux(flow.p_zero, 0, multiplier.p)
    else:
        flow.p_significand = (multiplier.p << flow.zeros)[: 2 * bits]
