"""The codec with tables: host, golden model, files, and the command line that leads to hardware."""

import itertools
import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import scipy.cluster.vq

from sluice.compression.centroids import best_centroids, lloyd
from sluice.compression.codec import CODECS, find_codec
from sluice.compression.section import Section
from sluice.compression.weights_file import FileError, read_file, tensors_of
from sluice.formats import find_format
from sluice_sim.golden.lut import Fields, exponent_table, lut_compress, lut_decompress, nearest

FORMATS = ("bf16", "fp16", "tf32", "fp32")


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
    number: Any = find_format(name)
    words = weights(number)
    values = values_of(number, words)
    sign, exponent, fraction = Fields(number.exponent_bits, number.fraction_bits, 1, 1).split(words)
    mantissa, power = np.frexp(np.abs(values))
    normal = np.isfinite(values) & (exponent != 0)
    assert (np.signbit(values) == sign).all()
    assert (power[normal] - 1 + number.bias == exponent[normal]).all()
    scaled = (2 * mantissa[normal] - 1) * 2**number.fraction_bits
    assert (scaled == fraction[normal]).all()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("bits", [1, 3, 4, 6])
def test_exponents_and_specials_come_back(name, bits):
    number: Any = find_format(name)
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
    number: Any = find_format(name)
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


def test_double_precision_in_the_golden_model():
    values = np.random.default_rng(3).normal(size=2000)
    words = values.view(np.uint64)
    fields = Fields(11, 52, 5, 6)
    table = np.linspace(0, (1 << 52) - 1, 64).astype(np.uint64).tolist()
    exponents = exponent_table(words, fields)
    codes, raw = lut_compress(words, exponents, table, fields)
    filled = [*exponents, *[0] * (fields.exponents - len(exponents))]
    back = lut_decompress(codes, raw, filled, table, fields).view(np.float64)
    assert (np.abs(back - values) <= np.abs(values) * 2.0**-6).all()


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


@pytest.mark.parametrize("width", [1, 3, 8, 10, 23, 64])
def test_sections_are_bits_side_by_side(width):
    rng = np.random.default_rng(8)
    words = rng.integers(0, (1 << width) - 1, 13, dtype=np.uint64, endpoint=True)
    data = Section(words, width).to_bytes()
    number = sum(int(w) << k * width for k, w in enumerate(words))
    assert data == number.to_bytes(-(-13 * width // 8), "little")
    assert (Section.from_bytes(data, count=13, width=width).words == words).all()
    with pytest.raises(ValueError, match="13 words"):
        Section.from_bytes(data + b"x", count=13, width=width)


def test_wrong_options():
    codec = CODECS["lut"]
    none = np.zeros(0, np.uint64)
    for options, text in (
        ({"fraction_bits": 0}, "fraction_bits must be in 1..7"),
        ({"exponent_bits": 9}, "exponent_bits must be in 0..8"),
        ({"method": "luck"}, "method must be one of best lloyd"),
    ):
        with pytest.raises(ValueError, match=text):
            codec.compress(none, find_format("bf16"), **options)
    with pytest.raises(ValueError, match="not int8"):
        codec.compress(none, find_format("int8"))
    with pytest.raises(ValueError, match="there are raw lut"):
        find_codec("zip")


@pytest.fixture
def model(tmp_path):
    rng = np.random.default_rng(9)
    tensors = {
        "fc.weight": (rng.normal(size=(32, 16)) * 0.1).astype(np.float32),
        "fc.bias": np.zeros(16, np.float32),
        "half": rng.normal(size=40).astype(ml_dtypes.bfloat16),
        "steps": np.arange(5),
        "none": np.zeros((0, 3), np.float16),
        "scalar": np.float32(3),
    }
    tensors = {name: np.asarray(t) for name, t in tensors.items()}
    safetensors.numpy.save_file(tensors, tmp_path / "m.safetensors")
    return tmp_path, tensors


def sluice(*arguments, cwd):
    command = [sys.executable, "-m", "sluice.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_a_model_there_and_back(model):
    folder, tensors = model
    done = sluice("compress", "m.safetensors", "-o", "m.sluice", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "fc.weight" in done.stdout
    done = sluice("decompress", "m.sluice", "-o", "back.safetensors", cwd=folder)
    assert done.returncode == 0, done.stderr
    back = {name: array for name, _, array in tensors_of(folder / "back.safetensors")}
    assert back.keys() == tensors.keys()
    for name, array in tensors.items():
        assert back[name].shape == array.shape
        assert back[name].dtype == array.dtype
        if name in ("steps", "fc.bias"):
            assert (back[name] == array).all()
        given, come = array.astype(np.float64), back[name].astype(np.float64)
        assert (np.abs(come - given) <= np.abs(given) * 2.0**-4).all()


def test_a_tensor_on_the_block(model):
    """What ``unpack`` prints, run, gives what ``decompress`` does."""
    folder, _ = model
    sluice("compress", "m.safetensors", "-o", "m.sluice", cwd=folder)
    done = sluice("unpack", "m.sluice", "fc.weight", "-o", "fc", cwd=folder)
    assert done.returncode == 0, done.stderr
    command = done.stdout.split()
    assert command[0] == "sluice"
    done = sluice(*command[1:], cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "no error" in done.stdout
    stored = read_file(folder / "m.sluice")["fc.weight"]
    fp32 = find_format("fp32")
    back = find_codec("lut").decompress(stored.packed, fp32, stored.count)
    assert (np.load(folder / "fc/o.npy").reshape(-1) == fp32.from_bits(back)).all()


def test_damaged_files(model):
    folder, _ = model
    sluice("compress", "m.safetensors", "-o", "m.sluice", cwd=folder)
    whole = (folder / "m.sluice").read_bytes()
    bad = folder / "bad.sluice"
    for data, text in (
        (b"", "no file of compressed tensors"),
        (whole[:30], "no file of compressed tensors"),
        (b"X" + whole[1:], "no file of compressed tensors"),
        (whole[:-64], "section"),
        (whole[:20] + b"X" + whole[21:], "directory"),
    ):
        bad.write_bytes(data)
        with pytest.raises(FileError, match=text):
            read_file(bad)
    flipped = bytearray(whole)
    flipped[-64] ^= 1
    bad.write_bytes(flipped)
    with pytest.raises(FileError, match="section"):
        read_file(bad)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("compress", "nothing", "-o", "x"), "cannot read nothing"),
        (("compress", "m.safetensors", "-o", "m.safetensors"), "exists"),
        (("compress", "m.safetensors", "-o", "x", "--set", "fraction_bits=9"), "1..8"),
        (("compress", "m.safetensors", "-o", "x", "--set", "bits=9"), "no option 'bits'"),
        (("compress", "m.safetensors", "-o", "x", "--codec", "zip"), "no codec 'zip'"),
        (("decompress", "m.safetensors", "-o", "x"), "sluice compress"),
        (("unpack", "m.safetensors", "a", "-o", "x"), "sluice compress"),
    ],
)
def test_one_line_is_said(model, arguments, text):
    folder, _ = model
    before = sorted(folder.rglob("*"))
    done = sluice(*arguments, cwd=folder)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert text in done.stderr
    assert sorted(folder.rglob("*")) == before
