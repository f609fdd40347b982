"""Stochastic rounding at the end of a multiply-add: exact fractions, and how often it rounds up."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from sluice.arith import MultiplyAddUnit
from sluice.formats import FORMATS
from sluice_sim.bench.arith import float_words, special_words
from sluice_sim.golden.arith import float_format, multiply_add
from sluice_sim.golden.formats import decode
from sluice_sim.sweep import sweep

FP8 = ("fp8_e4m3", "fp8_e5m2")


def unit(source: str, target: str, bits: int, *, flush: bool = False, stages: int = 0) -> Any:
    made: list[Any] = [FORMATS[source], FORMATS[target]]
    return MultiplyAddUnit(
        source=made[0], target=made[1], stages=stages, flush=flush, random_bits=bits
    )


def check(dut: Any, a: Any, b: Any, c: Any, r: Any) -> None:
    """Compare the datapath with the golden model."""
    got = sweep(dut, {"a": a, "b": b, "c": c, "random": r})
    want = multiply_add(
        a,
        b,
        c,
        source=dut.source.name,
        addend=dut.target.name,
        flush=dut.flush,
        random=r,
        random_bits=dut.random_bits,
    )
    wrong = np.flatnonzero(got != want)
    if len(wrong):
        k = wrong[0]
        pytest.fail(
            f"{len(wrong)} of {len(got)} wrong: {a[k]:x} * {b[k]:x} + {c[k]:x}, random {r[k]:x} "
            f"gives {got[k]:x}, not {want[k]:x}"
        )


def operands(source: str, target: str, rng: np.random.Generator, count: int) -> list[Any]:
    """Return factors and addends, half of which all but cancel the products."""
    src, dst = float_format(source), float_format(target)
    a, b = (float_words(src, rng, count) for _ in range(2))
    c = float_words(dst, rng, count)
    nearby = multiply_add(a, b, np.zeros(count, np.int64), source=source, addend=target)
    change = rng.integers(-3, 4, count) << rng.integers(0, dst.width, count)
    moved = (nearby.astype(np.int64) ^ 1 << dst.width - 1) + change & (1 << dst.width) - 1
    return [a, b, np.where(rng.random(count) < 0.4, moved.astype(np.uint64), c)]


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize(
    ("source", "target", "bits"),
    [
        ("fp8_e4m3", "fp8_e4m3", 8),
        ("fp8_e5m2", "fp8_e5m2", 1),
        ("fp8_e5m2", "fp16", 5),
        ("fp16", "fp16", 16),
        ("bf16", "bf16", 4),
        ("bf16", "fp32", 8),
        ("fp32", "fp32", 9),
    ],
)
def test_against_golden(source, target, bits, flush):
    rng = np.random.default_rng(1)
    count = 10000
    dut = unit(source, target, bits, flush=flush)
    a, b, c = operands(source, target, rng, count)
    # Both ends, where a carry is surest to come or not to come.
    r = rng.choice([0, 1, (1 << bits) - 1, (1 << bits) - 2], count) % (1 << bits)
    r = np.where(rng.random(count) < 0.6, rng.integers(0, 1 << bits, count), r).astype(np.uint64)
    check(dut, a, b, c, r)


@pytest.mark.parametrize("bits", [6, 7, 8, 9])
@pytest.mark.parametrize(("source", "target"), [("bf16", "fp32"), ("fp8_e5m2", "fp16")])
def test_operands_far_apart(source, target, bits):
    """Differences of every distance at which what is far below still decides."""
    src, dst = float_format(source), float_format(target)
    rng = np.random.default_rng(3)
    one = src.bias << src.mantissa_bits
    found = []
    for distance in range(dst.mantissa_bits + bits + 6):
        for _ in range(40):
            ea = int(rng.integers(2, 2 * src.bias - 2))
            fractions = rng.choice([0, 1, (1 << src.mantissa_bits) - 1], 2)
            up = int(rng.integers(-3, 4)) + distance
            a = ea << src.mantissa_bits | int(fractions[0])
            b = one | int(fractions[1])
            ec = ea - src.bias + dst.bias + up
            if not 0 < ec < 2 * dst.bias:
                continue
            fraction = int(rng.choice([0, 0, 1, (1 << dst.mantissa_bits) - 1]))
            sign = int(rng.integers(2)) << dst.width - 1
            found.append((a, b, ec << dst.mantissa_bits | fraction | sign))
    a, b, c = np.array(found, np.uint64).repeat(6, axis=0).T
    r = np.resize([0, 1, 2, (1 << bits) - 1, (1 << bits) - 2, 1 << bits - 1], len(a))
    check(unit(source, target, bits), a, b, c, r.astype(np.uint64))


@pytest.mark.parametrize("number", FP8)
def test_specials(number):
    """Every combination of three special words, with the least and the largest random bits."""
    special = special_words(float_format(number))
    a, b, c, r = (x.ravel() for x in np.meshgrid(special, special, special, [0, 100, 255]))
    check(unit(number, number, 8), a, b, c, r.astype(np.uint64))


def exact(word: int, name: str) -> Fraction:
    return Fraction(float(decode(np.array([word]), name)[0]))


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize(
    ("source", "target"), [("fp8_e4m3", "fp8_e4m3"), ("fp8_e5m2", "fp16"), ("bf16", "bf16")]
)
def test_golden_against_fractions(source, target, bits):
    """The rule itself, with Python's fractions: floor(delta * 2**R) + r >= 2**R rounds up."""
    rng = np.random.default_rng(5)
    dst = float_format(target)
    a, b, c = operands(source, target, rng, 3000)
    r = rng.integers(0, 1 << bits, 3000)
    got = multiply_add(a, b, c, source=source, addend=target, random=r, random_bits=bits)
    values = [decode(x, f) for x, f in ((a, source), (b, source), (c, target))]
    for k in np.flatnonzero(np.isfinite(values).all(axis=0)):
        total = exact(a[k], source) * exact(b[k], source) + exact(c[k], target)
        if not total:
            continue
        size, exponent = abs(total), 1 - dst.bias
        while size >= Fraction(2) ** (exponent + 1):
            exponent += 1
        quantum = Fraction(2) ** (exponent - dst.mantissa_bits)
        kept, delta = divmod(size / quantum, 1)
        kept += int(delta * 2**bits) + int(r[k]) >= 2**bits
        word = int(got[k])
        if kept * quantum > Fraction(dst.max):
            assert not np.isfinite(decode(np.array([word]), target)[0])
        else:
            assert exact(word, target) == (-kept if total < 0 else kept) * quantum
            assert word >> dst.width - 1 == (total < 0)


