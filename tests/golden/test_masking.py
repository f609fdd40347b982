"""The golden masks against NumPy, SciPy, the definition of each kind, and traces of PyTorch."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scipy.linalg import block_diag

from sluice_sim.golden.masking import alternative_value, mask_matrix, mask_rows, term_mask

ROOT = Path(__file__).resolve().parents[2]
TRACES = dict(np.load(ROOT / "tests/data/masking/traces.npz"))

# What scripts/masking_traces.py made them with; the script itself needs PyTorch.
DIAGONALS = (-9, -3, -1, 0, 1, 2, 9)
LENGTHS = (0, 1, 3, 9)
DTYPES: dict[str, tuple[Any, Any]] = {
    "bf16": (ml_dtypes.bfloat16, np.uint16),
    "fp16": (np.float16, np.uint16),
    "fp32": (np.float32, np.uint32),
}
SHAPES = ((1, 1), (5, 5), (8, 8), (4, 9), (9, 4))
CASES = [
    pytest.param(name, shape, id=f"{name}-{shape[0]}x{shape[1]}")
    for name in DTYPES
    for shape in SHAPES
]


def term(kind, a=0, b=0, *, invert=False, operation="and"):
    return {"kind": kind, "a": a, "b": b, "invert": invert, "operation": operation}


def bits_of(x):
    return x.view({2: np.uint16, 4: np.uint32}[x.dtype.itemsize])


# ---------------------------------------------------------------------------- NumPy and SciPy


@pytest.mark.parametrize("shape", [*SHAPES, (3, 0), (7, 40)])
@pytest.mark.parametrize("a", [-41, -8, -1, 0, 1, 3, 41])
def test_triangles_against_numpy(shape, a):
    """``tril(a)`` keeps c <= r + a and ``triu(a)`` c >= r + a; band is one inside the other."""
    x = np.arange(1, 1 + shape[0] * shape[1], dtype=np.int32).reshape(shape)
    assert np.array_equal(mask_matrix(x, [term("lower", a)]), np.tril(x, a))
    assert np.array_equal(mask_matrix(x, [term("upper", a)]), np.triu(x, a))
    for b in (a - 1, a, a + 4):
        band = np.triu(np.tril(x, b), a)
        assert np.array_equal(mask_matrix(x, [term("band", a, b)]), band)
        joined = [term("lower", b), term("upper", a)]
        assert np.array_equal(mask_matrix(x, joined), band)


@pytest.mark.parametrize("count", [-3, 0, 1, 4, 9, 12])
def test_padding_against_slices(count):
    x = np.arange(1, 73, dtype=np.int16).reshape(8, 9)
    columns, rows = np.zeros_like(x), np.zeros_like(x)
    n = max(0, count)
    columns[:, :n], rows[:n] = x[:, :n], x[:n]
    assert np.array_equal(mask_matrix(x, [term("columns", count)]), columns)
    assert np.array_equal(mask_matrix(x, [term("rows", count)]), rows)


@pytest.mark.parametrize("lengths", [[9], [4, 5], [1, 1, 7], [3, 2, 4], [2, 2], [1]])
def test_segments_against_scipy(lengths):
    """Packed sequences see each other in blocks; rows and columns behind them see nothing."""
    blocks = block_diag(*[np.ones((n, n), bool) for n in lengths])
    expected = np.zeros((9, 9), bool)
    expected[: blocks.shape[0], : blocks.shape[1]] = blocks
    ended = [*lengths, 0, 5]
    for listed in (lengths, ended):
        assert np.array_equal(term_mask(term("segments"), (9, 9), segments=listed), expected)
    causal = mask_rows((9, 9), [term("segments"), term("lower")], segments=lengths)
    assert np.array_equal(causal, np.tril(expected))


@pytest.mark.parametrize("seed", range(20))
def test_joined_terms_against_sets(seed):
    """Terms are worked off from left to right, whatever the operation of the first."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    external = rng.random(shape) < 0.5
    terms = []
    kept: set[tuple[int, int]] = set()
    cells = {(r, c) for r in range(shape[0]) for c in range(shape[1])}
    definitions = {
        "none": lambda r, c, a, b: False,
        "all": lambda r, c, a, b: True,
        "lower": lambda r, c, a, b: c <= r + a,
        "upper": lambda r, c, a, b: c >= r + a,
        "band": lambda r, c, a, b: r + a <= c <= r + b,
        "columns": lambda r, c, a, b: c < a,
        "rows": lambda r, c, a, b: r < a,
        "external": lambda r, c, a, b: bool(external[r, c]),
    }
    for n in range(4):
        kind = str(rng.choice(list(definitions)))
        a, b = (int(v) for v in rng.integers(-4, 9, 2))
        invert, operation = bool(rng.integers(0, 2)), str(rng.choice(["and", "or"]))
        terms.append(term(kind, a, b, invert=invert, operation=operation))
        own = {(r, c) for r, c in cells if definitions[kind](r, c, a, b) != invert}
        kept = own if n == 0 else kept | own if operation == "or" else kept & own
        mask = mask_rows(shape, terms, external=external)
        assert {(int(r), int(c)) for r, c in np.argwhere(mask)} == kept


