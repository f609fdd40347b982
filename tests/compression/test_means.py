"""Means by index: the golden model against NumPy and SciPy, and Lloyd's iterations made of it."""

import itertools
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.cluster.vq
from amaranth import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.catalogue import RequestError, find_block
from sluice.compression import CentroidMeans, LutCompress
from sluice.compression.centroids import best_centroids
from sluice.formats import find_format
from sluice.stream import Fifo, Fork
from sluice_sim.bench.spec import beats, elements
from sluice_sim.golden.lut import Fields, exponent_table, lut_compress, nearest
from sluice_sim.golden.means import centroid_means
from sluice_sim.play import play

WEIGHTS = Path(__file__).resolve().parents[1] / "data/digits/w1.npy"


@pytest.mark.parametrize(("width", "bits"), [(1, 1), (7, 4), (10, 8), (32, 3)])
def test_means_are_those_of_fractions_and_bincount(width, bits):
    rng = np.random.default_rng(width)
    for size in (0, 1, 2, 30, 1000):
        x = rng.integers(0, 1 << width, size)
        at, kept = rng.integers(0, 1 << bits, size), rng.integers(0, 1 << width, 1 << bits)
        found = centroid_means(x, at, kept).tolist()
        exact = [
            Fraction(int(x[at == c].sum()), int((at == c).sum())) if (at == c).any() else None
            for c in range(1 << bits)
        ]
        # Halves go up.
        assert found == [
            int(k) if e is None else int((e + Fraction(1, 2)) // 1)
            for e, k in zip(exact, kept, strict=True)
        ]
        if width < 32:
            counts, sums = (np.bincount(at, w, 1 << bits) for w in (None, x))
            there = counts > 0
            means = np.floor(sums[there] / counts[there] + 0.5)
            assert (np.array(found)[there] == means).all()


@pytest.mark.parametrize("bits", [1, 4, 6])
def test_one_iteration_is_that_of_scipy(bits):
    """Which also keeps a centroid that no value is nearest to."""
    rng = np.random.default_rng(bits)
    for size in (1, 5, 40, 2000):
        x = rng.integers(0, 128, size)
        table = np.sort(rng.choice(128, 1 << bits, replace=False))
        codes, _ = scipy.cluster.vq.vq(x[:, None].astype(float), table[:, None].astype(float))
        with warnings.catch_warnings():
            # That it has met an empty cluster.
            warnings.simplefilter("ignore", UserWarning)
            theirs, _ = scipy.cluster.vq.kmeans2(
                x[:, None].astype(float), table[:, None].astype(float), iter=1, minit="matrix"
            )
        found = centroid_means(x, codes, table)
        assert (found == np.floor(theirs.ravel() + 0.5)).all()
        assert (found == centroid_means(x, nearest(x, table.tolist()), table)).all()


def test_bad_tables_and_indices():
    with pytest.raises(ValueError, match=r"0\.\.3"):
        centroid_means([1], [4], [0, 0])
    with pytest.raises(RequestError, match=r"width must be an integer in 1\.\.32"):
        find_block("centroid_means").make(width=33)


def weights_in(name):
    """Return a trained layer's weights as bit patterns, their format and its fields."""
    number: Any = find_format(name)
    words = number.to_bits(np.load(WEIGHTS).reshape(-1).astype(number.dtype))
    return words, number, Fields(number.exponent_bits, number.fraction_bits, 5, 4)


def even_table(fields):
    span = np.arange(fields.fractions) * 2 + 1
    return ((span << fields.fraction) // (2 * fields.fractions)).tolist()


def iterate(words, fields, table):
    """Return the table after an iteration, and the squared error before it."""
    codes, _ = lut_compress(words, exponent_table(words, fields), table, fields)
    _, exponent, fraction = fields.split(words)
    index = codes & np.uint64(fields.fractions - 1)
    escapes = codes >> np.uint64(fields.fraction_bits) & np.uint64(fields.exponents)
    skip = (escapes == fields.exponents) | fields.is_special(exponent)
    error = np.asarray(table)[index.astype(int)] - fraction.astype(int)
    following = centroid_means(fraction, index + skip * np.uint64(fields.fractions), table)
    return following.tolist(), int((error[~skip] ** 2).sum())


def best_error(words, fields):
    """Return the squared error of the best table there is, of integers as any table is."""
    _, exponent, fraction = fields.split(words)
    x, counts = np.unique(fraction[~fields.is_special(exponent)].astype(int), return_counts=True)
    found, least = best_centroids(x, counts, fields.fractions)
    table = np.rint(found).astype(int)
    error = int(((table[nearest(x, table.tolist()).astype(int)] - x) ** 2 * counts).sum())
    assert error >= least * (1 - 1e-9)
    return error


@pytest.mark.parametrize("name", ["bf16", "fp16", "fp32"])
def test_iterations_end_near_the_best_table(name):
    """From an even table, within 3 % of the host's best."""
    words, _, fields = weights_in(name)
    table, errors = even_table(fields), []
    while True:
        following, error = iterate(words, fields, table)
        errors.append(error)
        assert following == sorted(following)
        if following == table:
            break
        table = following
    assert all(b <= a for a, b in itertools.pairwise(errors))
    assert errors[-1] < errors[0]
    assert best_error(words, fields) <= errors[-1] <= 1.03 * best_error(words, fields)


@pytest.mark.parametrize(("name", "most"), [("bf16", 2.2), ("fp16", 1.2), ("fp32", 1.2)])
def test_iterations_from_a_bad_table(name, most):
    """All centroids near zero, most without a value: they spread, and not as far in few bits."""
    words, _, fields = weights_in(name)
    table, errors = list(range(fields.fractions)), []
    while True:
        following, error = iterate(words, fields, table)
        errors.append(error)
        if following == table:
            break
        table = following
    assert all(b <= a for a, b in itertools.pairwise(errors))
    assert errors[-1] <= most * best_error(words, fields) < errors[0] / 100


class Loop(Block):
    """Iterations on chip: the means of one are the centroids of the next.

    ``i`` has the weights twice for each iteration, to be scanned and compressed; ``start`` has the
    first centroids, and ``o`` those and the means of all iterations.
    """

    i: Any
    start: Any
    o: Any
    PARAMETERS = ()

    def __init__(self):
        self.lut = LutCompress()
        f = self.lut.format
        self.means = CentroidMeans(width=f.entry_width, index_bits=f.fraction_bits, skips=True)
        super().__init__(
            {
                "i": In(stream.Signature(f.words_beat)),
                "start": In(stream.Signature(f.entries_beat)),
                "o": Out(stream.Signature(f.entries_beat)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        f = self.lut.format
        m.submodules.lut, m.submodules.means = lut, means = self.lut, self.means
        m.submodules.words = words = Fifo(shape=f.words_beat, depth=64)
        m.submodules.fork = fork = Fork(shape=f.entries_beat, outputs=3)
        scan, started = Signal(init=1), Signal()
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += scan.eq(scan ^ self.i.payload.last)
        with m.If(self.start.valid & self.start.ready & self.start.payload.last):
            m.d.sync += started.eq(1)
        goes = words.i.ready | scan
        m.d.comb += [
            lut.config.scan.eq(scan),
            lut.i.valid.eq(self.i.valid & goes),
            lut.i.payload.eq(self.i.payload),
            self.i.ready.eq(lut.i.ready & goes),
            words.i.valid.eq(self.i.valid & lut.i.ready & ~scan),
            words.i.payload.eq(self.i.payload),
            lut.tables.ready.eq(1),
            lut.raw.ready.eq(1),
        ]
        for beat, come in ((means.i, words.o), (means.indices, lut.codes)):
            m.d.comb += [
                beat.valid.eq(come.valid),
                come.ready.eq(beat.ready),
                beat.payload.keep.eq(come.payload.keep),
                beat.payload.last.eq(come.payload.last),
            ]
        for k in range(f.lanes):
            word, code = words.o.payload.data[k], Value.cast(lut.codes.payload.data[k])
            escape = code[f.fraction_bits : -1].all()
            special = (word.exponent == 0) | word.exponent.all()
            m.d.comb += [
                means.i.payload.data[k].eq(word.fraction),
                means.indices.payload.data[k].eq(Cat(code[: f.fraction_bits], escape | special)),
            ]
        m.d.comb += [
            fork.i.valid.eq(self.start.valid & ~started | means.o.valid & started),
            fork.i.payload.eq(self.start.payload),
            self.start.ready.eq(fork.i.ready & ~started),
            means.o.ready.eq(fork.i.ready & started),
        ]
        with m.If(started):
            m.d.comb += fork.i.payload.eq(means.o.payload)
        for come, goes in zip(fork.o, (lut.fractions, means.table), strict=False):
            wiring.connect(m, come, goes)
        wiring.connect(m, fork.o[2], wiring.flipped(self.o))
        return m


def test_iterations_on_chip():
    """Of the two blocks, one's codes to the other's indices: the same tables, in known cycles."""
    words, number, fields = weights_in("bf16")
    words = words.copy()
    # An escape, zero and infinity, whose fractions are nobody's.
    words[:3] = number.nan_bits, 0, number.infinity_bits
    loop = Loop()
    table = list(range(0, 5 * fields.fractions, 5))
    sent, rounds = beats(loop.lut.format.words_beat, words.tolist()), 4
    streams = {"i": sent * 2 * rounds, "start": beats(loop.start.payload.shape(), table)}
    count = fields.fractions
    played = play(loop, streams, {"o": count * (1 + rounds)}, limit=8000)
    tables = [table]
    for _ in range(rounds):
        tables.append(iterate(words, fields, tables[-1])[0])
    assert len({tuple(t) for t in tables}) == 1 + rounds
    assert elements(loop.o.payload.shape(), played.words["o"]) == tables
    took = np.diff(played["o"][count::count])
    # Twice through, the walk over all exponents between, and the means on their way back.
    walk = 1 << fields.exponent
    assert set(took) == {2 * len(sent) + walk + loop.lut.latency + loop.means.latency + count + 4}