def test_probability():
    """A result ``steps/256`` of a quantum above a number rounds up for as many of 256 values."""
    # In bf16: the number below, and the exponent of its quantum.
    places = {"normal": (0x3F80, -7), "subnormal": (0x0011, -133), "least": (0, -133)}
    places["overflow"] = (0x7F7F, 120)
    r = np.arange(256, dtype=np.uint64)
    tried: list[Any] = []
    for c, exponent in places.values():
        for steps in (0, 1, 64, 128, 255):
            for sign in (0, 0x8000):
                word = int(np.array([steps], np.float32).view(np.uint32)[0]) >> 16
                # The product is steps * 2**(exponent - 8), which the factors share.
                half = (exponent - 8) // 2
                a = (word + (half << 7) if steps else 0) | sign
                b = 127 + exponent - 8 - half << 7
                full = [np.full(256, x, np.uint64) for x in (a, b, c | sign)]
                got = multiply_add(*full, source="bf16", addend="bf16", random=r)
                up = got != c | sign
                # The largest values of r are those that round up.
                assert up.tolist() == [k >= 256 - steps for k in range(256)]
                assert set(got.tolist()) <= {c | sign, c + 1 | sign}
                tried.append([*full, r])
    check(unit("bf16", "bf16", 8), *np.concatenate(tried, axis=1))


def test_zeros_and_nan():
    """A sum of nothing has the sign of IEEE 754, and what rounds to nothing keeps its own."""
    one, tiny = 0x3F80, 0x0080
    r = np.array([0, 128, 255])
    dut = unit("bf16", "bf16", 8)

    def results(a: int, b: int, c: int) -> list[int]:
        full: list[Any] = [np.full(3, x, np.uint64) for x in (a, b, c)]
        check(dut, full[0], full[1], full[2], r.astype(np.uint64))
        found = multiply_add(full[0], full[1], full[2], source="bf16", addend="bf16", random=r)
        return found.tolist()

    assert results(one, one, 0xBF80) == [0, 0, 0]
    assert results(0x8000, one, 0x8000) == [0x8000] * 3
    assert results(0x8000, one, 0) == [0, 0, 0]
    # 2**-252 is less than 2**-8 of the quantum, so that it never rounds up.
    assert results(tiny | 0x8000, tiny, 0) == [0x8000] * 3
    assert results(0x7F80, 0, one) == [0x7FC0] * 3
    assert results(0x7F80, one, 0xFF80) == [0x7FC0] * 3
    assert results(0xFF80, one, one) == [0xFF80] * 3


def test_random_bits_come_late():
    """The random bits meet the datapath ``random_lead`` cycles behind the factors."""
    rng = np.random.default_rng(8)
    for stages in (4, 18):
        dut = unit("bf16", "fp32", 8, stages=stages)
        a, b, c = operands("bf16", "fp32", rng, 500)
        r = rng.integers(0, 256, 500).astype(np.uint64)
        late = np.concatenate([np.zeros(dut.random_lead, np.uint64), r])
        a, b, c = (np.concatenate([x, x[: dut.random_lead]]) for x in (a, b, c))
        got = sweep(dut, {"a": a, "b": b, "c": c, "random": late})[:500]
        want = multiply_add(
            a[:500], b[:500], c[:500], source="bf16", addend="fp32", random=r, random_bits=8
        )
        assert got.tolist() == want.tolist()
