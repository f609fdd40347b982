"""The golden arithmetic against SoftFloat, hardware, libm, gfloat, ml_dtypes and exact fractions.

References
----------
- Berkeley SoftFloat: fp16 and fp32, every operation it has.
- The processor's own fp32 arithmetic (NumPy) and fused multiply-add (libm).
- float64: products of all formats are exact in it. A sum is rounded to odd in it, from the error
  that Knuth's two-sum finds; that rounds again to any format of at most 51 bits as the exact sum
  does (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008). gfloat, or the
  processor for fp32, then does the one rounding that counts.
- A float64 quotient is rounded twice, innocently: a quotient of p-bit significands that is not
  halfway between two q-bit numbers is at least ``2**-(p + q + 1)`` of its size from halfway, and
  ``p + q + 1`` is at most 11 + 24 + 1 here, well below 53.
- Integer square roots and fractions, exact, for roots and long sums.
"""

import ctypes
import ctypes.util
import itertools
import math
from fractions import Fraction
from typing import Any

import gfloat
import ml_dtypes
import numpy as np
import pytest
import softfloatpy
from gfloat import Domain, FormatInfo, RoundMode
from gfloat.formats import (
    format_info_bfloat16,
    format_info_binary16,
    format_info_binary32,
    format_info_mxfp8_e4m3,
    format_info_mxfp8_e5m2,
    format_info_mxint8,
    format_info_ocp_e4m3,
    format_info_ocp_e5m2,
)

from sluice_sim.golden.arith import (
    add,
    divide,
    multiply,
    multiply_add,
    reciprocal_square_root,
    square_root,
)
from sluice_sim.golden.arith_compare import compare, maximum, minimum
from sluice_sim.golden.arith_convert import convert, mx_dequantize, mx_quantize
from sluice_sim.golden.arith_exact import Kulisch, dot, kulisch_add, kulisch_round
from sluice_sim.golden.formats import FloatFormat, decode, find_format

TF32 = FormatInfo(
    "tf32",
    19,
    11,
    bias=127,
    is_signed=True,
    domain=Domain.Extended,
    has_nz=True,
    num_high_nans=2**10 - 1,
    has_subnormals=True,
    is_twos_complement=False,
)
GFLOAT = {
    "fp32": format_info_binary32,
    "tf32": TF32,
    "bf16": format_info_bfloat16,
    "fp16": format_info_binary16,
    "fp8_e4m3": format_info_ocp_e4m3,
    "fp8_e5m2": format_info_ocp_e5m2,
}
# fmt: off
NAN = {
    "fp32": 0x7FC00000, "tf32": 0x3FE00, "bf16": 0x7FC0, "fp16": 0x7E00,
    "fp8_e4m3": 0x7F, "fp8_e5m2": 0x7E,
}
# Of E4M3, where the patterns above the largest value begin.
INFINITY = {
    "fp32": 0x7F800000, "tf32": 0x3FC00, "bf16": 0x7F80, "fp16": 0x7C00,
    "fp8_e4m3": 0x7F, "fp8_e5m2": 0x7C,
}
ML_DTYPES = {"fp8_e4m3": ml_dtypes.float8_e4m3fn, "fp8_e5m2": ml_dtypes.float8_e5m2}
# Formats of a, b and of c and the result.
FUSED = [
    ("bf16", "fp32"), ("fp8_e4m3", "fp32"), ("fp8_e5m2", "fp32"), ("fp16", "fp32"),
    ("tf32", "fp32"), ("fp32", "fp32"), ("fp16", "fp16"), ("bf16", "bf16"),
    ("fp8_e4m3", "bf16"), ("fp8_e5m2", "fp16"), ("fp8_e4m3", "fp8_e4m3"),
]
# fmt: on
FP8 = ("fp8_e4m3", "fp8_e5m2")
FORMATS = tuple(GFLOAT)
COUNT = 20_000
LONG = 10**7
LONG_CHUNK = 500_000


def width(name):
    return GFLOAT[name].k


def fraction_bits(name):
    return GFLOAT[name].precision - 1


def negated(codes, name):
    return codes ^ (1 << width(name) - 1)


def canonical(codes, name):
    codes = np.asarray(codes).astype(np.int64)
    magnitude = codes & ((1 << width(name) - 1) - 1)
    is_nan = magnitude >= INFINITY[name] + (name != "fp8_e4m3")
    return np.where(is_nan, NAN[name], codes)


def assert_same(ours, theirs, *operands):
    assert ours.dtype == np.uint64
    ours, theirs, *operands = np.broadcast_arrays(ours.astype(np.int64), theirs, *operands)
    wrong = np.argwhere(ours != theirs)
    assert not wrong.size, [
        (*(hex(x[*i]) for x in operands), f"{ours[*i]:#x} not {theirs[*i]:#x}") for i in wrong[:5]
    ]


# ------------------------------------------------------------------------------------- vectors


