"""The golden rounding unit against gfloat, ml_dtypes, exact fractions and published vectors."""

import math
from fractions import Fraction

import gfloat
import ml_dtypes
import numpy as np
import pytest
from gfloat import Domain, FormatInfo, RoundMode
from gfloat.formats import (
    format_info_bfloat16,
    format_info_binary16,
    format_info_binary32,
    format_info_ocp_e4m3,
    format_info_ocp_e5m2,
)

from sluice_sim.golden.formats import FORMAT_NAMES, FixedFormat, FloatFormat, decode, find_format
from sluice_sim.golden.random import Lfsr32, Xoroshiro64, lane_seeds
from sluice_sim.golden.rounding import round_bits

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
DTYPES = {
    "fp32": np.float32,
    "bf16": ml_dtypes.bfloat16,
    "fp16": np.float16,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
}
FLOAT_TARGETS = {
    "fp32": ("tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"),
    "tf32": ("bf16", "fp16", "fp8_e4m3", "fp8_e5m2"),
    "bf16": ("fp16", "fp8_e4m3", "fp8_e5m2"),
    "fp16": ("bf16", "fp8_e4m3", "fp8_e5m2"),
}
FLOAT_PAIRS = [(s, t) for s, targets in FLOAT_TARGETS.items() for t in targets]
FIXED_TARGETS = (
    "int4",
    "int8",
    "int16",
    "int32",
    "fixed8.6",
    "fixed16.12",
    "fixed32.16",
    "fixed32.32",
)
# fmt: off
CANONICAL_NAN = {
    "fp32": 0x7FC00000, "tf32": 0x3FE00, "bf16": 0x7FC0, "fp16": 0x7E00,
    "fp8_e4m3": 0x7F, "fp8_e5m2": 0x7E,
}
INFINITY = {
    "fp32": 0x7F800000, "tf32": 0x3FC00, "bf16": 0x7F80, "fp16": 0x7C00,
    "fp8_e4m3": 0x7F, "fp8_e5m2": 0x7C,
}
# fmt: on


def sign_bit(name):
    return 1 << find_format(name).width - 1


def float_format(name) -> FloatFormat:
    fmt = find_format(name)
    assert isinstance(fmt, FloatFormat)
    return fmt


def fixed_format(name) -> FixedFormat:
    fmt = find_format(name)
    assert isinstance(fmt, FixedFormat)
    return fmt


def gfloat_format(name):
    """Two's complement in gfloat is a format of subnormals only, whose bias places the point."""
    if name in GFLOAT:
        return GFLOAT[name]
    fmt = fixed_format(name)
    return FormatInfo(
        name,
        fmt.width,
        fmt.width,
        bias=fmt.fraction_bits - fmt.width + 2,
        is_signed=True,
        domain=Domain.Finite,
        has_nz=False,
        num_high_nans=0,
        has_subnormals=True,
        is_twos_complement=True,
    )


def fp32_patterns():
    """All exponents and signs with random fractions, and every value where a target changes."""
    rng = np.random.default_rng(20250401)
    exponents = np.repeat(np.arange(256, dtype=np.int64), 64)
    fractions = rng.integers(0, 1 << 23, exponents.size)
    words = [exponents << 23 | fractions]
    # Fractions with few bits set: exact ties, and one bit above or below them.
    for low in range(0, 23, 3):
        top = rng.integers(0, 1 << 23 - low, 256) << low
        words += [np.arange(256) << 23 | top, (np.arange(256) << 23 | top) + 1]
    edges = [0.0]
    for name in ("tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"):
        fmt = float_format(name)
        ulp = 2.0 ** (math.floor(math.log2(fmt.max)) - fmt.mantissa_bits)
        least = 2.0 ** (1 - fmt.bias - fmt.mantissa_bits)
        normal = 2.0 ** (1 - fmt.bias)
        edges += [fmt.max, fmt.max - ulp / 2, fmt.max + ulp / 2, fmt.max + ulp]
        edges += [least, least / 2, least * 1.5, least / 4, normal, normal - least / 2]
    edges += [2.0**e for e in range(-149, 128)]
    edges += [127.5, 128.0, 128.5, 7.5, 8.0, 8.5, 32767.5, 32768.5, 2.0**31, 0.5, 1.5, 2.5]
    with np.errstate(over="ignore"):
        centre = np.array(edges).astype(np.float32).view(np.uint32).astype(np.int64)
    for step in (-2, -1, 0, 1, 2):
        words.append(np.clip(centre + step, 0, 0x7FFFFFFF))
    # fmt: off
    words.append(np.array([
        0, 1, 2, 0x7FFFFF, 0x7FFFFE, 0x800000, 0x800001, 0x7F7FFFFF, 0x7F7FFFFE, 0x7F800000,
        0x7F800001, 0x7FFFFFFF, 0x7FC00000, 0x7FBFFFFF, 0x7FC12345, 0x7F812345,
    ]))
    # fmt: on
    positive = np.concatenate(words)
    return np.concatenate([positive, positive | 0x80000000]).astype(np.uint32)


