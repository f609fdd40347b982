"""The codec with tables: host and golden model."""

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.cluster.vq

from sluice.compression.centroids import best_centroids, lloyd
from sluice.compression.codec import CODECS, find_codec
from sluice.compression.lut_tables import ELEMENTS
from sluice.formats import FP64, find_format
from sluice_sim.golden.lut import Fields, exponent_table, lut_compress, lut_decompress, nearest

FORMATS = {number.name: number for number in (*map(find_format, ELEMENTS), FP64)}


def weights(number, count=20000, seed=1):
    """Return bit patterns of Gaussian weights, and of every kind of special value."""
    rng = np.random.default_rng(seed)
    spare = 32 - number.width if number.dtype == np.float32 else 0
    drawn = (rng.normal(size=count) * 0.1).astype(number.dtype)
    if spare:
        raw = drawn.view(np.uint32) >> np.uint32(spare) << np.uint32(spare)
        drawn = raw.view(np.float32)
    sign = 1 << number.width - 1
    ends = [0, 1, number.infinity_bits, number.nan_bits, number.infinity_bits + 1]
    ends += [number.max_bits, 1 << number.fraction_bits, (1 << number.fraction_bits) - 1]
    words = np.append(number.to_bits(drawn), np.array([[e, e | sign] for e in ends], np.uint64))
    return rng.permutation(words)


def values_of(number, words):
    """Return numbers as float64; a signalling NaN is none of our business."""
    with np.errstate(invalid="ignore"):
        return number.from_bits(words).astype(np.float64)


def fields_of(number, options):
    return Fields(number.exponent_bits, number.fraction_bits, **options)


@pytest.mark.parametrize("name", FORMATS)
def test_fields_are_those_of_ml_dtypes(name):
    """The exponent field and the fraction are what ``frexp`` says of each finite number."""
    number: Any = FORMATS[name]
    words = weights(number)
    values = values_of(number, words)
    sign, exponent, fraction = Fields(number.exponent_bits, number.fraction_bits, 1, 1).split(words)
    finite = np.isfinite(values)
    # Whether a signalling NaN is an error there differs from one machine to the other.
    mantissa, power = np.frexp(np.where(finite, np.abs(values), 0))
    normal = finite & (exponent != 0)
    assert (np.signbit(values) == sign).all()
    assert (power[normal] - 1 + number.bias == exponent[normal]).all()
    scaled = (2 * mantissa[normal] - 1) * 2**number.fraction_bits
    assert (scaled == fraction[normal]).all()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("bits", [1, 3, 4, 6])
def test_exponents_and_specials_come_back(name, bits):
    number: Any = FORMATS[name]
    words = weights(number)
    packed = find_codec("lut").compress(words, number, fraction_bits=bits)
    back = find_codec("lut").decompress(packed, number, words.size)
    assert (
        back >> np.uint64(number.fraction_bits) == words >> np.uint64(number.fraction_bits)
    ).all()
    values, found = values_of(number, words), values_of(number, back)
    special = ~np.isfinite(values) | (np.abs(values) < 2.0**number.min_exponent)
    assert (back[special] == words[special]).all()
    errors = np.abs(found[~special] / values[~special] - 1)
    # No worse than a uniform table of as many entries, but for what lies at its ends.
    assert errors.max() <= 2.0**-bits


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("wide", [0, 1, 2, 5])
def test_host_and_golden_model_agree(name, wide):
    """Given the same tables, both directions give the same bits, escapes included."""
    number: Any = FORMATS[name]
    words = weights(number)
    packed = find_codec("lut").compress(words, number, exponent_bits=wide)
    fields = fields_of(number, packed.options)
    tables = packed.sections["tables"].words
    exponents, fractions = tables[: fields.exponents].tolist(), tables[fields.exponents :].tolist()
    used = len(set(exponents)) + (exponents[-1] == 0 and exponents[0] == 0)
    codes, raw = lut_compress(words, exponents[: used or 1], fractions, fields)
    back = lut_decompress(codes, raw, exponents, fractions, fields)
    there = find_codec("lut").decompress(packed, number, words.size)
    assert (there == back).all()
    assert (packed.sections["raw"].words == raw).all()
    # Of equal entries either may be named.
    same = packed.sections["codes"].words
    assert (lut_decompress(same, raw, exponents, fractions, fields) == back).all()


def wild_doubles():
    """Return float64 of all exponents, with subnormals, NaN of several payloads, -0, infinities."""
    rng = np.random.default_rng(3)
    drawn = np.concatenate([rng.normal(size=2000), np.ldexp(1.3, rng.integers(-1074, 1024, 500))])
    payloads = rng.integers(1, 1 << 51, 40, dtype=np.uint64)
    nan = payloads | np.uint64(0x7FF << 52) | np.arange(40, dtype=np.uint64) << np.uint64(63)
    ends = [0.0, -0.0, np.inf, -np.inf, 5e-324, -5e-324, 2.0**-1022, np.finfo(float).max]
    return rng.permutation(np.concatenate([drawn, ends, nan.view(np.float64)]))