def specials(name):
    normal, inf, bias = 1 << fraction_bits(name), INFINITY[name], GFLOAT[name].bias
    one = bias * normal
    positive = [0, 1, 2, normal // 2, normal - 1, normal, normal + 1, one - 1, one, one + 1]
    positive += [one + normal // 2, one + normal, inf - normal, inf - 2, inf - 1, inf, NAN[name]]
    # A signalling NaN, and all ones; E4M3 has but one NaN.
    positive += [inf + (inf < NAN[name]), (1 << width(name) - 1) - 1]
    codes = np.array(positive)
    return np.concatenate([codes, negated(codes, name)])


def crossed(*lists):
    return [x.reshape(-1) for x in np.meshgrid(*lists, indexing="ij")]


def all_pairs(name):
    codes = np.arange(1 << width(name))
    return crossed(codes, codes)


def with_exponent(rng, name, exponent):
    """Return patterns with the given exponent fields, where the format has them."""
    m = fraction_bits(name)
    exponent = np.clip(exponent, 0, (INFINITY[name] - 1) >> m)
    fraction = rng.integers(0, 1 << m, exponent.size)
    # Every other fraction has few bits set: those meet ties.
    sparse = fraction & rng.integers(0, 1 << m, exponent.size)
    sparse &= rng.integers(0, 1 << m, exponent.size)
    fraction = np.where(rng.random(exponent.size) < 0.5, fraction, sparse)
    return exponent << m | fraction | rng.integers(0, 2, exponent.size) << width(name) - 1


def patterns(rng, name, count):
    """Return uniform patterns, all exponents with sparse fractions, and subnormals."""
    exponents = rng.integers(0, (INFINITY[name] >> fraction_bits(name)) + 1, count)
    kinds = [
        rng.integers(0, 1 << width(name), count),
        with_exponent(rng, name, exponents),
        with_exponent(rng, name, rng.integers(0, 2, count)),
    ]
    return np.choose(rng.choice(3, count, p=[0.4, 0.45, 0.15]), kinds)


def pairs(rng, name, count):
    """Return operands: unrelated, close in exponent, cancelling, near the ends, and specials."""
    m, bias = fraction_bits(name), GFLOAT[name].bias
    a = patterns(rng, name, count)
    exponent = a >> m & ((1 << GFLOAT[name].expBits) - 1)
    top = INFINITY[name] >> m
    kinds = [
        patterns(rng, name, count),
        with_exponent(rng, name, exponent + rng.integers(-m - 3, m + 4, count)),
        negated(a, name) ^ rng.integers(0, 4, count),
        # Products, then quotients, near the largest and the smallest value.
        with_exponent(rng, name, top + bias - exponent + rng.integers(-2, 2, count)),
        with_exponent(rng, name, bias - exponent + rng.integers(-m - 3, 4, count)),
        with_exponent(rng, name, exponent - top + bias + rng.integers(-2, 3, count)),
        with_exponent(rng, name, exponent + bias + rng.integers(-3, m + 3, count)),
    ]
    b = np.choose(rng.choice(7, count, p=[0.2, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1]), kinds)
    edge_a, edge_b = crossed(specials(name), specials(name))
    return np.concatenate([a, edge_a]), np.concatenate([b, edge_b])


def triples(rng, source, addend, count):
    """Return operands of a fused multiply-add, many with the product close to the addend."""
    a, b = (x[:count] for x in pairs(rng, source, count))
    m = fraction_bits(addend)
    with np.errstate(invalid="ignore"):
        near = rounded(decode(a, source) * decode(b, source), addend)
    exponent = near >> m & ((1 << GFLOAT[addend].expBits) - 1)
    kinds = [
        patterns(rng, addend, count),
        with_exponent(rng, addend, exponent + rng.integers(-2 * m - 4, 2 * m + 5, count)),
        with_exponent(rng, addend, exponent + rng.integers(-2, 3, count)),
        negated(near, addend) ^ rng.integers(0, 4, count),
        negated(near, addend),
    ]
    c = np.choose(rng.choice(5, count, p=[0.2, 0.3, 0.2, 0.2, 0.1]), kinds)
    edges = crossed(specials(source), specials(source), specials(addend))
    return [np.concatenate(both) for both in zip((a, b, c), edges, strict=True)]


# ---------------------------------------------------------------------------------- references


def softfloat(operation, name, *operands):
    """Return patterns; ``operation`` as SoftFloat calls it."""
    kind = {"fp16": softfloatpy.Float16, "fp32": softfloatpy.Float32}[name]
    size = width(name) // 8
    words = []
    for codes in operands:
        data = codes.astype(f">u{size}").tobytes()
        words.append([kind.from_bytes(data[i : i + size]) for i in range(0, len(data), size)])
    function = getattr(softfloatpy, f"f{width(name)}_{operation}")
    if operation in ("lt", "le", "eq"):
        return np.array(list(map(function, *words)))
    data = b"".join([x.to_bytes() for x in map(function, *words)])
    return canonical(np.frombuffer(data, f">u{size}"), name)


def as_float32(codes):
    return codes.astype(np.uint32).view(np.float32)


def from_float32(values):
    return canonical(values.astype(np.float32).view(np.uint32), "fp32")


@np.errstate(all="ignore")
def rounded(values, name, saturate=False):
    """Return patterns of float64 values that are exact, or were rounded to odd."""
    if name == "fp32" and not saturate:
        return from_float32(values)
    out = gfloat.round_ndarray(GFLOAT[name], values, RoundMode.TiesToEven, saturate)
    # What gfloat gives for a NaN is some pattern; it is NaN that counts.
    codes = gfloat.encode_ndarray(GFLOAT[name], out).astype(np.int64)
    return np.where(np.isnan(out), NAN[name], codes)


@np.errstate(all="ignore")
def flushed(values, name):
    """As `rounded`, rounding to the precision first and then looking at the size."""
    fraction, exponent = np.frexp(values)
    p = GFLOAT[name].precision
    normal = np.ldexp(np.rint(np.ldexp(fraction, p)), exponent - p)
    small = np.abs(normal) < GFLOAT[name].smallest_normal
    zero = np.where(np.signbit(values), 1 << width(name) - 1, 0)
    return np.where(small, zero, rounded(values, name))


def without_subnormals(values, name):
    small = np.abs(values) < GFLOAT[name].smallest_normal
    return np.where(small, np.copysign(0.0, values), values)


@np.errstate(all="ignore")
def odd_sum(x, y):
    """Return ``x + y`` of float64 rounded to odd."""
    total = x + y
    back = total - x
    error = (x - (total - back)) + (y - back)
    even = total.view(np.int64) & 1 == 0
    inexact = np.isfinite(total) & (error != 0) & even
    return np.where(inexact, np.nextafter(total, np.copysign(np.inf, error)), total)


def exactly_rounded(value: Fraction, name):
    """Return the pattern of a fraction that is not zero, by integer division."""
    fmt = GFLOAT[name]
    magnitude = abs(value)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < Fraction(2) ** exponent
    exponent = max(exponent, 1 - fmt.bias)
    count = round(magnitude / Fraction(2) ** (exponent - fraction_bits(name)))
    code = ((exponent + fmt.bias - 1) << fraction_bits(name)) + count
    if code >= INFINITY[name]:
        code = INFINITY[name]
        if name == "fp8_e4m3":
            return code
    return code | (value < 0) << width(name) - 1


def root_code(code, source, target, reciprocal):
    """Return the pattern of the root of one pattern, from a square root of integers."""
    value = float(decode(np.array([code]), source)[0])
    infinite = INFINITY[target]
    if math.isnan(value):
        return NAN[target]
    if value == 0 and reciprocal:
        sign = math.copysign(1.0, value) < 0 and target != "fp8_e4m3"
        return infinite | sign << width(target) - 1
    if value == 0:
        return (math.copysign(1.0, value) < 0) << width(target) - 1
    if value < 0:
        return NAN[target]
    if math.isinf(value):
        return 0 if reciprocal else infinite
    square = 1 / Fraction(value) if reciprocal else Fraction(value)
    # 2**200 leaves more than 100 bits of any root; one more bit says whether there is a rest.
    scaled = square * 2**400
    root = math.isqrt(math.floor(scaled))
    return exactly_rounded(Fraction(2 * root + (root * root != scaled), 2**201), target)


# -------------------------------------------------------------------------- SoftFloat, hardware


@pytest.mark.parametrize("name", ["fp16", "fp32"])
def test_two_operands_against_softfloat(name):
    a, b = pairs(np.random.default_rng(1), name, COUNT)
    assert_same(multiply(a, b, source=name), softfloat("mul", name, a, b), a, b)
    assert_same(add(a, b, source=name), softfloat("add", name, a, b), a, b)
    assert_same(add(a, b, source=name, subtract=True), softfloat("sub", name, a, b), a, b)
    assert_same(divide(a, b, source=name), softfloat("div", name, a, b), a, b)
    order = compare(a, b, source=name)
    assert np.array_equal(order.less, softfloat("lt", name, a, b))
    assert np.array_equal(order.equal, softfloat("eq", name, a, b))
    assert np.array_equal(order.less | order.equal, softfloat("le", name, a, b))


@pytest.mark.parametrize("name", ["fp16", "fp32"])
def test_square_root_against_softfloat(name):
    a = np.arange(1 << 16) if name == "fp16" else patterns(np.random.default_rng(2), name, COUNT)
    a = np.concatenate([a, specials(name)])
    assert_same(square_root(a, source=name), softfloat("sqrt", name, a), a)


@pytest.mark.parametrize("name", ["fp16", "fp32"])
def test_multiply_add_against_softfloat(name):
    a, b, c = triples(np.random.default_rng(3), name, name, COUNT)
    ours = multiply_add(a, b, c, source=name, addend=name)
    assert_same(ours, softfloat("mul_add", name, a, b, c), a, b, c)


@np.errstate(all="ignore")
def check_fp32_against_hardware(rng, count):
    a, b = pairs(rng, "fp32", count)
    x, y = as_float32(a), as_float32(b)
    assert_same(multiply(a, b, source="fp32"), from_float32(x * y), a, b)
    assert_same(add(a, b, source="fp32"), from_float32(x + y), a, b)
    assert_same(add(a, b, source="fp32", subtract=True), from_float32(x - y), a, b)
    assert_same(divide(a, b, source="fp32"), from_float32(x / y), a, b)
    assert_same(square_root(a, source="fp32"), from_float32(np.sqrt(x)), a)


def test_fp32_against_hardware():
    check_fp32_against_hardware(np.random.default_rng(4), 200_000)


def fmaf(a, b, c):
    path = ctypes.util.find_library("m")
    if path is None:
        pytest.skip("there is no libm")
    function = ctypes.CDLL(path).fmaf
    function.argtypes, function.restype = [ctypes.c_float] * 3, ctypes.c_float
    operands = (as_float32(x).tolist() for x in (a, b, c))
    return from_float32(np.array(list(map(function, *operands))))


def test_multiply_add_against_libm():
    a, b, c = triples(np.random.default_rng(5), "fp32", "fp32", COUNT)
    assert_same(multiply_add(a, b, c, source="fp32", addend="fp32"), fmaf(a, b, c), a, b, c)


# ------------------------------------------------------------------------------- every fp8 pair


@pytest.mark.parametrize("name", FP8)
@pytest.mark.parametrize("target", ["same", "fp32"])
def test_every_fp8_pair(name, target):
    target = name if target == "same" else target
    a, b = all_pairs(name)
    x, y = decode(a, name), decode(b, name)
    # Sums span 33 bits, so that float64 holds them as well as products.
    with np.errstate(all="ignore"):
        exact = {multiply: x * y, add: x + y, divide: x / y}
        difference = x - y
    for function, values in exact.items():
        ours = function(a, b, source=name, target=target)
        assert_same(ours, rounded(values, target), a, b)
        held = function(a, b, source=name, target=target, saturate=True)
        assert_same(held, rounded(values, target, saturate=True), a, b)
    ours = add(a, b, source=name, target=target, subtract=True)
    assert_same(ours, rounded(difference, target), a, b)


@pytest.mark.parametrize("name", FP8)
def test_every_fp8_pair_against_ml_dtypes(name):
    """It computes in fp32, whose 24 bits are enough to round twice: ``24 >= 2 * 4 + 2``."""
    a, b = all_pairs(name)
    x: Any
    y: Any
    x, y = (z.astype(np.uint8).view(ML_DTYPES[name]) for z in (a, b))
    with np.errstate(all="ignore"):
        theirs = {multiply: x * y, add: x + y, divide: x / y}
    for function, values in theirs.items():
        expected = canonical(values.view(np.uint8), name)
        assert_same(function(a, b, source=name), expected, a, b)


def check_order(a, b, name):
    order = compare(a, b, source=name)
    x, y = decode(a, name), decode(b, name)
    assert np.array_equal(order.less, x < y)
    assert np.array_equal(order.equal, x == y)
    assert np.array_equal(order.greater, x > y)
    assert np.array_equal(order.unordered, np.isnan(x) | np.isnan(y))
    assert (np.sum(order, axis=0) == 1).all()


def check_extremes(a, b, name):
    """NumPy says which value, and whether NaN; of two zeros the signs are combined here."""
    x, y = decode(a, name), decode(b, name)
    zeros = (x == 0) & (y == 0)
    sign = 1 << width(name) - 1
    for function, numpy_function, combine in [
        (maximum, (np.maximum, np.fmax), np.bitwise_and),
        (minimum, (np.minimum, np.fmin), np.bitwise_or),
    ]:
        for number, reference in enumerate(numpy_function):
            expected = np.where(zeros, combine(a, b) & sign, rounded(reference(x, y), name))
            assert_same(function(a, b, source=name, number=bool(number)), expected, a, b)


@pytest.mark.parametrize("name", FORMATS)
def test_order(name):
    a, b = all_pairs(name) if name in FP8 else pairs(np.random.default_rng(6), name, COUNT)
    check_order(a, b, name)
    check_extremes(a, b, name)


@pytest.mark.parametrize("name", FORMATS)
def test_order_with_flush(name):
    """Flushing is the same as replacing subnormal operands by zeros beforehand."""
    a, b = all_pairs(name) if name in FP8 else pairs(np.random.default_rng(7), name, COUNT)
    normal, sign = 1 << fraction_bits(name), 1 << width(name) - 1
    flat_a, flat_b = (np.where(x % sign < normal, x & sign, x) for x in (a, b))
    ours = compare(a, b, source=name, flush=True)
    for mine, other in zip(ours, compare(flat_a, flat_b, source=name), strict=True):
        assert np.array_equal(mine, other)
    for function, number in itertools.product((maximum, minimum), (False, True)):
        mine = function(a, b, source=name, number=number, flush=True)
        other = function(flat_a, flat_b, source=name, number=number)
        assert np.array_equal(mine, other)


def test_order_of_integers():
    a, b = crossed(np.arange(256), np.arange(256))
    x, y = a.astype(np.uint8).view(np.int8), b.astype(np.uint8).view(np.int8)
    check_order(a, b, "int8")
    assert_same(maximum(a, b, source="int8"), np.maximum(x, y).view(np.uint8), a, b)
    assert_same(minimum(a, b, source="int8"), np.minimum(x, y).view(np.uint8), a, b)


# ---------------------------------------------------------------------------- float64, to odd


def check_two_operands(rng, name, target, count):
    a, b = pairs(rng, name, count)
    x, y = decode(a, name), decode(b, name)
    with np.errstate(all="ignore"):
        exact = x * y
        assert_same(multiply(a, b, source=name, target=target), rounded(exact, target), a, b)
    ours = add(a, b, source=name, target=target)
    assert_same(ours, rounded(odd_sum(x, y), target), a, b)
    ours = add(a, b, source=name, target=target, subtract=True)
    assert_same(ours, rounded(odd_sum(x, -y), target), a, b)
    return a, b, x, y


# fmt: off
TARGETS = [
    ("bf16", "bf16"), ("bf16", "fp32"), ("bf16", "fp8_e4m3"), ("tf32", "tf32"), ("tf32", "fp32"),
    ("fp16", "fp16"), ("fp16", "bf16"), ("fp16", "fp32"), ("fp16", "fp8_e5m2"),
    ("fp32", "fp32"), ("fp32", "bf16"), ("fp32", "fp16"), ("fp32", "fp8_e4m3"),
]
# fmt: on


@pytest.mark.parametrize(("name", "target"), TARGETS)
def test_two_operands_against_float64(name, target):
    a, b, x, y = check_two_operands(np.random.default_rng(8), name, target, COUNT)
    if name != "fp32":
        with np.errstate(all="ignore"):
            quotient = x / y
        assert_same(divide(a, b, source=name, target=target), rounded(quotient, target), a, b)


@np.errstate(invalid="ignore")
def check_multiply_add(rng, source, addend, target, count):
    a, b, c = triples(rng, source, addend, count)
    exact = odd_sum(decode(a, source) * decode(b, source), decode(c, addend))
    ours = multiply_add(a, b, c, source=source, addend=addend, target=target)
    assert_same(ours, rounded(exact, target or addend), a, b, c)


@pytest.mark.parametrize(("source", "addend"), FUSED)
def test_multiply_add_against_float64(source, addend):
    check_multiply_add(np.random.default_rng(9), source, addend, None, COUNT)


@pytest.mark.parametrize(
    ("source", "target"), [("bf16", "bf16"), ("fp8_e4m3", "fp8_e4m3"), ("fp16", "tf32")]
)
def test_multiply_add_to_another_target(source, target):
    check_multiply_add(np.random.default_rng(10), source, "fp32", target, COUNT)


# ------------------------------------------------------------------------------------- flush


@pytest.mark.parametrize("name", FORMATS)
def test_flush_two_operands(name):
    a, b = all_pairs(name) if name in FP8 else pairs(np.random.default_rng(11), name, COUNT)
    x, y = (without_subnormals(decode(z, name), name) for z in (a, b))
    with np.errstate(all="ignore"):
        exact = {multiply: x * y, add: odd_sum(x, y)}
        if name != "fp32":
            exact[divide] = x / y
    for function, values in exact.items():
        ours = function(a, b, source=name, flush=True)
        assert_same(ours, flushed(values, name), a, b)


@pytest.mark.parametrize(("source", "addend"), FUSED)
def test_flush_multiply_add(source, addend):
    a, b, c = triples(np.random.default_rng(12), source, addend, COUNT)
    x, y = (without_subnormals(decode(z, source), source) for z in (a, b))
    with np.errstate(invalid="ignore"):
        exact = odd_sum(x * y, without_subnormals(decode(c, addend), addend))
    ours = multiply_add(a, b, c, source=source, addend=addend, flush=True)
    assert_same(ours, flushed(exact, addend), a, b, c)


@pytest.mark.parametrize("name", FP8)
def test_flush_roots(name):
    """Roots leave the subnormals by themselves: only operands are flushed."""
    codes = np.arange(256)
    normal, sign = 1 << fraction_bits(name), 128
    flat = np.where(codes % sign < normal, codes & sign, codes)
    for function in (square_root, reciprocal_square_root):
        ours = function(codes, source=name, flush=True)
        assert np.array_equal(ours, function(flat, source=name))


def test_flush_looks_at_the_size_after_rounding_to_the_precision():
    smallest, just_below_one = 0x0080, 0x3F7F
    # Eight bits are exact below the smallest normal; with subnormals it is a tie and rounds up.
    assert multiply(smallest, just_below_one, source="bf16").tolist() == smallest
    assert multiply(smallest, just_below_one, source="bf16", flush=True).tolist() == 0
    # 24 ones below the smallest normal round up to it in eight bits.
    for flush in (False, True):
        got = multiply(0x3F000000, 0x00FFFFFF, source="fp32", target="bf16", flush=flush)
        assert got.tolist() == smallest


# ------------------------------------------------------------------------------------- roots


@pytest.mark.parametrize(
    ("source", "target", "step"),
    [
        *[(name, name, 1) for name in FP8],
        *[(name, "fp32", 1) for name in FP8],
        ("bf16", "bf16", 3),
        ("bf16", "fp32", 9),
        ("fp16", "fp16", 3),
        ("fp16", "fp8_e4m3", 9),
        ("tf32", "tf32", 53),
        ("fp32", "fp32", 0),
        ("fp32", "fp16", 0),
    ],
)
def test_roots_against_integers(source, target, step):
    if step:
        a = np.arange(0, 1 << width(source), step)
    else:
        rng = np.random.default_rng(13)
        # Squares of short numbers and their neighbours: exact roots, and the nearest misses.
        short = from_float32(rng.integers(1, 1 << 12, 2000).astype(np.float64) ** 2)
        near = np.concatenate([short + d for d in (-1, 0, 1)])
        a = np.concatenate([patterns(rng, source, 8000), near])
    a = np.concatenate([a, specials(source)])
    for reciprocal, function in enumerate((square_root, reciprocal_square_root)):
        expected = [root_code(code, source, target, reciprocal) for code in a.tolist()]
        assert_same(function(a, source=source, target=target), np.array(expected), a)


# ---------------------------------------------------------------------------------------- dot


def dot_code(a, b, c, addend):
    """Return the pattern of one sum of finite values."""
    products = zip(a.tolist(), b.tolist(), strict=True)
    total = sum((Fraction(x) * Fraction(y) for x, y in products), Fraction(float(c)))
    if total:
        return exactly_rounded(total, addend)
    all_negative = np.all(np.signbit(a) ^ np.signbit(b)) and np.signbit(c)
    return int(all_negative) << width(addend) - 1


@pytest.mark.parametrize(
    ("source", "addend"),
    [*[(name, "fp32") for name in FORMATS], ("fp8_e4m3", "fp8_e4m3"), ("bf16", "bf16")],
)
@pytest.mark.parametrize("terms", [1, 2, 5, 33])
def test_dot_against_fractions(source, addend, terms):
    rng = np.random.default_rng(terms)
    rows = 1200 // terms + 40
    sign = 1 << width(source) - 1
    a, b = (rng.integers(0, INFINITY[source], (rows, terms)) for _ in range(2))
    c = rng.integers(0, INFINITY[addend], rows)
    # Some rows in a narrow range of exponents, some whose halves cancel, some with c far below.
    for x in (a, b):
        flat = with_exponent(rng, source, rng.integers(0, 4, rows * terms) + 5) % sign
        x[::3] = flat.reshape(rows, terms)[::3]
    c[::3] = rng.integers(0, INFINITY[addend] // 8, c[::3].size)
    signs = rng.integers(0, 2, (rows, terms)) * sign
    half = terms // 2
    a[1::3, half : 2 * half] = a[1::3, :half]
    b[1::3, half : 2 * half] = b[1::3, :half]
    signs[1::3, half : 2 * half] = sign - signs[1::3, :half]
    a += signs
    c += rng.integers(0, 2, rows) << width(addend) - 1
    x, y, z = decode(a, source), decode(b, source), decode(c, addend)
    ours = dot(a, b, c, source=source, addend=addend)
    assert ours.shape == (rows,)
    expected = [dot_code(*row, addend) for row in zip(x, y, z, strict=True)]
    assert_same(ours, np.array(expected))


@pytest.mark.parametrize(("source", "addend"), FUSED)
def test_dot_of_one_term_is_multiply_add(source, addend):
    a, b, c = triples(np.random.default_rng(14), source, addend, 3000)
    options: dict[str, Any]
    for options in ({}, {"flush": True}, {"saturate": True}):
        one = dot(a[:, None], b[:, None], c, source=source, addend=addend, **options)
        other = multiply_add(a, b, c, source=source, addend=addend, **options)
        assert_same(one, other.astype(np.int64), a, b, c)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_dot_specials(position):
    one, inf, minus_inf, nan, zero = 0x3C, 0x7C, 0xFC, 0x7D, 0

    def run(*factors, c=0x3F800000):
        """Each pair stands at ``position`` and after it, among ones."""
        a, b = [one] * 5, [one] * 5
        for i, (x, y) in enumerate(factors):
            a[position + i], b[position + i] = x, y
        return int(dot([a], [b], [c], source="fp8_e5m2", addend="fp32")[0])

    assert run() == 0x40C00000
    assert run((inf, one)) == 0x7F800000
    assert run((minus_inf, one)) == 0xFF800000
    assert run((minus_inf, minus_inf)) == 0x7F800000
    assert run((inf, one), (inf, one)) == 0x7F800000
    assert run((inf, one), (minus_inf, one)) == 0x7FC00000
    assert run((inf, one), c=0xFF800000) == 0x7FC00000
    assert run((inf, zero)) == 0x7FC00000
    assert run((nan, zero)) == 0x7FC00000
    assert run(c=0xFFC00001) == 0x7FC00000
    assert run(c=0xFF800000) == 0xFF800000


def test_dot_zeros():
    minus, plus = 0x80, 0x00

    def run(a, c):
        ones = np.full(len(a), 0x38)
        return int(dot(np.array(a, int), ones, c, source="fp8_e4m3", addend="fp32"))

    assert run([minus, minus], 1 << 31) == 1 << 31
    assert run([minus, plus], 1 << 31) == 0
    assert run([minus, minus], 0) == 0
    assert run([0x38, 0xB8], 1 << 31) == 0
    assert run([], 1 << 31) == 1 << 31
    assert run([], 0x3F800000) == 0x3F800000


def test_dot_overflows_once():
    """The largest values cancel although their partial sums are beyond the format."""
    top = 0x7F7F
    a, b = [[top, top, top | 0x8000, top | 0x8000, 1]], [[top, top, top, top, 0x3F80]]
    assert dot(a, b, [0], source="bf16", addend="bf16").tolist() == [1]
    assert dot(a[0][:1], b[0][:1], 0, source="bf16", addend="bf16").tolist() == 0x7F80
    kept = dot(a[0][:1], b[0][:1], 0, source="bf16", addend="bf16", saturate=True)
    assert kept.tolist() == top


# ------------------------------------------------------------------------------------ Kulisch


@pytest.mark.parametrize(("name", "lsb", "bits"), [("fp8_e4m3", -18, 37), ("fp8_e5m2", -32, 65)])
def test_kulisch_layout(name, lsb, bits):
    assert (Kulisch(name).lsb, Kulisch(name).width) == (lsb, bits)
    unit, top = Fraction(2) ** lsb, Fraction(GFLOAT[name].max) ** 2
    for terms in (1, 2, 3, 100, 1 << 20):
        layout = Kulisch(name, terms)
        assert (2 ** (layout.width - 1) - 1) * unit >= terms * top
        assert (2 ** (layout.width - 2) - 1) * unit < terms * top
    assert Fraction(GFLOAT[name].smallest_subnormal) ** 2 == unit


@pytest.mark.parametrize("name", FP8)
@pytest.mark.parametrize("dtype", [np.int64, object])
def test_kulisch_against_fractions(name, dtype):
    a, b = all_pairs(name)
    x, y = decode(a, name), decode(b, name)
    with np.errstate(invalid="ignore"):
        fine = np.isfinite(x * y) & (np.abs(x * y) < 2.0**29)
    a, b, x, y = (z[fine] for z in (a, b, x, y))
    lsb = Kulisch(name).lsb
    start = np.zeros(a.shape, dtype)
    acc = kulisch_add(start, a, b, source=name)
    assert acc.dtype == dtype
    assert acc.tolist() == [int(v) for v in np.ldexp(x * y, -lsb)]
    # Each product meets another of the list.
    acc = kulisch_add(acc, a[::-1], b[::-1], source=name)
    exact = odd_sum(x * y, (x * y)[::-1])
    for target in ("fp32", "bf16", name):
        # A sum of zeros has no sign in fixed point.
        expected = np.where(exact == 0, 0, rounded(exact, target))
        assert_same(kulisch_round(acc, source=name, target=target), expected, a, b)


@pytest.mark.parametrize("name", FP8)
def test_kulisch_sums_of_every_size(name):
    rng = np.random.default_rng(15)
    sums = [
        sign * ((1 << n) + int(rng.integers(-2, 3)) * (1 << max(n - k, 0)))
        for n in range(1, 200)
        for k in (8, 24, 25, 30, 90)
        for sign in (-1, 1)
    ]
    sums = [s for s in sums if s]
    unit = Fraction(2) ** Kulisch(name).lsb
    for target in ("fp32", "fp16", "fp8_e5m2"):
        ours = kulisch_round(np.array(sums, object), source=name, target=target)
        expected = [exactly_rounded(s * unit, target) for s in sums]
        assert_same(ours, np.array(expected))
    short = [s for s in sums if -(2**63) <= s < 2**63]
    short += [-(2**63), 2**63 - 1]
    ours = kulisch_round(np.array(short, np.int64), source=name, target="fp32")
    assert_same(ours, np.array([exactly_rounded(s * unit, "fp32") for s in short]))


def test_kulisch_is_dot():
    rng = np.random.default_rng(16)
    a, b = (rng.integers(0, 0x7C, (500, 20)) | rng.integers(0, 2, (500, 20)) << 7 for _ in "ab")
    acc = np.zeros(500, object)
    for k in range(20):
        acc = kulisch_add(acc, a[:, k], b[:, k], source="fp8_e5m2")
    ours = kulisch_round(acc, source="fp8_e5m2", target="fp32")
    expected = dot(a, b, np.zeros(500, int), source="fp8_e5m2", addend="fp32")
    assert_same(ours, expected.astype(np.int64))


def test_kulisch_overflow():
    top = Kulisch("fp8_e4m3").width
    room = np.array([2**63 - 1 - 448**2 * 2**18, -(2**63) + 448**2 * 2**18])
    full = kulisch_add(room, [0x7E, 0xFE], [0x7E, 0x7E], source="fp8_e4m3")
    assert full.tolist() == [2**63 - 1, -(2**63)]
    assert top < 63
    for i, sign in ((0, 0x7E), (1, 0xFE)):
        with pytest.raises(OverflowError, match="objects"):
            kulisch_add(room[i : i + 1] + 1 - 2 * i, [sign], [0x7E], source="fp8_e4m3")
    with pytest.raises(OverflowError, match="objects"):
        kulisch_add(np.array([0]), [0x7B], [0x7B], source="fp8_e5m2")
    wide = kulisch_add(np.array([0], object), [0x7B], [0xFB], source="fp8_e5m2")
    assert wide.tolist() == [-(57344**2) * 2**32]


@pytest.mark.parametrize("code", [0x7C, 0xFC, 0x7E, 0xFF])
def test_kulisch_needs_finite(code):
    with pytest.raises(ValueError, match="neither infinity nor NaN"):
        kulisch_add(np.array([0]), [code], [0x3C], source="fp8_e5m2")


# ------------------------------------------------------------------------------------ convert


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_convert_floats(source, target):
    bits = width(source)
    a = np.arange(1 << bits) if bits <= 16 else patterns(np.random.default_rng(17), source, COUNT)
    a = np.concatenate([a, specials(source)])
    values = decode(a, source)
    # Exact in float64, so that there is one rounding.
    assert_same(convert(a, source=source, target=target), rounded(values, target), a)
    held = convert(a, source=source, target=target, saturate=True)
    assert_same(held, rounded(values, target, saturate=True), a)
    expected = flushed(without_subnormals(values, source), target)
    assert_same(convert(a, source=source, target=target, flush=True), expected, a)


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", ["int8", "int16", "int32"])
def test_convert_from_integers(source, target):
    rng = np.random.default_rng(18)
    bits = int(source[3:])
    edges = [1 << k for k in range(bits)]
    near = [(e + d) % (1 << bits) for e in edges for d in (-1, 0, 1)]
    # Ties of short significands.
    ties = rng.integers(0, 1 << 12, 4000) << rng.integers(0, max(bits - 12, 1), 4000)
    a = np.concatenate([near, rng.integers(0, 1 << bits, COUNT), ties % (1 << bits)])
    signed = a - ((a >> bits - 1) << bits)
    ours = convert(a, source=source, target=target)
    assert_same(ours, rounded(signed.astype(np.float64), target), a)
    if target == "fp32":
        assert_same(ours, from_float32(signed.astype(np.int32).astype(np.float32)), a)


@pytest.mark.parametrize("target", ["int4", "int8", "int16", "int32"])
@pytest.mark.parametrize("source", FORMATS)
def test_convert_to_integers(source, target):
    rng = np.random.default_rng(19)
    m, bits = fraction_bits(source), int(target[3:])
    near = GFLOAT[source].bias + rng.integers(-3, bits + 3, COUNT)
    a = np.concatenate([patterns(rng, source, COUNT), with_exponent(rng, source, near)])
    a = np.concatenate([a, specials(source)])
    assert m < 53
    values = np.clip(np.rint(decode(a, source)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    expected = np.nan_to_num(values, nan=0.0).astype(np.int64) & ((1 << bits) - 1)
    for options in ({}, {"flush": True}, {"saturate": True}):
        assert_same(convert(a, source=source, target=target, **options), expected, a)


def test_fp32_to_int32_against_softfloat():
    rng = np.random.default_rng(20)
    a = with_exponent(rng, "fp32", 127 + rng.integers(-3, 31, COUNT))
    data = a.astype(">u4").tobytes()
    words = [softfloatpy.Float32.from_bytes(data[i : i + 4]) for i in range(0, len(data), 4)]
    theirs = b"".join([w.to_i32().to_bytes() for w in words])
    assert_same(convert(a, source="fp32", target="int32"), np.frombuffer(theirs, ">u4"), a)


# ----------------------------------------------------------------------------------------- MX

MX = {
    "fp8_e4m3": format_info_mxfp8_e4m3,
    "fp8_e5m2": format_info_mxfp8_e5m2,
    "fixed8.6": format_info_mxint8,
}


def mx_values():
    """Blocks of all sizes; some have one large value, some are zero or end at a power of two."""
    rng = np.random.default_rng(21)
    v = rng.standard_normal((300, 32)) * 2.0 ** rng.integers(-12, 3, (300, 32))
    v *= 2.0 ** rng.integers(-110, 110, (300, 1))
    v = v.astype(np.float32).astype(np.float64)
    v[::7, 3] = 0.0
    v[5] = 0.0
    v[6] = -0.0
    v[7] = 0.0
    v[7, 31] = 2.0**-149
    v[8, 0], v[9, 0] = 2.0**127, -float(np.finfo(np.float32).max)
    # Just below a power of two: the largest element saturates.
    v[10:200, 0] = (2 - 2.0**-23) * 2.0 ** np.ceil(np.log2(np.abs(v[10:200]).max(axis=1)))
    return v


@pytest.mark.parametrize("element", MX)
def test_mx_against_gfloat(element):
    v = mx_values()
    scales, codes = mx_quantize(v, element=element)
    assert scales.shape == (300, 1)
    assert codes.shape == v.shape
    info = MX[element]
    for row, scale, elements in zip(v, scales[:, 0].tolist(), codes.tolist(), strict=True):
        factor = gfloat.compute_scale_amax(info.etype.emax, row)
        encoded = list(gfloat.encode_block(info, factor, row / factor))
        assert [scale, *elements] == [int(x) for x in encoded]
    back = mx_dequantize(scales, codes, element=element)
    theirs = [gfloat.quantize_block(info, row, gfloat.compute_scale_amax) for row in v]
    assert np.array_equal(back, np.array(theirs))


def test_mx_by_hand():
    # max 3.5: floor(log2) is 1, minus emax 8; E4M3 holds 3.5 * 2**7 = 448 exactly.
    scales, codes = mx_quantize([3.5, -1.0, 0.0, -0.0], element="fp8_e4m3", block=4)
    assert scales.tolist() == [127 + 1 - 8]
    assert codes.tolist() == [0x7E, 0xF0, 0x00, 0x80]
    # 3.9 * 2**7 is beyond 448 and saturates.
    assert mx_quantize([3.9, -3.9], element="fp8_e4m3", block=2)[1].tolist() == [0x7E, 0xFE]
    scales, codes = mx_quantize([1.0, -1.999, 0.5 / 64, 1.5 / 64], element="fixed8.6", block=4)
    assert scales.tolist() == [127]
    assert codes.tolist() == [64, 128, 0, 2]


@pytest.mark.parametrize("element", MX)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_mx_not_finite(element, bad):
    v = np.ones((2, 8))
    v[1, 6] = bad
    scales, codes = mx_quantize(v, element=element, block=4)
    assert (scales == 0xFF).tolist() == [[False, False], [False, True]]
    assert set(codes[1, 4:].tolist()) == {NAN.get(element, 0)}
    back = mx_dequantize(scales, codes, element=element, block=4)
    assert np.isnan(back[1, 4:]).all()
    assert np.array_equal(back[0], v[0])
    assert np.array_equal(back[1, :4], v[1, :4])


@pytest.mark.parametrize("element", MX)
def test_mx_scale_is_held(element):
    top = mx_quantize([1e300, -1e300, 1.0], element=element, block=3)
    fmt = find_format(element)
    assert top[0].tolist() == [254]
    least = fmt.max_code | 128 if isinstance(fmt, FloatFormat) else 128
    assert top[1].tolist() == [fmt.max_code if isinstance(fmt, FloatFormat) else 127, least, 0]
    low = mx_quantize([5e-324, -5e-324], element=element, block=2)
    assert [x.tolist() for x in low] == [[0], [0, 128 if isinstance(fmt, FloatFormat) else 0]]


# --------------------------------------------------------------------------- shapes and errors


def test_shapes():
    a = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert multiply(a, a[0], source="fp8_e4m3").shape == (2, 3)
    assert multiply_add(a[:, :1], a[0], 0, source="fp8_e4m3", addend="fp32").shape == (2, 3)
    assert add(1, 2, source="fp16").shape == ()
    assert divide(a, 1, source="fp8_e5m2").dtype == np.uint64
    none = np.zeros((0, 3), np.uint8)
    assert add(none, none, source="bf16").shape == (0, 3)
    assert dot(none, none, np.zeros(0, int), source="bf16", addend="fp32").shape == (0,)
    assert dot(a, a[0], 0, source="bf16", addend="fp32").shape == (2,)
    assert dot(a[0], a[0], [0, 0, 0, 0], source="bf16", addend="fp32").shape == (4,)
    assert kulisch_round(np.zeros((0, 2), object), source="fp8_e4m3", target="fp32").shape == (0, 2)
    assert kulisch_add(np.int64(0), a, 1, source="fp8_e4m3").shape == (2, 3)
    scales, codes = mx_quantize(np.zeros((3, 0)), element="fp8_e4m3")
    assert (scales.shape, codes.shape) == ((3, 0), (3, 0))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: multiply(256, 0, source="fp8_e4m3"), "bit patterns"),
        (lambda: add(-1, 0, source="fp16"), "bit patterns"),
        (lambda: divide(1, 1, source="int8"), "floating-point"),
        (lambda: multiply(1, 1, source="fp16", target="int8"), "floating-point"),
        (lambda: multiply_add(1, 1, 1, source="fp16", addend="int32"), "floating-point"),
        (lambda: square_root(1, source="fp64"), "no format"),
        (lambda: dot(1, 1, 1, source="fp16", addend="fp32"), "axis"),
        (lambda: dot([1], [1], 1 << 32, source="fp16", addend="fp32"), "bit patterns"),
        (lambda: compare(1 << 16, 0, source="bf16"), "bit patterns"),
        (lambda: maximum(0, 0, source="bf17"), "no format"),
        (lambda: convert(0, source="fp16", target="fp7"), "no format"),
        (lambda: Kulisch("int8"), "floating-point"),
        (lambda: Kulisch("fp8_e4m3", 0), "terms"),
        (lambda: mx_quantize([1.0], element="int8"), "element"),
        (lambda: mx_quantize([1.0] * 31, element="fp8_e4m3"), "multiple"),
        (lambda: mx_quantize(1.0, element="fp8_e4m3"), "multiple"),
        (lambda: mx_quantize([1.0], element="fp8_e4m3", block=0), "block"),
        (lambda: mx_dequantize([256], [0], element="fp8_e4m3", block=1), "scales"),
        (lambda: mx_dequantize([1, 2], [0], element="fp8_e4m3", block=1), "scales"),
        (lambda: mx_dequantize([1], [0], element="bf16", block=1), "element"),
    ],
)
def test_bad_value(call, error):
    with pytest.raises(ValueError, match=error):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: multiply(1.0, 1, source="fp16"),
        lambda: dot([1.0], [1], 1, source="fp16", addend="fp32"),
        lambda: kulisch_add(np.zeros(1), 1, 1, source="fp8_e4m3"),
        lambda: kulisch_round(np.zeros(1, np.int32), source="fp8_e4m3", target="fp32"),
        lambda: mx_dequantize([1.0], [0], element="fp8_e4m3", block=1),
    ],
)
def test_bad_type(call):
    with pytest.raises(TypeError, match=r"integers|int64"):
        call()


