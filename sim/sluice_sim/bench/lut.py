"""Benches of the codec with a table of exponents and a table of fractions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, packet, soiled
from sluice_sim.golden.lut import Fields, exponent_table, lut_compress, lut_decompress

__all__ = ["LutCompressBench", "LutDecompressBench"]

Tables = tuple[list[int], list[int]]


class LutBench(Bench):
    """What both directions have in common."""

    def __init__(self, block: Block):
        super().__init__(block)
        f = self.block.format
        number = f.number
        self.format = f
        self.fields = Fields(
            number.exponent_bits, number.fraction_bits, f.exponent_bits, f.fraction_bits
        )
        self.entries = f.exponents + f.fractions

    def exponents(self, rng: np.random.Generator, count: int) -> list[int]:
        """Return exponents, among them those of zero, infinity, and what is next to them."""
        top = (1 << self.fields.exponent) - 1
        ends = rng.choice([0, 1, top - 1, top], count)
        return np.where(rng.random(count) < 0.3, ends, rng.integers(0, top, count)).tolist()


class LutDecompressBench(LutBench):
    """Packets of codes with escapes of all densities, each with tables of its own or not."""

    modules = ("sluice_sim.bench.tb_inputs", "sluice_sim.bench.tb_mistakes")

    def __init__(self, block: Block):
        super().__init__(block)
        # Tables are loaded meanwhile.
        self.quiet = self.entries + 60
        self.patience = 1000 + 40 * self.entries
        # While the first tables are loaded, and when codes are on the way.
        self.resets = (self.entries // 2 + 1, self.entries + 12, self.entries + 33)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        lanes = self.format.lanes
        self.begin()
        if kind == "rate":
            # So that tables are loaded in time; the first packet ends with every number of escapes.
            for turn in range(3):
                count = self.entries + 5
                escapes = np.zeros((count, lanes), bool)
                escapes[np.arange(count), rng.integers(0, lanes, count)] = rng.random(count) < 0.5
                if turn == 0:
                    ramp = np.arange(lanes) < np.arange(lanes + 1)[:, None]
                    escapes = np.concatenate([escapes, rng.permuted(ramp, axis=1)])
                self.add(rng, escapes.ravel(), fresh=True)
            return self.end()
        if kind == "extremes":
            self.add_mistakes(rng)
            return self.end(status=3)
        for _ in range(24):
            length = int(rng.integers(0, 6 * lanes, endpoint=True))
            density = np.repeat(rng.choice([0, 0.1, 0.5, 1], 6), lanes)[:length]
            self.add(rng, rng.random(length) < density, fresh=bool(rng.random() < 0.3))
        return self.end()

    def add_mistakes(self, rng: np.random.Generator) -> None:
        lanes, entries = self.format.lanes, self.entries
        for length in (0, 1, lanes, lanes + 1, 0, 3 * lanes - 1):
            for density in (0, 0.5, 1):
                self.add(rng, rng.random(length) < density)
        # So many that other packets come before they have been dropped.
        for more in (-1, 1, 2, -2, 40):
            for length, count in ((3 * lanes, 2), (3 * lanes, 0), (1, 1), (2 * lanes, lanes + 1)):
                escapes = np.zeros(length, bool)
                escapes[rng.permutation(length)[:count]] = True
                self.add(rng, escapes, more=max(more, -count))
                self.add(rng, np.ones(lanes, bool))
        for size in (entries, entries, entries - 1, entries + 1, 1, 0, entries, entries + 3):
            self.add(rng, rng.random(3 * lanes) < 0.2, fresh=True, entries=size)
            self.add(rng, rng.random(lanes) < 0.2)

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield packets with one packet of tables or of raw weights that is too short or long."""
        ones = np.ones(3, bool)
        for size in (self.entries - 1, self.entries + 1):
            self.begin()
            for entries in (self.entries, self.entries, size, self.entries):
                self.add(rng, ones, fresh=True, entries=entries)
            yield self.end(status=1)
        for escapes, more in ((ones, 0), (ones, -1), (ones, 1), (~ones, 0), (~ones, 1), (ones, -3)):
            self.begin()
            self.add(rng, escapes, more=more)
            self.add(rng, ones)
            yield self.end(status=2 if more else 0)

    def begin(self) -> None:
        self.sent: dict[str, list[Word]] = {"codes": [], "raw": [], "tables": []}
        self.out: list[int] = []
        self.escapes: list[int] = []
        # Two banks of both tables; the one that is not in use is loaded.
        self.banks: list[Tables] = [([], []), ([], [])]

    def end(self, status: int = 0) -> Scenario:
        return Scenario(self.sent, {"o": self.out}, {"status": status})

    def load(self, rng: np.random.Generator, entries: int) -> None:
        """Send a packet of so many entries of tables."""
        f = self.format
        exponents = self.exponents(rng, f.exponents)
        fractions = rng.integers(0, 1 << self.fields.fraction, f.fractions).tolist()
        extra = rng.integers(0, 1 << f.entry_width, max(0, entries - self.entries)).tolist()
        words = [*exponents, *fractions, *extra][:entries]
        # Bits above those of a narrower entry are not looked at.
        noise = rng.integers(0, 1 << f.entry_width, entries).tolist()
        for k, word in enumerate(words):
            width = self.fields.exponent if k < f.exponents else self.fields.fraction
            words[k] = word | noise[k] >> width << width
        self.sent["tables"] += [
            Word(soiled(f.entries_beat, w, rng)) for w in beats(f.entries_beat, words)
        ]
        self.banks.reverse()
        old_exponents, old_fractions = self.banks[0]
        split = min(entries, f.exponents)
        whole = max(0, entries - f.exponents)
        self.banks[0] = (
            [*exponents[:split], *old_exponents[split:]],
            [*fractions[:whole], *old_fractions[whole:]],
        )

    def add(
        self,
        rng: np.random.Generator,
        escapes: Any,
        *,
        fresh: bool = False,
        entries: int | None = None,
        more: int = 0,
    ) -> None:
        """Send a packet whose codes are escapes where it says so.

        Its tables have so many ``entries``; there are ``more`` raw weights than escapes.
        """
        f, fields = self.format, self.fields
        fresh |= not self.sent["codes"]
        if fresh:
            self.load(rng, self.entries if entries is None else entries)
        count = len(escapes)
        ranks = np.where(
            escapes, f.exponents, rng.integers(0, f.exponents, count, dtype=np.uint64)
        ).astype(np.uint64)
        index = rng.integers(0, f.fractions, count, dtype=np.uint64)
        sign = rng.integers(0, 2, count, dtype=np.uint64)
        low, wide = np.uint64(f.fraction_bits), np.uint64(f.exponent_bits)
        codes = index | ranks << low | sign << low + wide
        size = int(np.sum(escapes)) + more
        raw = rng.integers(0, 1 << f.number.width, size, dtype=np.uint64)
        words = packet(f.codes_beat, codes.tolist(), int(fresh))
        self.sent["codes"] += [Word(soiled(f.codes_beat, w.payload, rng), w.config) for w in words]
        self.sent["raw"] += [
            Word(soiled(f.raw_beat, w, rng)) for w in beats(f.raw_beat, raw.tolist())
        ]
        found = lut_decompress(codes, raw, *self.banks[0], fields)
        self.out += beats(f.words_beat, found.tolist())
        full = np.zeros(max(1, -(-count // f.lanes)) * f.lanes, int)
        full[:count] = escapes
        self.escapes += full.reshape(-1, f.lanes).sum(1).tolist()

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        """Return a beat for which the tables are there."""
        return ((4, 4),)

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Hold each beat to a cycle, or one per escape, whether tables change or not."""
        gaps = np.diff(moved["o"]).tolist()
        promised = [max(1, count) for count in self.escapes[1:]]
        assert gaps == promised, f"beats came after {gaps} cycles, promised {promised}"


class LutCompressBench(LutBench):
    """Tensors that are scanned, and compressed once or more; with few exponents and with many."""

    modules = ("sluice_sim.bench.tb_mistakes",)

    def __init__(self, block: Block):
        super().__init__(block)
        # All exponents are walked over, and the tables leave meanwhile.
        walk = (1 << self.fields.exponent) + self.entries
        self.quiet = 3 * walk + 100
        self.patience = 1000 + 40 * walk
        # Codes come when all exponents have been walked over twice.
        self.hold = 2 * walk + 80
        self.resets = (walk // 2, walk + 5, 2 * walk + 20)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        f = self.format
        lanes, top = f.lanes, (1 << self.fields.exponent) - 1
        self.begin()
        if kind == "rate":
            # At most one weight of a beat is an escape.
            kinds = min(f.exponents, top - 1)
            count = 60 + kinds // lanes
            known = rng.integers(1, kinds + 1, (count, lanes))
            self.scan(rng, self.words(rng, np.arange(1, kinds + 1)))
            rare = np.where(np.arange(lanes) == rng.integers(0, lanes, (count, 1)), top, known)
            some = np.where(rng.random((count, 1)) < 0.5, rare, known)
            self.pack(self.words(rng, some.ravel()))
            return self.end()
        sizes = [0, 1, lanes, lanes + 1, 3 * lanes - 1] if kind == "extremes" else []
        # One that does not fit into the block comes first.
        sizes = [40 * lanes, *sizes, *rng.integers(0, 6 * lanes, 5, endpoint=True).tolist()]
        for size in sizes:
            kinds = int(rng.choice([1, 2, f.exponents, f.exponents + 2, top]))
            some = rng.choice([0, 1, top - 1, top, *rng.integers(0, top, 6)], kinds)
            words = self.words(rng, rng.choice(some, size), ends=kind == "extremes")
            self.scan(rng, words)
            self.pack(self.between(rng, words))
            if rng.random() < 0.4:
                # Another tensor with the same tables, some of whose exponents have no entry.
                self.pack(self.words(rng, self.exponents(rng, int(rng.integers(0, 4 * lanes)))))
        return self.end()

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield scans whose centroids are as they must be, too few, too many, or not in order."""
        count = self.format.fractions
        even = np.linspace(0, (1 << self.fields.fraction) - 1, count).astype(int).tolist()
        for table, wrong in (
            (even, 0),
            (even[:-1], 1),
            ([*even, even[-1]], 1),
            ([*even, *even], 1),
            ([*even[:-2], even[-1], even[-2]], 1),
            ([even[-1]] * count, 0),
        ):
            self.begin()
            # Nothing that has a fraction, as what is near is undefined.
            self.scan(rng, self.words(rng, np.zeros(3, int)) * np.uint64(0), table=table)
            if wrong:
                # Anything.
                del self.out["tables"]
            yield self.end(status=wrong)

    def begin(self) -> None:
        self.sent: dict[str, list[Word]] = {"i": [], "fractions": []}
        self.out: dict[str, list[int]] = {"codes": [], "tables": [], "raw": []}
        self.escapes: list[int] = []

    def end(self, status: int = 0) -> Scenario:
        return Scenario(self.sent, self.out, {"status": status})

    def words(
        self, rng: np.random.Generator, exponents: Any, *, ends: bool = False
    ) -> NDArray[np.uint64]:
        """Return numbers with these exponents; some of the fractions are zero, one, or the last."""
        number = self.format.number
        count = len(exponents)
        fraction = rng.integers(0, 1 << number.fraction_bits, count)
        top = (1 << number.fraction_bits) - 1
        at_end = rng.random(count) < (0.6 if ends else 0.1)
        fraction = np.where(at_end, rng.choice([0, 0, 1, top], count), fraction)
        sign = rng.integers(0, 2, count) << number.width - 1
        found = fraction | np.asarray(exponents, np.int64) << number.fraction_bits | sign
        return found.astype(np.uint64)

    def between(self, rng: np.random.Generator, words: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return words of which many are in the middle between centroids, or next to it."""
        low = np.uint64((1 << self.fields.fraction) - 1)
        entries = np.asarray(self.tables[1])
        middles = (entries[:-1] + entries[1:]) >> 1
        near = rng.choice(middles, words.size) + rng.integers(-1, 2, words.size)
        fraction = np.clip(near, 0, int(low)).astype(np.uint64)
        return np.where(rng.random(words.size) < 0.6, words & ~low | fraction, words)

    def scan(self, rng: np.random.Generator, words: NDArray[np.uint64], table: Any = None) -> None:
        """Send a tensor that is scanned, with centroids of which some are at its own fractions."""
        f = self.format
        if table is None:
            table = rng.integers(0, 1 << self.fields.fraction, f.fractions)
            if words.size and rng.random() < 0.7:
                # Neighbours as far from a weight as each other, and equal ones.
                step = int(rng.integers(0, 3))
                found = self.fields.split(rng.choice(words, f.fractions))[2].astype(np.int64)
                near = found + step * rng.choice([-1, 1], f.fractions)
                table = np.clip(near, 0, (1 << self.fields.fraction) - 1)
            table = np.sort(table).tolist()
        self.sent["i"] += packet(f.words_beat, words.tolist(), 1)
        noise = rng.integers(0, 1 << f.entry_width, len(table)).tolist()
        width = self.fields.fraction
        entries = [c | n >> width << width for c, n in zip(table, noise, strict=True)]
        self.sent["fractions"] += [Word(w) for w in beats(f.entries_beat, entries)]
        exponents = exponent_table(words, self.fields)
        self.tables = exponents, table
        filled = [*exponents, *[0] * (f.exponents - len(exponents)), *table]
        self.out["tables"] += beats(f.entries_beat, filled)

    def pack(self, words: NDArray[np.uint64]) -> None:
        """Send a tensor that is compressed."""
        f = self.format
        self.sent["i"] += packet(f.words_beat, words.tolist(), 0)
        codes, raw = lut_compress(words, *self.tables, self.fields)
        self.out["codes"] += beats(f.codes_beat, codes.tolist())
        self.out["raw"] += beats(f.raw_beat, raw.tolist())

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        """Return a beat that nothing before it holds up, with its codes."""
        return ((inputs - outputs, 0),)
