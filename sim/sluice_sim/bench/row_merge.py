"""Bench of the row merger: triangular matrices of all sizes, with and without what is masked."""

import numpy as np

from sluice_sim.bench.spec import Bench, Scenario, Word, beats
from sluice_sim.golden.row_merge import merge_order, merge_rows

__all__ = ["RowMergeBench"]


class RowMergeBench(Bench):
    """Rows in the order in which they are merged; each with all, some or none of its masked part.

    ``rate`` sends rows that end with their prefix, of sizes at which merged rows end in a beat of
    their own: as many beats out as in, which is the most there can be.
    """

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        sent: list[Word] = []
        out: list[int] = []
        marks: list[int] = []
        cut = False
        width = self.block.number.width
        for rows in self.sizes(kind, rng):
            raw = rng.integers(0, 1 << 32, (rows, rows + 3), dtype=np.uint64)
            raw &= np.uint64((1 << width) - 1)
            if kind == "extremes":
                # One bit in its place is enough to tell rows and columns apart.
                raw[:] = np.where(np.indices(raw.shape).sum(0) % 3 == 0, (1 << width) - 1, 0)
            style = 0 if kind == "rate" else int(rng.integers(0, 3))
            order = merge_order(rows)
            shown = rows % (1 << self.block.index_bits)
            lengths = {}
            for n, r in enumerate(r for sources in order for r in sources):
                most = (r + 1, rows, rows + 3)[style]
                length = most if style != 1 else int(rng.integers(r + 1, rows + 1))
                if kind == "extremes" and rows == 6 and r == 3:
                    length, cut = 2, True
                lengths[r] = length
                for k, word in enumerate(beats(self.block.beat, raw[r, :length].tolist())):
                    sent.append(Word(word, shown if n == 0 and k == 0 else None))
            for sources, (elements, seconds) in zip(order, merge_rows(raw), strict=True):
                kept = np.concatenate([np.arange(r + 1) < lengths[r] for r in sources])
                out += beats(self.block.beat, elements[kept].tolist())
                marks += beats(self.shapes["o_mark"], seconds[kept].astype(int).tolist())
        return Scenario({"i": sent}, {"o": out, "o_mark": marks}, {"status": int(cut)})

    def sizes(self, kind: str, rng: np.random.Generator) -> list[int]:
        """Return the number of rows of each matrix."""
        lanes, top = self.block.lanes, 1 << self.block.index_bits
        if kind == "rate":
            return [min(4 * lanes + 1, top)]
        if kind == "extremes":
            sizes = [1, 2, 3, 4, 6, 1, 1, 5, lanes, lanes + 1, lanes + 2, 2 * lanes + 1]
            return [min(n, top) for n in sizes] + [top] * (3 if top <= 64 else 0)
        return [int(n) for n in rng.integers(1, min(3 * lanes + 3, top) + 1, 12)]

    def latency_pairs(self, inputs: int, outputs: int) -> list[tuple[int, int]]:
        """Return the first beat in that fills or ends a merged row, with the first beat out."""
        rows, lanes = self.sizes("rate", np.random.default_rng(0))[0], self.block.lanes
        if rows <= 2 or lanes == 1:
            return [(0, 0)]
        # The first row is one element; with the first beat of the second there are enough.
        return [(1, 0)]