# ------------------------------------------------------------------------------------ 10**7


def chunks():
    return enumerate([LONG_CHUNK] * (LONG // LONG_CHUNK))


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["mul", "add", "mul_add"])
@pytest.mark.parametrize("name", ["fp16", "fp32"])
def test_long_against_softfloat(name, operation):
    for seed, count in chunks():
        rng = np.random.default_rng([22, seed])
        if operation == "mul_add":
            operands = triples(rng, name, name, count)
            ours = multiply_add(*operands, source=name, addend=name)
        else:
            operands = pairs(rng, name, count)
            ours = (multiply if operation == "mul" else add)(*operands, source=name)
        assert_same(ours, softfloat(operation, name, *operands), *operands)


@pytest.mark.slow
def test_long_fp32_against_hardware():
    for seed, count in chunks():
        check_fp32_against_hardware(np.random.default_rng([23, seed]), count)


@pytest.mark.slow
def test_roots_of_every_significand():
    """All of fp32 in 1 <= x < 4: other exponents only shift the result, where it is normal."""
    for first in range(0x3F800000, 0x40800000, 1 << 18):
        a = np.arange(first, first + (1 << 18))
        with np.errstate(all="ignore"):
            theirs = from_float32(np.sqrt(as_float32(a)))
        assert_same(square_root(a, source="fp32"), theirs, a)
        ours = reciprocal_square_root(a, source="fp32").astype(np.int64)
        # In units of 2**-23 and 2**-26: x times the squares of the two halves around the result.
        x = np.ldexp(decode(a, "fp32"), 23).astype(np.int64).astype(object)
        below, above = (
            np.ldexp((decode(ours, "fp32") + decode(ours + d, "fp32")) / 2, 26).astype(np.int64)
            for d in (-1, 1)
        )
        one = 1 << 23 + 2 * 26
        assert (x * below.astype(object) ** 2 < one).all()
        assert (x * above.astype(object) ** 2 > one).all()


@pytest.mark.slow
def test_long_multiply_add_against_libm():
    for seed, count in chunks():
        a, b, c = triples(np.random.default_rng([24, seed]), "fp32", "fp32", count)
        assert_same(multiply_add(a, b, c, source="fp32", addend="fp32"), fmaf(a, b, c), a, b, c)


@pytest.mark.slow
def test_long_bf16_against_float64():
    for seed, count in chunks():
        check_two_operands(np.random.default_rng([25, seed]), "bf16", "bf16", count)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "addend"), [("bf16", "fp32"), ("bf16", "bf16"), ("fp8_e4m3", "fp32")]
)
def test_long_multiply_add_against_float64(source, addend):
    for seed, count in chunks():
        check_multiply_add(np.random.default_rng([26, seed]), source, addend, None, count)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["fp8_e4m3", "bf16"])
def test_long_dot_against_float64(source):
    """Products that span 49 bits add exactly in float64, 16 of them; c then rounds to odd."""
    for seed in range(10):
        rng = np.random.default_rng([27, seed])
        shape = (100_000, 16)
        if source == "bf16":
            a, b = (
                with_exponent(rng, source, 120 + rng.integers(0, 12, shape).reshape(-1))
                for _ in "ab"
            )
            a, b = a.reshape(shape), b.reshape(shape)
        else:
            a, b = (rng.integers(0, 0x7F, shape) | rng.integers(0, 2, shape) << 7 for _ in "ab")
        x, y = decode(a, source), decode(b, source)
        c = patterns(rng, "fp32", shape[0])
        exact = odd_sum((x * y).sum(axis=1), decode(c, "fp32"))
        ours = dot(a, b, c, source=source, addend="fp32")
        assert_same(ours, rounded(exact, "fp32"), c)
