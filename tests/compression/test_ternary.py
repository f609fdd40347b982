"""Compressed ternary weights: their format, size, rate, and sums with them."""

import importlib
import inspect
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice.compression import TernaryCompress, TernaryDecompress, TernaryDot
from sluice.tensors import beats_of, rows_of
from sluice_sim.formal import Proof, ternary
from sluice_sim.golden.ternary import ternary_compress, ternary_decompress, ternary_dot
from sluice_sim.play import play

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/compression-ternary.md"
RESULTS = ROOT / "boards/sluice_boards/results"
CODES = {"natural": (0b00, 0b01, 0b11), "signs": (0b00, 0b01, 0b10), "moved": (0b10, 0b11, 0b00)}
# The fractions of zeros that the page gives sizes of.
FRACTIONS = (0, 1 / 3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


def random_weights(zeros: float, count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(count) < zeros, 0, rng.choice([1, -1], count))


def strings(longest: int) -> list[np.ndarray]:
    """Return all weights there are of up to so many."""
    lengths = range(longest + 1)
    return [np.array(w, int) for n in lengths for w in itertools.product((0, 1, -1), repeat=n)]


def to_bytes(weights: np.ndarray) -> tuple[bytes, bytes]:
    """Return the format as bytes, from its page alone: texts of bits, and the order of items."""
    names = {0: "00", 1: "01", -1: "11"}
    text = [names[w] for w in [*weights.tolist(), *[0] * (weights.size % 2)]]
    items = [second + first for first, second in zip(text[::2], text[1::2], strict=True)]
    ranks = sorted({a + b for a in names.values() for b in names.values()})
    flags = [item != "0000" for item in items]
    # The rank of 0000 is none.
    values = [f"{ranks.index(item) - 1:03b}"[::-1] for item in items if item != "0000"]
    bits = [int(bit) for value in values for bit in value]
    packed = [np.packbits(np.array(b, bool), bitorder="little").tobytes() for b in (flags, bits)]
    return packed[0], packed[1]


def from_bytes(flags: bytes, values: bytes, count: int) -> list[int]:
    """Return the weights that such bytes stand for."""
    ranks = ["0001", "0011", "0100", "0101", "0111", "1100", "1101", "1111"]
    weights = {"00": 0, "01": 1, "11": -1}
    chosen = np.unpackbits(np.frombuffer(flags, np.uint8), bitorder="little")[: -(-count // 2)]
    bits = np.unpackbits(np.frombuffer(values, np.uint8), bitorder="little").tolist()
    found: list[int] = []
    for flag in chosen.tolist():
        item = "0000"
        if flag:
            item = ranks[bits[0] + 2 * bits[1] + 4 * bits[2]]
            bits = bits[3:]
        found += [weights[item[2:]], weights[item[:2]]]
    return found[:count]


def bytes_of(payloads: list[int], beat: Any) -> bytes:
    """Return the elements of a packet, without gaps, as they lie in memory."""
    (row,) = rows_of(payloads, beat)
    width = beat.element_width
    bits = [int(word) >> b & 1 for word in row for b in range(width)]
    return np.packbits(np.array(bits, bool), bitorder="little").tobytes()


@pytest.mark.parametrize("name", CODES)
def test_all_short_strings_come_back(name):
    codes = CODES[name]
    for weights in strings(7):
        words = np.array(codes)[weights]
        flags, values, illegal = ternary_compress(words, codes=codes)
        back = ternary_decompress(flags, values, odd=bool(weights.size % 2), codes=codes)
        assert (back == words).all()
        assert back.size == words.size
        assert not illegal
        # Whatever the codes are, these are the same.
        natural = ternary_compress(weights & 3)
        assert (flags == natural[0]).all()
        assert (values == natural[1]).all()


def test_bytes_are_those_of_the_page():
    for weights in (*strings(6), random_weights(0.4, 1001), random_weights(0.9, 4096)):
        flags, values, _ = ternary_compress(weights & 3)
        bits = values.astype(np.uint8)[:, None] >> np.arange(3, dtype=np.uint8) & 1
        packed = [np.packbits(b, bitorder="little").tobytes() for b in (flags, bits.astype(bool))]
        assert tuple(packed) == to_bytes(weights)
        assert from_bytes(*to_bytes(weights), weights.size) == weights.tolist()


def test_hardware_compresses_all_short_strings():
    """One packet each, right behind each other; their bytes are those of the page."""
    block = TernaryCompress(lanes=4, stages=2)
    given = [w for w in strings(6) if w.size]
    words = [b for w in given for b in beats_of((w & 3).astype(np.uint64), block.i_beat)]
    counts = {"flags": len(words), "values": 0}
    for weights in given:
        pairs = int(ternary_compress(weights & 3)[0].sum())
        counts["values"] += max(1, -(-pairs // block.pairs))
    played = play(block, {"i": words}, counts, limit=10 * len(words))
    assert (np.diff(played["i"]) == 1).all()
    for name, place in (("flags", 0), ("values", 1)):
        beat = block.flags_beat if name == "flags" else block.values_beat
        top = beat.data_bits + beat.lanes
        ends = np.flatnonzero([word >> top for word in played.words[name]]) + 1
        packets = np.split(np.array(played.words[name], object), ends[:-1])
        found = [bytes_of(packet.tolist(), beat) for packet in packets]
        assert found == [to_bytes(weights)[place] for weights in given]


@pytest.mark.parametrize("odd", [0, 1])
def test_hardware_decompresses_all_short_strings(odd):
    block = TernaryDecompress(lanes=4, stages=2)
    given = [w for w in strings(6) if w.size and w.size % 2 == odd]
    sent: dict[str, list[int]] = {"flags": [], "values": []}
    for weights in given:
        flags, values, _ = ternary_compress(weights & 3)
        sent["flags"] += beats_of(flags.astype(np.uint64), block.flags_beat)
        sent["values"] += beats_of(values, block.values_beat)
    count = len(sent["flags"])
    played = play(block, sent, {"o": count}, limit=10 * count, settings={"config": odd})
    assert (np.diff(played["o"]) == 1).all()
    rows = rows_of(played.words["o"], block.o_beat)
    assert [row.tolist() for row in rows] == [(w & 3).tolist() for w in given]


def test_rate_at_every_density():
    """A beat goes in with every cycle, from all zeros to none and back, and all comes back."""
    parts = [random_weights(z, 256, k) for k, z in enumerate((1, 0, 0.5, 0.95, 0.1, 1, 0.3, 0))]
    weights = np.concatenate(parts)
    block, back = TernaryCompress(), TernaryDecompress()
    words = list(beats_of((weights & 3).astype(np.uint64), block.i_beat))
    _, values, _ = ternary_compress(weights & 3)
    counts = {"flags": len(words), "values": -(-values.size // block.pairs)}
    played = play(block, {"i": words}, counts, limit=1000)
    assert (np.diff(played["i"]) == 1).all()
    assert (np.diff(played["flags"]) == 1).all()
    sent = {name: played.words[name] for name in ("flags", "values")}
    played = play(back, sent, {"o": len(words)}, limit=1000)
    assert (np.diff(played["o"]) == 1).all()
    assert rows_of(played.words["o"], back.o_beat)[0].tolist() == (weights & 3).tolist()


def bits_per_weight(weights: np.ndarray) -> float:
    flags, values, _ = ternary_compress(weights & 3)
    return (flags.size + 3 * values.size) / weights.size


def size_rows() -> list[str]:
    """Return the rows of the page's table: zeros, formula, 100,000 weights, entropy."""
    rows: list[str] = []
    for z in FRACTIONS:
        formula = (1 + 3 * (1 - z * z)) / 2
        found = bits_per_weight(random_weights(z, 100_000))
        parts = [(z, 1), ((1 - z) / 2, 2)]
        entropy = sum(-n * p * np.log2(p) for p, n in parts if p)
        cells = (f"{z:.2f}", f"{formula:.3f}", f"{found:.3f}", f"{entropy:.2f}")
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def test_size_is_that_of_the_formula():
    for z in FRACTIONS:
        found = bits_per_weight(random_weights(z, 100_000, seed=2))
        assert found == pytest.approx((1 + 3 * (1 - z * z)) / 2, rel=0.01)


def test_sizes_of_the_page_are_fresh():
    page = PAGE.read_text()
    assert [row for row in size_rows() if row not in page] == []


def test_never_more_than_two_bits():
    for weights in strings(8):
        if weights.size and weights.size % 2 == 0:
            assert bits_per_weight(weights) <= 2
    assert bits_per_weight(random_weights(0, 1000)) == 2


@pytest.mark.parametrize("zeros", [0, 0.5, 0.9])
def test_sums_are_those_of_numpy(zeros):
    """A row of numbers and one of weights for each sum, as a matrix and a vector."""
    rng = np.random.default_rng(3)
    numbers = rng.integers(-128, 128, (6, 250))
    weights = np.array([random_weights(zeros, 250, k) for k in range(6)])
    block = TernaryDot()
    sent: dict[str, list[int]] = {"flags": [], "values": [], "i": []}
    for x, w in zip(numbers, weights, strict=True):
        flags, values, _ = ternary_compress(w & 3)
        sent["flags"] += beats_of(flags.astype(np.uint64), block.flags_beat)
        sent["values"] += beats_of(values, block.values_beat)
        sent["i"] += beats_of((x & 255).astype(np.uint64), block.i_beat)
        assert ternary_dot(flags, values, x, lanes=16) == (int(x @ w), False)
    played = play(block, sent, {"o": 6}, limit=1000)
    assert (np.diff(played["i"]) == 1).all()
    found = [int(row[0]) for row in rows_of(played.words["o"], block.o_beat)]
    assert found == [int(s) & (1 << 32) - 1 for s in (numbers * weights).sum(axis=1)]


@pytest.mark.parametrize(
    ("name", "least"),
    [("ternary_compress", 200), ("ternary_decompress", 200), ("ternary_dot", 160)],
)
def test_what_was_measured_is_fast(name, least):
    """16 weights per cycle at 200 MHz, and less where they are summed."""
    (record,) = (
        r
        for r in json.loads((RESULTS / f"{name}.json").read_text())
        if (r["preset"], r["device"]) == ("default", "ecp5-85k")
    )
    assert record["worst_mhz"] >= least


def test_codes_are_checked():
    for text in ("00,01", "00,01,01", "0,1,3", "00,01,11,10", "00 01 11", ""):
        with pytest.raises(ValueError, match="codes must be"):
            TernaryCompress(codes=text)
    assert TernaryDecompress(codes=" 00, 01, 10").codes == "00,01,10"


BROKEN = [
    ("ternary_compress", "found & given.keep[k].replicate(2)", "found", "flags: changed"),
    (
        "ternary_compress",
        "values.valid.eq(come.valid & flags.i.ready)",
        "values.valid.eq(come.valid)",
        "values: changed",
    ),
    ("ternary_decompress", "~(single & ~behind)", "~single", "flags to o: changed"),
    (
        "ternary_dot",
        "self.o.valid.eq(pipeline.o.valid & result.last)",
        "self.o.valid.eq(pipeline.o.valid)",
        "out than went in",
    ),
]


@pytest.mark.parametrize(("name", "right", "wrong", "told"), BROKEN, ids=[b[1] for b in BROKEN])
def test_broken_block_is_refuted(name, right, wrong, told):
    module = f"sluice.compression.{name}"
    source = inspect.getsource(importlib.import_module(module))
    assert source.count(right) == 1
    scope: dict[str, Any] = {"__name__": module}
    exec(compile(source.replace(right, wrong), module, "exec"), scope)
    proof = Proof(scope[name.title().replace("_", "")](lanes=4, stages=0))
    getattr(ternary, f"prove_{name}")(proof)
    # That property alone, as each one takes its time.
    proof.never = {name: bad for name, bad in proof.never.items() if told in name}
    verdict = proof.run(seconds=60)
    assert not verdict.proven
    assert verdict.refuted == tuple(proof.never)