PATTERNS = {
    "fp32": fp32_patterns(),
    "tf32": np.arange(1 << 19, dtype=np.uint32)[::7],
    "bf16": np.arange(1 << 16, dtype=np.uint16),
    "fp16": np.arange(1 << 16, dtype=np.uint16),
}
VALUES = {name: decode(bits, name) for name, bits in PATTERNS.items()}


def gfloat_round(values, target, mode, *, saturate=False, r=None, random_bits=0):
    """Return gfloat's codes, with NaN (whose code gfloat leaves unsigned) as -1."""
    fmt = gfloat_format(target)
    if isinstance(find_format(target), FixedFormat):
        # gfloat casts the scaled value to int16 or int64 before it saturates.
        limit = 4 * max(abs(fmt.min), fmt.max)
        values, saturate = np.clip(np.nan_to_num(values, nan=0.0), -limit, limit), True
    rounded = gfloat.round_ndarray(fmt, values, mode, saturate, r, random_bits)
    codes = gfloat.encode_ndarray(fmt, rounded).astype(np.int64)
    return np.where(np.isnan(rounded), -1, codes)


def without_nan_codes(codes, target):
    """Return our codes with the canonical NaNs of both signs as -1."""
    codes = codes.astype(np.int64)
    if isinstance(find_format(target), FixedFormat):
        return codes
    return np.where((codes & (sign_bit(target) - 1)) == CANONICAL_NAN[target], -1, codes)


def assert_same(ours, theirs, bits):
    wrong = np.flatnonzero(ours != theirs)
    assert not wrong.size, [
        f"{int(bits[i]):#x}: {int(ours[i]):#x} not {int(theirs[i]):#x}" for i in wrong[:5]
    ]


# ------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("name", GFLOAT)
def test_format_table_against_gfloat(name):
    ours, theirs = float_format(name), GFLOAT[name]
    assert ours.width == theirs.k
    assert ours.exponent_bits == theirs.expBits
    assert ours.mantissa_bits == theirs.precision - 1
    assert ours.bias == theirs.bias
    assert ours.has_inf == (theirs.domain == Domain.Extended)
    assert ours.max_code == theirs.code_of_max
    assert ours.max == theirs.max
    assert ours.nan_code == CANONICAL_NAN[name]
    assert ours.inf_code == INFINITY[name]


