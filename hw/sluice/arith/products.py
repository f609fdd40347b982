"""The sum of products of narrow floating-point numbers, exact, in fixed point."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Value

from sluice.arith.floats import unpack
from sluice.arith.multiplier import Multiplier
from sluice.formats import Float

__all__ = ["MULTIPLY_STEPS", "add_products", "products_steps", "sum_parts", "sum_width"]

MULTIPLY_STEPS = 3
SHIFT_STEPS = 2


def sum_width(formats: tuple[Float, Float], terms: int) -> int:
    """Return the bits of the largest sum of ``terms`` products, in units of the smallest one."""
    largest = [int(f.max / f.smallest) for f in formats]
    return (terms * largest[0] * largest[1]).bit_length()


def products_steps(terms: int) -> int:
    """Return the steps that :func:`add_products` ends."""
    return MULTIPLY_STEPS + SHIFT_STEPS + 1 + (terms - 1).bit_length()


def add_products(
    m: Module,
    flow: Any,
    a_words: Value,
    b_words: Value,
    *,
    formats: tuple[Float, Float],
    terms: int,
    width: int,
    flush: bool,
) -> None:
    """Set what the products of ``terms`` pairs of words come to, the first ones in the low bits.

    - ``total``, signed, in units of the smallest product; ``width`` bits hold its magnitude;
    - ``up``, ``down`` and ``any_nan``: some product is an infinity of either sign, or NaN;
    - ``all_negative``: all products have that sign.
    """
    a_format, b_format = formats
    exponent_bits = max(f.exponent_bits for f in formats)
    # Registers of the multipliers; the exponents pass as many on the way.
    stages = flow.registers(MULTIPLY_STEPS)
    products: list[Value] = []
    signs: list[Value] = []
    up: list[Value] = []
    down: list[Value] = []
    nan: list[Value] = []
    for k in range(terms):
        a = unpack(a_words.word_select(k, a_format.width), a_format, flush=flush)
        b = unpack(b_words.word_select(k, b_format.width), b_format, flush=flush)
        m.submodules[f"product_{k}"] = multiplier = Multiplier(
            a_width=len(a.significand), b_width=len(b.significand), signed=False, stages=stages
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
        setattr(flow, f"up_by_{k}", (a.exponent + b.exponent - 2)[: exponent_bits + 1])
    flow.signs, flow.ups, flow.downs, flow.nans = Cat(signs), Cat(up), Cat(down), Cat(nan)
    flow.step()
    flow.up, flow.down, flow.any_nan = flow.ups.any(), flow.downs.any(), flow.nans.any()
    flow.all_negative = flow.signs.all()
    for _ in range(MULTIPLY_STEPS - 1):
        flow.step()

    for k in range(terms):
        setattr(flow, f"term_{k}", products[k])
    half = (exponent_bits + 1) // 2
    for low, high in ((half, exponent_bits + 1), (0, half)):
        for k in range(terms):
            value, by = getattr(flow, f"term_{k}"), getattr(flow, f"up_by_{k}")
            setattr(flow, f"term_{k}", value << (by[low:high] << low))
        flow.step()
    for k in range(terms):
        value = getattr(flow, f"term_{k}")[:width]
        setattr(flow, f"part_{k}", Mux(flow.signs[k], -value, value))
    flow.step()

    sum_parts(flow, terms)
    flow.total = flow.part_0[: width + 1].as_signed()


def sum_parts(flow: Any, count: int) -> None:
    """Add ``part_0`` and as many as there are, in a tree, into ``part_0``; a step per level."""
    for _ in range((count - 1).bit_length()):
        for k in range(count // 2):
            pair = (getattr(flow, f"part_{j}") for j in (2 * k, 2 * k + 1))
            setattr(flow, f"next_{k}", sum(pair, Const(0, 1)))
        if count % 2:
            setattr(flow, f"next_{count // 2}", getattr(flow, f"part_{count - 1}"))
        count -= count // 2
        for k in range(count):
            setattr(flow, f"part_{k}", getattr(flow, f"next_{k}"))
        flow.step()