def test_masked_values_do_not_spread():
    """What the arithmetic that the multiplexer replaces gets wrong: NaN, and sums that overflow."""
    x = np.array([[1.0, np.nan, -65504.0, np.inf]], np.float16)
    found = mask_matrix(x, [term("columns", 1)], alternative="lowest")
    assert np.array_equal(found, np.array([[1.0, -65504, -65504, -65504]], np.float16))
    with np.errstate(over="ignore", invalid="ignore"):
        added = x + np.where([[True, False, False, False]], 0, np.float16(-65504))
    assert not np.isfinite(added[0, 1:]).any()


@pytest.mark.parametrize(
    ("choice", "dtype", "expected"),
    [
        ("minus_infinity", ml_dtypes.float8_e5m2, 0xFC),
        ("minus_infinity", ml_dtypes.float8_e4m3fn, 0xFE),
        ("lowest", ml_dtypes.float8_e4m3fn, 0xFE),
        ("lowest", ml_dtypes.float8_e5m2, 0xFB),
        ("lowest", np.int8, 0x80),
        ("minus_infinity", np.int8, 0x80),
        ("zero", np.int8, 0),
    ],
)
def test_alternatives_without_infinity(choice, dtype, expected):
    assert np.asarray(alternative_value(choice, dtype)).view(np.uint8) == expected


# ----------------------------------------------------------------------------------- PyTorch


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_traces(name, shape):
    dtype, holder = DTYPES[name]
    key = f"{name}/{shape[0]}x{shape[1]}"
    x = TRACES[f"{key}/x"].astype(holder).view(dtype)

    def same(terms, alternative, expected):
        found = mask_matrix(x, terms, alternative=alternative)
        # Bits and not values: NaN and both zeros have to come out as they went in.
        assert np.array_equal(bits_of(found), expected.astype(holder))

    for a, lower, upper in zip(
        DIAGONALS, TRACES[f"{key}/tril"], TRACES[f"{key}/triu"], strict=True
    ):
        same([term("lower", a)], "zero", lower)
        same([term("upper", a)], "zero", upper)
    for alternative in ("minus_infinity", "lowest", "zero"):
        [causal] = TRACES[f"{key}/causal/{alternative}"]
        same([term("lower")], alternative, causal)
        same([term("upper", 1, invert=True)], alternative, causal)
        padded = TRACES[f"{key}/padding/{alternative}"]
        both = TRACES[f"{key}/padding_rows/{alternative}"]
        for n, columns, corner in zip(LENGTHS, padded, both, strict=True):
            same([term("columns", n)], alternative, columns)
            same([term("rows", n), term("columns", n)], alternative, corner)


def test_square_subsequent_mask():
    found = mask_matrix(np.zeros((9, 9), np.float32), [term("lower")], alternative="minus_infinity")
    assert np.array_equal(bits_of(found), TRACES["fp32/9x9/square_subsequent"])


@pytest.mark.torch
def test_traces_are_those_of_torch():
    # It imports torch, which the default tests do without.
    import masking_traces

    assert (masking_traces.DIAGONALS, masking_traces.LENGTHS) == (DIAGONALS, LENGTHS)
    made = masking_traces.make()
    assert made.keys() == TRACES.keys()
    for key, array in made.items():
        assert np.array_equal(array, TRACES[key]), key