@pytest.mark.parametrize("name", ["bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "tf32", "fp32", "int8"])
def test_decode_against_gfloat(name):
    width = find_format(name).width
    codes = PATTERNS["fp32"] if width == 32 else np.arange(1 << width)
    theirs = gfloat.decode_ndarray(gfloat_format(name), codes.astype(np.int64))
    ours = decode(codes, name)
    assert np.array_equal(ours, theirs, equal_nan=True)
    real = ~np.isnan(ours)
    assert np.array_equal(np.signbit(ours[real]), np.signbit(theirs[real]))


@pytest.mark.parametrize("name", ["fp64", "fixed1.0", "fixed33.0", "fixed8.9", "fixed8", "e4m3"])
def test_unknown_format(name):
    with pytest.raises(ValueError, match="no format"):
        find_format(name)


def test_format_names():
    names = "fp32 tf32 bf16 fp16 fp8_e4m3 fp8_e5m2 int4 int8 int16 int32"
    assert tuple(names.split()) == FORMAT_NAMES


# ------------------------------------------------------------------- float sources, gfloat


@pytest.mark.parametrize(("source", "target"), FLOAT_PAIRS)
@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize(
    ("mode", "theirs"),
    [("nearest_even", RoundMode.TiesToEven), ("towards_zero", RoundMode.TowardZero)],
)
def test_float_deterministic(source, target, saturate, mode, theirs):
    bits = PATTERNS[source]
    ours = round_bits(bits, source=source, target=target, mode=mode, saturate=saturate)
    assert ours.dtype == np.uint64
    expected = gfloat_round(VALUES[source], target, theirs, saturate=saturate)
    assert_same(without_nan_codes(ours, target), expected, bits)


# (R, position). The last fields of each reach beyond the mantissa: their upper bits are zero.
OWN_FIELDS = {
    "fp32": [
        *[(1, 0), (1, 22), (4, 0), (5, 8), (8, 0), (8, 4), (16, 0), (16, 7), (23, 0)],
        *[(8, 20), (16, 12), (28, 0), (4, 23)],
    ],
    "tf32": [(1, 9), (3, 0), (10, 0), (8, 6), (12, 0)],
    "bf16": [(1, 0), (1, 6), (2, 0), (3, 4), (7, 0), (8, 0), (4, 4), (16, 1), (3, 31)],
    "fp16": [(1, 0), (1, 9), (3, 0), (4, 6), (5, 2), (10, 0), (8, 4), (12, 0), (2, 10)],
}
OWN_CASES = [(s, t, r, p) for s, t in FLOAT_PAIRS for r, p in OWN_FIELDS[s]]


@pytest.mark.parametrize(("source", "target", "random_bits", "position"), OWN_CASES)
def test_float_own_bits(source, target, random_bits, position):
    bits = PATTERNS[source]
    mantissa = bits.astype(np.int64) % (1 << float_format(source).mantissa_bits)
    r = mantissa // 2**position % 2**random_bits
    saturate = bool((random_bits + position) % 2)
    ours = round_bits(
        bits,
        source=source,
        target=target,
        mode="own_bits",
        random_bits=random_bits,
        position=position,
        saturate=saturate,
    )
    expected = gfloat_round(
        VALUES[source],
        target,
        RoundMode.StochasticFastest,
        saturate=saturate,
        r=r,
        random_bits=random_bits,
    )
    assert_same(without_nan_codes(ours, target), expected, bits)


# The sum of gfloat is a float64: of a 24-bit source and more than 29 random bits it may round to 1.
@pytest.mark.parametrize(("source", "target"), FLOAT_PAIRS)
@pytest.mark.parametrize(
    ("random_bits", "saturate"), [(1, 0), (4, 1), (8, 0), (16, 1), (24, 0), (29, 1)]
)
def test_float_generator(source, target, random_bits, saturate):
    bits = PATTERNS[source]
    rng = np.random.default_rng(random_bits)
    # The two ends of r decide the ties with 2**R, and a uniform draw would hardly meet them.
    r = rng.integers(0, 1 << random_bits, bits.size)
    r[::5] = (1 << random_bits) - 1
    r[1::5] = 0
    ours = round_bits(
        bits,
        source=source,
        target=target,
        mode="generator",
        random_bits=random_bits,
        random=r,
        saturate=bool(saturate),
    )
    expected = gfloat_round(
        VALUES[source],
        target,
        RoundMode.StochasticFastest,
        saturate=bool(saturate),
        r=r,
        random_bits=random_bits,
    )
    assert_same(without_nan_codes(ours, target), expected, bits)


@pytest.mark.parametrize("saturate", [False, True])
def test_gfloat_scalar_agrees(saturate):
    """There are two implementations in gfloat; the scalar one is run where the array one was."""
    bits = PATTERNS["fp32"][::97]
    values = decode(bits, "fp32")
    r = np.arange(bits.size) % 16
    for target in FLOAT_TARGETS["fp32"]:
        ours = round_bits(
            bits,
            source="fp32",
            target=target,
            mode="generator",
            random_bits=4,
            random=r,
            saturate=saturate,
        )
        fmt = GFLOAT[target]
        rounded = [
            gfloat.round_float(fmt, v, RoundMode.StochasticFastest, saturate, int(k), 4)
            for v, k in zip(values.tolist(), r, strict=True)
        ]
        codes = [-1 if math.isnan(v) else gfloat.encode_float(fmt, v) for v in rounded]
        assert_same(without_nan_codes(ours, target), np.array(codes), bits)


# ------------------------------------------------------------------- ml_dtypes and NumPy


@pytest.mark.parametrize(
    ("source", "target"),
    [(s, t) for s, t in FLOAT_PAIRS if s in DTYPES and t in DTYPES],
)
def test_nearest_even_against_casts(source, target):
    bits = PATTERNS[source]
    values = bits.view(DTYPES[source])
    with np.errstate(all="ignore"):
        cast = values.astype(DTYPES[target])
    theirs = cast.view(f"u{cast.itemsize}")
    ours = round_bits(bits, source=source, target=target, mode="nearest_even")
    is_nan = np.isnan(VALUES[source])
    assert_same(ours[~is_nan], theirs[~is_nan], bits[~is_nan])
    if (source, target) != ("fp32", "fp16"):
        # NumPy keeps the payload of a NaN in fp32 -> fp16; ml_dtypes makes it canonical.
        assert_same(ours[is_nan], theirs[is_nan], bits[is_nan])


# --------------------------------------------------------------------------- special values


@pytest.mark.parametrize(("source", "target"), FLOAT_PAIRS)
@pytest.mark.parametrize("mode", ["nearest_even", "towards_zero", "own_bits", "generator"])
@pytest.mark.parametrize("saturate", [False, True])
def test_float_specials(source, target, mode, saturate):
    sign = sign_bit(source)
    inf = INFINITY[source]
    largest = float_format(source).max_code
    words = [0, inf, inf + 1, sign - 1, CANONICAL_NAN[source], 1, largest]
    bits = np.array([w | s for s in (0, sign) for w in words])
    ours = round_bits(
        bits,
        source=source,
        target=target,
        mode=mode,
        random_bits=3,
        random=np.zeros(bits.size, int) + 6,
        saturate=saturate,
    )
    top = float_format(target).max_code
    infinite = top if saturate else INFINITY[target]
    positive = [0, infinite, *3 * [CANONICAL_NAN[target]]]
    assert ours[:5].tolist() == positive
    # Each of these results is the positive one with the sign bit: -0, -inf and NaN included.
    assert ours[7:].tolist() == [word | sign_bit(target) for word in ours[:7].tolist()]
    # bf16 keeps more exponents than fp16 fills, and the other way round nothing overflows.
    if find_format(source).max > find_format(target).max * 1.01:
        assert ours[6] == (top if mode == "towards_zero" else infinite)


@pytest.mark.parametrize("target", ["bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "tf32"])
@pytest.mark.parametrize("bits", [0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0xFF800001])
def test_nan_does_not_carry(target, bits):
    """Added as plain words, these NaNs become infinities and zeros."""
    got = round_bits([bits], source="fp32", target=target, mode="own_bits", random_bits=4)
    assert int(got[0]) == CANONICAL_NAN[target] | (sign_bit(target) if bits >> 31 else 0)


@pytest.mark.parametrize("target", FIXED_TARGETS)
@pytest.mark.parametrize("mode", ["nearest_even", "towards_zero", "own_bits"])
def test_fixed_specials(target, mode):
    bits = [0x7F800000, 0xFF800000, 0x7F800001, 0xFFFFFFFF, 0x80000000, 0x7F7FFFFF, 0xFF7FFFFF]
    top = sign_bit(target) - 1
    got = round_bits(bits, source="fp32", target=target, mode=mode)
    assert got.tolist() == [top, top + 1, 0, 0, 0, top, top + 1]


# ------------------------------------------------------------------------ fixed-point targets


def exact_round(value, r, random_bits, mode, target):
    """Round a Fraction to fixed point with Python integers only."""
    fmt = fixed_format(target)
    scaled = abs(value) * 2**fmt.fraction_bits
    kept = scaled.numerator // scaled.denominator
    delta = scaled - kept
    if mode == "nearest_even":
        up = delta > Fraction(1, 2) or (delta == Fraction(1, 2) and kept % 2 == 1)
    elif mode == "towards_zero":
        up = False
    else:
        up = math.floor(delta * 2**random_bits) + r >= 2**random_bits
    result = (kept + up) * (-1 if value < 0 else 1)
    low, high = -(1 << fmt.width - 1), (1 << fmt.width - 1) - 1
    return min(max(result, low), high) % (1 << fmt.width)


def exact_float_round(value, r, random_bits, mode, target):
    """Round a nonzero Fraction to a floating-point format with Python integers only."""
    fmt = float_format(target)
    magnitude = abs(value)
    exponent = 1 - fmt.bias
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    scaled = magnitude / Fraction(2) ** (exponent - fmt.mantissa_bits)
    kept = scaled.numerator // scaled.denominator
    delta = scaled - kept
    if mode == "nearest_even":
        up = delta > Fraction(1, 2) or (delta == Fraction(1, 2) and kept % 2 == 1)
    elif mode == "towards_zero":
        up = False
    else:
        up = math.floor(delta * 2**random_bits) + r >= 2**random_bits
    rounded = (kept + up) * Fraction(2) ** (exponent - fmt.mantissa_bits)
    sign = sign_bit(target) if value < 0 else 0
    for code in EXACT_CODES[target]:
        if EXACT_CODES[target][code] == rounded:
            return code | sign
    return (fmt.max_code if mode == "towards_zero" else INFINITY[target]) | sign


EXACT_CODES = {
    name: {
        code: Fraction(float(value))
        for code, value in enumerate(decode(np.arange(float_format(name).max_code + 1), name))
    }
    for name in ("fp8_e4m3", "fp8_e5m2")
}


@pytest.mark.parametrize("target", ["fp8_e4m3", "fp8_e5m2"])
def test_all_random_bits_against_fractions(target):
    least = float_format(target).mantissa_bits + float_format(target).bias - 1
    # With R = 32, fractions just below and at the smallest that any r can round up.
    edge = (127 - least - 32) << 23
    edges = [edge - 2, edge - 1, edge, edge + 1, edge + 0x7FFFFF]
    bits = np.array([*edges, *(np.array(PATTERNS["fp32"][::79]).tolist())], np.int64)
    values = decode(bits, "fp32")
    usable = np.isfinite(values) & (values != 0)
    bits, values = bits[usable], values[usable]
    r = np.random.default_rng(32).integers(0, 1 << 32, bits.size)
    r[: len(edges)] = (1 << 32) - 1
    ours = round_bits(
        bits, source="fp32", target=target, mode="generator", random_bits=32, random=r
    )
    expected = [
        exact_float_round(Fraction(value), k, 32, "generator", target)
        for value, k in zip(values.tolist(), r.tolist(), strict=True)
    ]
    assert ours[: len(edges)].tolist() == [0, 0, 1, 1, 1]
    assert_same(ours.astype(np.int64), np.array(expected), bits)


def fixed_patterns(name, count):
    width = find_format(name).width
    if width <= 8:
        return np.arange(1 << width)
    rng = np.random.default_rng(width)
    powers = np.array([1 << k for k in range(width)])
    near = np.concatenate([powers - 1, powers, powers + 1, [0]])
    # Random lengths, since a uniform draw holds almost no small magnitudes.
    spread = rng.integers(0, 1 << width, count) >> rng.integers(0, width, count)
    positive = np.concatenate([near, spread])
    return np.concatenate([positive, -positive]) % (1 << width)


def fixed_value(code, name):
    fmt = fixed_format(name)
    signed = code - (1 << fmt.width) if code >> fmt.width - 1 else code
    return Fraction(signed, 1 << fmt.fraction_bits)


FIXED_CASES = [
    ("fixed32.16", "fixed16.8", 8, 0),
    ("fixed32.16", "fixed16.8", 16, 15),
    ("fixed32.31", "int4", 31, 0),
    ("fixed32.31", "fixed16.12", 32, 0),
    ("fixed32.16", "int8", 1, 30),
    ("fixed32.16", "int8", 1, 31),
    ("fixed32.16", "fixed16.8", 16, 20),
    ("int16", "int8", 8, 12),
    # To more fraction bits: the greatest shift to the left there is.
    ("int16", "fixed32.32", 4, 0),
    ("int8", "fixed16.12", 4, 0),
    ("fixed24.4", "int8", 8, 3),
    ("fixed16.12", "int16", 5, 0),
    ("int32", "int8", 4, 0),
    ("int16", "int4", 3, 12),
    ("int8", "int4", 7, 0),
    ("int32", "fp8_e4m3", 8, 0),
    ("fixed32.16", "fp8_e4m3", 8, 2),
    ("fixed32.32", "fp8_e5m2", 4, 0),
    ("fixed32.16", "fp8_e5m2", 16, 0),
    ("int8", "fp8_e4m3", 2, 1),
]


@pytest.mark.parametrize(("source", "target", "random_bits", "position"), FIXED_CASES)
def test_fixed_source_against_fractions(source, target, random_bits, position):
    bits = fixed_patterns(source, 400)
    values = [fixed_value(int(code), source) for code in bits]
    rng = np.random.default_rng(position)
    drawn = rng.integers(0, 1 << random_bits, bits.size)
    width = find_format(source).width
    for mode in ("nearest_even", "towards_zero", "own_bits", "generator"):
        ours = round_bits(
            bits,
            source=source,
            target=target,
            mode=mode,
            random_bits=random_bits,
            position=position,
            random=drawn,
        )
        expected = []
        for code, value, r in zip(bits.tolist(), values, drawn.tolist(), strict=True):
            if mode == "own_bits":
                magnitude = min(code, 2**width - code)
                r = (magnitude >> position) % 2**random_bits
            if isinstance(find_format(target), FixedFormat):
                expected.append(exact_round(value, r, random_bits, mode, target))
            else:
                expected.append(
                    exact_float_round(value, r, random_bits, mode, target) if value else 0
                )
        assert_same(ours.astype(np.int64), np.array(expected), bits)


@pytest.mark.parametrize("source", ["fixed32.16", "fixed32.32", "fixed20.3", "int32", "int16"])
@pytest.mark.parametrize("target", ["fp32", "tf32", "bf16", "fp16", "fp8_e4m3"])
def test_fixed_source_against_gfloat(source, target):
    bits = fixed_patterns(source, 3000)
    values = decode(bits, source)
    magnitude = np.minimum(bits, (1 << find_format(source).width) - bits)
    drawn = np.random.default_rng(6).integers(0, 64, bits.size)
    for mode, theirs in [
        ("nearest_even", RoundMode.TiesToEven),
        ("towards_zero", RoundMode.TowardZero),
        ("own_bits", RoundMode.StochasticFastest),
        ("generator", RoundMode.StochasticFastest),
    ]:
        r = drawn if mode == "generator" else magnitude // 2 % 64
        ours = round_bits(
            bits,
            source=source,
            target=target,
            mode=mode,
            random_bits=6,
            position=1,
            random=drawn,
        )
        expected = gfloat_round(values, target, theirs, r=r, random_bits=6)
        assert_same(without_nan_codes(ours, target), expected, bits)


@pytest.mark.parametrize("source", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("target", FIXED_TARGETS)
def test_fixed_target_against_gfloat(source, target):
    bits = PATTERNS[source][::3]
    values = VALUES[source][::3]
    drawn = np.random.default_rng(5).integers(0, 32, bits.size)
    for mode, theirs in [
        ("nearest_even", RoundMode.TiesToEven),
        ("towards_zero", RoundMode.TowardZero),
        ("own_bits", RoundMode.StochasticFastest),
        ("generator", RoundMode.StochasticFastest),
    ]:
        mantissa = bits.astype(np.int64) % (1 << float_format(source).mantissa_bits)
        r = drawn if mode == "generator" else mantissa // 2 % 32
        ours = round_bits(
            bits,
            source=source,
            target=target,
            mode=mode,
            random_bits=5,
            position=1,
            random=drawn,
        )
        expected = gfloat_round(values, target, theirs, r=r, random_bits=5)
        assert_same(ours.astype(np.int64), expected, bits)


@pytest.mark.parametrize("target", FIXED_TARGETS)
def test_fixed_target_against_fractions(target):
    bits = PATTERNS["fp32"][::101]
    values = decode(bits, "fp32")
    finite = np.isfinite(values)
    bits, values = bits[finite], values[finite]
    r = np.random.default_rng(7).integers(0, 1 << 16, bits.size)
    for mode in ("nearest_even", "towards_zero", "generator"):
        ours = round_bits(
            bits, source="fp32", target=target, mode=mode, random_bits=16, random=r
        ).astype(np.int64)
        expected = [
            exact_round(Fraction(value), k, 16, mode, target)
            for value, k in zip(values.tolist(), r.tolist(), strict=True)
        ]
        assert_same(ours, np.array(expected), bits)


# --------------------------------------------------------------------------------- properties


@pytest.mark.parametrize("name", ["tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "int8"])
@pytest.mark.parametrize("mode", ["nearest_even", "towards_zero", "own_bits", "generator"])
def test_representable_values_are_unchanged(name, mode):
    fmt = find_format(name)
    codes = np.arange(1 << fmt.width)
    if isinstance(fmt, FloatFormat):
        magnitude = codes & (sign_bit(name) - 1)
        codes = codes[(magnitude <= fmt.max_code) | (magnitude == CANONICAL_NAN[name])]
    wide = round_bits(codes, source=name, target="fp32", mode="nearest_even")
    values = decode(codes, name)
    assert np.array_equal(decode(wide, "fp32"), values, equal_nan=True)
    r = np.full(codes.size, 255)
    back = round_bits(wide, source="fp32", target=name, mode=mode, random=r)
    assert np.array_equal(back, codes)


def test_more_random_than_dropped_bits_is_exact():
    """With R > D the chance of rounding up is delta itself; all R-bit values are tried."""
    random_bits, dropped_bits = 8, 5  # bf16 -> E5M2
    for word in range(0x3F80, 0x3FC0):
        words = np.full(1 << random_bits, word)
        got = round_bits(
            words,
            source="bf16",
            target="fp8_e5m2",
            mode="generator",
            random_bits=random_bits,
            random=np.arange(1 << random_bits),
        )
        ups = int(np.sum(got == got.min() + 1)) if got.min() != got.max() else 0
        assert ups == word % 2**dropped_bits * 2 ** (random_bits - dropped_bits)


@pytest.mark.parametrize("random_bits", [1, 3, 8, 12])
@pytest.mark.parametrize("generator", [Lfsr32, Xoroshiro64])
def test_generator_statistics(generator, random_bits):
    """The rate of rounding up is floor(delta * 2**R) / 2**R, for fractions between R-bit steps too.

    The bound is 5 standard deviations of a fair draw: the seed is fixed, so nothing is flaky.
    """
    lanes, beats = 16, 4096
    source = generator(lane_seeds(1, lanes, 32), random_bits=random_bits)
    random = np.concatenate([source.next() for _ in range(beats)])
    for fraction in (0, 1, 0x4000, 0x5555, 0x8000, 0xABCD, 0xC000, 0xFFFF):
        words = np.full(random.size, 0x3F800000 | fraction)
        got = round_bits(
            words,
            source="fp32",
            target="bf16",
            mode="generator",
            random_bits=random_bits,
            random=random,
        )
        assert set(got.tolist()) <= {0x3F80, 0x3F81}
        p = math.floor(fraction / 2**16 * 2**random_bits) / 2**random_bits
        ups, n = int((got == 0x3F81).sum()), random.size
        if p == 0:
            assert ups == 0
        else:
            assert abs(ups - n * p) <= 5 * math.sqrt(n * p * (1 - p))


def test_shapes_and_empty():
    bits = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    got = round_bits(bits, source="fp16", target="fp8_e4m3", mode="nearest_even")
    assert got.shape == bits.shape
    assert got.dtype == np.uint64
    none = np.zeros((0, 3), np.uint32)
    assert round_bits(none, source="fp32", target="bf16", mode="own_bits").shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"mode": "up"}, "mode must be"),
        ({"source": "fp7"}, "no format"),
        ({"target": "fixed40.3"}, "no format"),
        ({"random_bits": 0}, "random_bits must be"),
        ({"random_bits": 33}, "random_bits must be"),
        ({"random_bits": 33, "mode": "generator", "random": [0]}, "random_bits must be"),
        ({"position": -1}, "position"),
        ({"position": 32}, "position"),
        ({"mode": "generator"}, "needs random"),
        ({"mode": "generator", "random": [256]}, "random must be in"),
        ({"mode": "generator", "random": [-1]}, "random must be in"),
        ({"bits": [1 << 32]}, "bit patterns"),
        ({"bits": [-1]}, "bit patterns"),
    ],
)
def test_bad_value(change, error):
    good = {"bits": [0], "source": "fp32", "target": "bf16", "mode": "own_bits"}
    with pytest.raises(ValueError, match=error):
        round_bits(**good | change)


def test_bad_type():
    with pytest.raises(TypeError, match="integers"):
        round_bits([1.0], source="fp32", target="bf16", mode="nearest_even")
    with pytest.raises(TypeError, match="integers"):
        round_bits([1], source="fp32", target="bf16", mode="generator", random=[0.5])


# --------------------------------------------------------------------------------- generators


def lfsr_bits(seed, count):
    """Return the bits fed back into a Fibonacci register with taps 32, 22, 2, 1, oldest first."""
    # Bit 31 of the state is the oldest of the 32 bits that the recurrence looks back on.
    b = [seed >> 31 - k & 1 for k in range(32)]
    while len(b) < 32 + count:
        b.append(b[-32] ^ b[-22] ^ b[-2] ^ b[-1])
    return b


def lfsr_words(seed, random_bits, count):
    """Return ``count`` outputs: those of call n end with bit 16 n + 31, the newest and lowest."""
    b = lfsr_bits(seed, 16 * count)
    ends = range(32, 32 + 16 * count, 16)
    return [int("".join(map(str, b[end - random_bits : end])), 2) for end in ends]


@pytest.mark.parametrize("random_bits", range(1, 17))
def test_lfsr_is_its_bit_serial_recurrence(random_bits):
    seeds = [1, 0x80000000, 0xDEADBEEF, 0xFFFFFFFF]
    lfsr = Lfsr32(seeds, random_bits=random_bits)
    got = np.array([lfsr.next() for _ in range(60)])
    assert got.T.tolist() == [lfsr_words(seed, random_bits, 60) for seed in seeds]


# The states of a scalar register from the seed 1, stepped one bit at a time.
# fmt: off
LFSR_STATES = [
    0x00000001, 0x0001B6DB, 0xB6DB68A3, 0x68A3CF21, 0xCF213212, 0x3212B93A,
]
# fmt: on


def test_lfsr_vectors():
    lfsr = Lfsr32([1], random_bits=16)
    for state in LFSR_STATES:
        assert int(lfsr.state[0]) == state
        assert int(lfsr.next()[0]) == state & 0xFFFF


def test_lfsr_has_maximal_period():
    """The leap's matrix over GF(2) has order 2**32 - 1, found from its prime factors."""
    step = np.zeros((32, 32), np.uint8)
    for column in range(32):
        lfsr = Lfsr32([1 << column], random_bits=1)
        lfsr.next()
        step[:, column] = [int(lfsr.state[0]) >> row & 1 for row in range(32)]
    assert has_order(step, (3, 5, 17, 257, 65537), 2**32 - 1)


def test_xoroshiro_has_maximal_period():
    step = np.zeros((64, 64), np.uint8)
    for column in range(64):
        generator = Xoroshiro64([1 << column], random_bits=1)
        generator.next()
        state = int(generator.s1[0]) << 32 | int(generator.s0[0])
        step[:, column] = [state >> row & 1 for row in range(64)]
    assert has_order(step, (3, 5, 17, 257, 641, 65537, 6700417), 2**64 - 1)


def has_order(matrix, primes, order):
    """Whether ``order``, the product of ``primes``, is the least power that is the identity."""
    assert math.prod(primes) == order
    one = np.eye(len(matrix), dtype=np.uint8)

    def power(exponent):
        result, base = one, matrix
        while exponent:
            if exponent & 1:
                result = result @ base & 1
            base, exponent = base @ base & 1, exponent >> 1
        return result

    return np.array_equal(power(order), one) and not any(
        np.array_equal(power(order // prime), one) for prime in primes
    )


# Outputs of the authors' C program of xoroshiro64* from the state s0 = 1, s1 = 2.
# fmt: off
XOROSHIRO64_STAR = [
    2654435771, 327208753, 4063491769, 4259754937, 261922412, 168123673, 552743735,
    1672597395, 1031040050, 2755315674,
]
# fmt: on


def test_xoroshiro64_engine_published():
    """xoroshiro64* gives s0 * 0x9E3779BB of the same engine."""
    generator = Xoroshiro64([1 | 2 << 32], random_bits=8)
    for expected in XOROSHIRO64_STAR:
        s0, s1 = int(generator.s0[0]), int(generator.s1[0])
        assert s0 * 0x9E3779BB % 2**32 == expected
        assert generator.next().tolist() == [(s0 + s1) % 2**32 >> 24]


def xoroshiro_words(seed, random_bits, count):
    """Plain integers, the two words as strings of bits where they are rotated."""
    s1, s0 = divmod(seed, 2**32)

    def rotl(word, by):
        text = f"{word:032b}"
        return int(text[by:] + text[:by], 2)

    words = []
    for _ in range(count):
        words.append((s0 + s1) % 2**32 // 2 ** (32 - random_bits))
        s1 ^= s0
        s0 = rotl(s0, 26) ^ s1 ^ s1 * 2**9 % 2**32
        s1 = rotl(s1, 13)
    return words


@pytest.mark.parametrize("random_bits", range(1, 17))
def test_xoroshiro_against_scalar(random_bits):
    seeds = [1, 1 << 32, 0xDEADBEEF_12345678, 2**64 - 1]
    generator = Xoroshiro64(seeds, random_bits=random_bits)
    got = np.array([generator.next() for _ in range(60)])
    assert got.dtype == np.uint64
    assert got.T.tolist() == [xoroshiro_words(seed, random_bits, 60) for seed in seeds]


def test_lane_seeds_are_splitmix64():
    # The vectors of the SplitMix64 reference program from the seed 1234567.
    assert lane_seeds(1234567, 3, 64) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]
    assert lane_seeds(1234567, 1, 32) == [6457827717110365317 >> 32]


@pytest.mark.parametrize("make", [Lfsr32, Xoroshiro64])
def test_zero_state_is_replaced(make):
    zero, one = make([0, 7]), make([1, 7])
    got = [zero.next().tolist() for _ in range(64)]
    assert got == [one.next().tolist() for _ in range(64)]
    assert len({first for first, _ in got}) > 16
    zero.seed([5, 6])
    fresh = make([5, 6])
    assert zero.next().tolist() == fresh.next().tolist()


@pytest.mark.parametrize("make", [Lfsr32, Xoroshiro64])
def test_words_are_uniform(make):
    """Chi-square of single nibbles and of pairs of successive ones, within 5 sigma."""
    generator = make(lane_seeds(3, 64, 32), random_bits=4)
    words = np.array([generator.next() for _ in range(4096)]).astype(np.int64)
    for symbols, cells in ((words, 16), (words[1:] * 16 + words[:-1], 256)):
        counts = np.bincount(symbols.ravel(), minlength=cells)
        expected = symbols.size / cells
        chi_square = float(((counts - expected) ** 2 / expected).sum())
        assert abs(chi_square - (cells - 1)) < 5 * math.sqrt(2 * (cells - 1))


@pytest.mark.parametrize("make", [Lfsr32, Xoroshiro64])
@pytest.mark.parametrize(
    "change",
    [
        {"random_bits": 0},
        {"random_bits": 17},
        {"seeds": []},
        {"seeds": [-1]},
        {"seeds": [1 << 64]},
    ],
)
def test_bad_generator(make, change):
    with pytest.raises(ValueError, match=r"must be|needs"):
        make(**{"seeds": [1]} | change)


def test_seed_too_wide_for_lfsr():
    with pytest.raises(ValueError, match="seed must be"):
        Lfsr32([1 << 32])