def check_doubles(values, back, bits):
    """Check what came back by what NumPy says of numbers, not by fields of their words."""
    assert (np.signbit(back) == np.signbit(values)).all()
    exact = ~np.isfinite(values) | (np.abs(values) < np.finfo(float).tiny)
    assert np.isnan(values).sum() == 40
    assert (back.view(np.uint64) == values.view(np.uint64))[exact].all()
    mantissa, power = np.frexp(values[~exact])
    found, same = np.frexp(back[~exact])
    assert (power == same).all()
    assert np.abs(found / mantissa - 1).max() <= 2.0**-bits


@pytest.mark.parametrize("wide", [1, 5, 8])
def test_double_precision_in_the_golden_model(wide):
    values = wild_doubles()
    words = values.view(np.uint64)
    fields = Fields(11, 52, wide, 6)
    table = ((np.arange(64) + 0.5) * 2.0**46).astype(np.uint64).tolist()
    exponents = exponent_table(words, fields)
    codes, raw = lut_compress(words, exponents, table, fields)
    filled = [*exponents, *[0] * (fields.exponents - len(exponents))]
    assert raw.size < words.size
    check_doubles(values, lut_decompress(codes, raw, filled, table, fields).view(np.float64), 6)


@pytest.mark.parametrize("wide", [0, 1, 5, 8])
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_double_precision_on_the_host(wide, bits):
    values = wild_doubles()
    # Every second one of more, as of an array that is no row in memory.
    words = np.repeat(FP64.to_bits(values), 2)[::2]
    codec = find_codec("lut")
    packed = codec.compress(words, FP64, exponent_bits=wide, fraction_bits=bits)
    back = FP64.from_bits(codec.decompress(packed, FP64, words.size))
    check_doubles(values, back, bits)
    with pytest.raises(ValueError, match="no block decompresses fp64"):
        codec.block(packed, FP64, words.size, 8)


def test_exponents_are_ranked_as_documented():
    fields = Fields(5, 10, 2, 1)
    words = np.array([3 << 10, 0, 31 << 10, 7 << 10, 9 << 10], np.uint64)
    assert exponent_table(words, fields) == [0, 31, 9]


def test_nearest_prefers_the_lower_one():
    assert nearest([0, 3, 4, 5, 9, 200], [1, 7, 9, 9]).tolist() == [0, 0, 0, 1, 2, 3]


def test_best_centroids_against_all_divisions():
    rng = np.random.default_rng(5)
    for _ in range(100):
        n, k = int(rng.integers(3, 9)), int(rng.integers(2, 4))
        x, w = np.sort(rng.choice(60, n, replace=False)), rng.integers(1, 5, n)
        found, cost = best_centroids(x, w, k)
        if n <= k:
            assert found.tolist() == x.tolist()
            continue
        costs = []
        for cut in itertools.combinations(range(1, n), k - 1):
            parts = list(itertools.pairwise([0, *cut, n]))
            means = [np.average(x[a:b], weights=w[a:b]) for a, b in parts]
            terms = [
                ((x[a:b] - m) ** 2 * w[a:b]).sum() for (a, b), m in zip(parts, means, strict=True)
            ]
            costs.append(sum(terms))
        assert np.isclose(cost, min(costs))
        near = np.abs(x[:, None] - found).min(1)
        assert np.isclose((near**2 * w).sum(), cost)


def test_lloyd_is_that_of_scipy_and_no_better_than_the_best():
    rng = np.random.default_rng(6)
    x = np.sort(rng.choice(4000, 300, replace=False)).astype(float)
    ones = np.ones_like(x)
    span = (x.max() - x.min()) / 12
    start = x.min() + span * (np.arange(12) + 0.5)
    theirs, _ = scipy.cluster.vq.kmeans2(x[:, None], start[:, None], iter=20, minit="matrix")
    found = lloyd(x, ones, 12, iterations=20)
    assert np.allclose(found, theirs.ravel())
    error = (np.abs(x[:, None] - found).min(1) ** 2).sum()
    assert best_centroids(x, ones, 12)[1] <= error


def test_assignment_is_that_of_scipy():
    rng = np.random.default_rng(7)
    table = np.sort(rng.choice(128, 16, replace=False))
    fractions = np.arange(128)
    theirs, _ = scipy.cluster.vq.vq(fractions[:, None].astype(float), table[:, None].astype(float))
    assert (nearest(fractions, table.tolist()) == theirs).all()


def test_wrong_options():
    codec = CODECS["lut"]
    none = np.zeros(0, np.uint64)
    for options, text in (
        ({"fraction_bits": 0}, "fraction_bits must be an integer in 1..7"),
        ({"exponent_bits": 9}, "exponent_bits must be an integer in 0..8"),
        ({"method": "luck"}, "method must be one of best lloyd"),
    ):
        with pytest.raises(ValueError, match=text):
            codec.compress(none, find_format("bf16"), **options)
    with pytest.raises(ValueError, match="not int8"):
        codec.compress(none, find_format("int8"))
