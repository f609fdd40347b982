"""The sum of products of narrow floating-point numbers, exact, in fixed point."""

from fractions import Fraction
from typing import Any

from amaranth import Cat, Const, Module, Mux, Value

from sluice.arith.floats import unpack
from sluice.arith.multiplier import Multiplier
from sluice.formats import Float

__all__ = ["MULTIPLY_STEPS", "add_products", "products_steps", "sum_parts", "sum_unit", "sum_width"]

MULTIPLY_STEPS = 3
SHIFT_STEPS = 2


def sum_unit(formats: tuple[Float, Float], addend: Float | None = None) -> int:
    """Return the exponent of the smallest product, or of the smallest addend if that is less."""
    product = sum(f.min_exponent - f.fraction_bits for f in formats)
    return min(product, addend.min_exponent - addend.fraction_bits) if addend else product


def sum_width(formats: tuple[Float, Float], terms: int, addend: Float | None = None) -> int:
    """Return the bits of the largest sum of ``terms`` products, and an addend, in its units."""
    largest = terms * formats[0].max * formats[1].max + (addend.max if addend else 0)
    return int(largest / Fraction(2) ** sum_unit(formats, addend)).bit_length()


def products_steps(terms: int) -> int:
    """Return the steps that :func:`add_products` ends, for ``terms`` with the addend."""
    return MULTIPLY_STEPS + SHIFT_STEPS + (terms - 1).bit_length()


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
    addend: tuple[Value, Float] | None = None,
) -> None:
    """Set what the products of ``terms`` pairs of words come to, the first ones in the low bits.

    With an ``addend``, a word and its format, that is one more term.

    - ``total``, signed, in units of :func:`sum_unit`; ``width`` bits hold its magnitude;
    - ``up``, ``down`` and ``any_nan``: some term is an infinity of either sign, or NaN;
    - ``all_negative``: all terms have that sign.
    """
    a_format, b_format = formats
    # Of the longest shift.
    exponent_bits = 1 + max(f.exponent_bits for f in formats)
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
        setattr(flow, f"up_by_{k}", (a.exponent + b.exponent - 2)[:exponent_bits])
    if addend:
        c = unpack(addend[0], addend[1], flush=flush)
        flow.addend, flow.addend_up = c.significand, (c.exponent - 1)[: len(c.exponent)]
        signs.append(c.sign)
        up.append(c.is_infinity & ~c.sign)
        down.append(c.is_infinity & c.sign)
        nan.append(c.is_nan)
    flow.signs, flow.ups, flow.downs, flow.nans = Cat(signs), Cat(up), Cat(down), Cat(nan)
    flow.step()
    flow.up, flow.down, flow.any_nan = flow.ups.any(), flow.downs.any(), flow.nans.any()
    flow.all_negative = flow.signs.all()
    for _ in range(MULTIPLY_STEPS - 1):
        flow.step()

    unit = sum_unit(formats, addend[1] if addend else None)
    below = [sum_unit(formats) - unit] * terms
    if addend:
        number = addend[1]
        products.append(flow.addend)
        below.append(number.min_exponent - number.fraction_bits - unit)
        setattr(flow, f"up_by_{terms}", flow.addend_up)
        exponent_bits = max(exponent_bits, number.exponent_bits)
        terms += 1
    # Signs come first, where words are short.
    for k in range(terms):
        value = Cat(Const(0, below[k]), products[k], Const(0, 1))
        setattr(flow, f"term_{k}", Mux(flow.signs[k], -value, value)[: len(value)].as_signed())
    half = exponent_bits // 2
    for low, high in ((half, exponent_bits), (0, half)):
        for k in range(terms):
            value, by = getattr(flow, f"term_{k}"), getattr(flow, f"up_by_{k}")
            setattr(flow, f"term_{k}", value << (by[low:high] << low))
        flow.step()
    for k in range(terms):
        setattr(flow, f"part_{k}", getattr(flow, f"term_{k}")[: width + 1].as_signed())
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
