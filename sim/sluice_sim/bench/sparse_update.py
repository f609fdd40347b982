"""Bench of what updates rows of weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.registers import pack_fields
from sluice_sim.bench.arith import float_words
from sluice_sim.bench.spec import Bench, Scenario, Word, beats, pack, packet
from sluice_sim.golden.formats import FloatFormat, find_format
from sluice_sim.golden.sparse import update_row

__all__ = ["SparseUpdateBench"]


class SparseUpdateBench(Bench):
    """Rows stored and updated, some again at once."""

    def __init__(self, block: Block):
        super().__init__(block)
        self.quiet = 100 + 2 * self.block.loop

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        made = self.block
        number: Any = find_format(made.element)
        assert isinstance(number, FloatFormat)
        layout = made.config.shape()
        weights: dict[int, NDArray[np.uint64]] = {}
        sent: dict[str, list[Word]] = {"i": [], "row": []}
        out: list[int] = []
        limit = 1 << made.row_beat.element_width

        def add(row: int, length: int, *, store: bool) -> None:
            words = float_words(number, rng, length)
            rate = int(float_words(number, rng, 1)[0])
            old = weights.get(row % made.rows, words[:0])
            left = update_row(old, words, store=store, rate=rate, element=made.element)
            if row < made.rows:
                weights[row] = left
            config = pack_fields(layout, {"store": int(store), "rate": rate})
            sent["i"] += packet(made.beat, words.tolist(), config)
            sent["row"].append(Word(pack(made.row_beat, [row], last=bool(rng.integers(0, 2)))))
            if kind != "rate" and rng.random() < 0.2:
                # A list of nothing.
                sent["row"] += packet(made.row_beat, [])
            out.extend(beats(made.beat, left.tolist()))

        whole = made.beats * made.lanes
        if kind == "rate":
            # As many places as there are, so that none comes again too early; then one at once.
            if made.places > made.loop:
                count = min(
                    made.rows, max(1, -(-2 * made.loop // made.beats), -(-20 // made.beats))
                )
                for row in range(count):
                    add(row, whole, store=True)
                for row in range(count):
                    add(row, whole, store=False)
            add(0, 1, store=True)
            add(0, 1, store=False)
            return Scenario(sent, {"o": out}, {"status": 0})
        lengths = [whole, 1, 0, max(0, whole - 1)] if kind == "extremes" else []
        lengths += rng.integers(1, whole, 2, endpoint=True).tolist()
        wrong = False
        for length in lengths:
            rows = rng.permutation(min(made.rows, 200))[:4].tolist()
            # The last one and the first one, whose numbers have all bits set, or none.
            rows += [made.rows - 1, 0]
            for row in rows:
                add(row, length, store=True)
            # Many of few elements, so that operands of all kinds meet.
            for _ in range(12 if whole > 8 else 60):
                row = int(rng.choice(rows[:2] if rng.random() < 0.5 else rows))
                if kind == "extremes" and limit > made.rows and rng.random() < 0.2:
                    wrong = True
                    row += made.rows * int(rng.choice([1, limit // made.rows - 1]))
                add(row, length, store=bool(rng.random() < 0.2))
        return Scenario(sent, {"o": out}, {"status": int(wrong)})

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        apart = moved["o"][-1] - moved["o"][-2]
        assert apart == self.block.loop + 1, f"a row comes again after {apart} cycles"
