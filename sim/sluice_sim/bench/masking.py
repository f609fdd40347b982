"""Bench of the masking circuit: random masks over random matrices, row by row."""

from typing import Any

import numpy as np

from sluice.masking import Alternative, Kind, Operation
from sluice_sim.bench.spec import Bench, Scenario, Word, beats
from sluice_sim.golden.masking import mask_rows

__all__ = ["MaskingBench"]


class MaskingBench(Bench):
    """Every kind of mask, alone and joined, over matrices of all sizes and values."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        block = self.block
        sent: list[Word] = []
        bits: list[int] = []
        out: list[int] = []
        mask_out: list[int] = []
        empty = False
        for shape in self.sizes(kind, rng):
            rows, columns = shape
            segments = self.lengths(rng, columns)
            raw = rng.integers(0, 1 << 32, (rows, columns), dtype=np.uint64)
            raw &= np.uint64((1 << block.number.width) - 1)
            if kind == "extremes":
                raw[:] = self.specials()[rng.integers(0, len(self.specials()), shape)]
            external = rng.random(shape) < rng.choice([0.05, 0.5, 0.95])
            masks, settings = [], []
            steady = rng.random() < 0.5
            choice = None
            for r in range(rows):
                # Settings may change from row to row, but for the segment lengths.
                if choice is None or not steady:
                    choice = self.settings(kind, rng)
                terms, alternative, value = choice
                masks.append(mask_rows(shape, terms, segments=segments, external=external))
                # A row of which nothing passes leaves a mark, so one scenario goes without them.
                if kind == "extremes" and columns and not masks[r][r].any():
                    terms = [self.term("all") for _ in terms]
                    masks[r] = mask_rows(shape, terms, segments=segments, external=external)
                settings.append((terms, alternative, value))
            used = []
            for r in range(rows):
                terms, alternative, value = settings[r]
                mask = masks[r][r]
                config = self.config(rows, terms, alternative, value, segments)
                packets = beats(block.beat, raw[r].tolist())
                sent += [Word(w, config if n == 0 else None) for n, w in enumerate(packets)]
                other = self.alternative(alternative, value)
                row = zip(raw[r], mask, strict=True)
                out += beats(block.beat, [int(v) if k else other for v, k in row])
                if block.mask_output:
                    mask_out += beats(self.shapes["o_mask"], mask.astype(int).tolist())
                empty |= bool(columns) and not mask.any()
                used.append(any(t["kind"] == "external" for t in terms))
            if block.external:
                bits += self.mask_packets(external[used].astype(int), rng)
        inputs = {"i": sent}
        expected = {"o": out}
        if block.external:
            inputs["i_mask"] = [Word(w) for w in bits]
        if block.mask_output:
            expected["o_mask"] = mask_out
        return Scenario(inputs, expected, {"status": empty << 2})

    def sizes(self, kind: str, rng: np.random.Generator) -> list[tuple[int, int]]:
        lanes = self.block.lanes
        top = (1 << self.block.index_bits) - 1
        if kind == "rate":
            return [(4, min(10 * lanes, top // lanes * lanes))]
        if kind == "extremes":
            sizes = [
                (1, 1),
                (20, 0),
                (2, lanes),
                (5, lanes + 1),
                (lanes + 2, 1),
                (7, 2 * lanes - 1),
            ]
            sizes += [(40, 3), *[(33, 33)] * 6]
            return [(min(r, top), min(c, top)) for r, c in sizes]
        return [
            (int(rng.integers(1, min(12, top))), int(rng.integers(0, min(4 * lanes + 2, top))))
            for _ in range(24)
        ]

    def specials(self) -> np.ndarray:
        """Return NaN, infinities, zeros and the ends of the range, as bits."""
        width = self.block.number.width
        top = (1 << width) - 1
        found = {0, 1, top, top >> 1, 1 << (width - 1), (1 << (width - 1)) | 1, top - 1}
        for name in ("nan_bits", "infinity_bits", "max_bits", "lowest_bits"):
            found.add(getattr(self.block.number, name, 0) or 0)
        return np.array(sorted(found), np.uint64)

    def lengths(self, rng: np.random.Generator, columns: int) -> list[int]:
        count = self.block.segments
        largest = (1 << self.block.index_bits) // max(1, count) - 1
        top = min(int(rng.choice([5, 9, 33])), largest)
        lengths = rng.integers(1, max(2, top), count).tolist()
        if count and rng.random() < 0.3:
            lengths[int(rng.integers(0, count))] = 0
        if count and rng.random() < 0.7:
            # Up to as long as the index allows beside the others.
            k = int(rng.integers(0, count))
            room = min((1 << self.block.index_bits) - 1 - sum(lengths), 33)
            lengths[k] += int(rng.integers(0, room + 1))
        if count > 1 and columns > 24 and rng.random() < 0.7:
            # Short ones, and a long one that ends inside the matrix.
            lengths = [int(rng.integers(1, 4)), int(rng.integers(16, 22)), *([1] * (count - 2))]
        return lengths

    def term(self, kind: str, a: int = 0, b: int = 0, invert: bool = False, operation: str = "or"):
        """Return one term of a mask, as the golden model takes it."""
        return {"kind": kind, "a": a, "b": b, "invert": invert, "operation": operation}

    def settings(self, kind: str, rng: np.random.Generator) -> tuple[list[dict], str, int]:
        block = self.block
        kinds = sorted(block.built)
        most = (1 << block.index_bits) - 1
        reach = min(most, 12)
        if kind == "extremes":
            reach = int(rng.choice([reach, min(most, 33), most]))
        terms = []
        for _ in range(block.terms):
            chosen = kinds[int(rng.integers(0, len(kinds)))]
            if block.segments and rng.random() < (0.5 if kind == "extremes" else 0.2):
                chosen = Kind.SEGMENTS
            if kind == "rate":
                chosen = Kind.EXTERNAL if block.external else kinds[-1]
            a, b = (int(v) for v in rng.integers(-reach, reach + 1, 2))
            if rng.random() < 0.3:
                a = int(rng.choice([0, 1, -1, min(block.lanes, most), -min(block.lanes, most)]))
            operation = ("and", "or")[int(rng.integers(0, 2))]
            terms.append(self.term(chosen.name.lower(), a, b, bool(rng.random() < 0.3), operation))
        alternative = list(Alternative)[int(rng.integers(0, 4))].name.lower()
        value = int.from_bytes(rng.bytes(4), "little") & ((1 << block.number.width) - 1)
        return terms, alternative, value

    def config(self, rows: int, terms: Any, alternative: str, value: int, segments: Any) -> int:
        layout = self.block.config.shape()
        fields: dict[str, Any] = {
            "rows": rows,
            "alternative": Alternative[alternative.upper()].value,
            "value": value,
            "terms": [
                {
                    "kind": Kind[t["kind"].upper()].value,
                    "operation": Operation[t["operation"].upper()].value,
                    "invert": int(t["invert"]),
                    "a": t["a"],
                    "b": t["b"],
                }
                for t in terms
            ],
        }
        if self.block.segments:
            fields["segments"] = segments
        return layout.const(fields).as_value().value

    def alternative(self, choice: str, value: int) -> int:
        number = self.block.number
        infinity = number.minus_infinity_bits
        return {
            "zero": 0,
            "value": value,
            "lowest": number.lowest_bits,
            "minus_infinity": number.lowest_bits if infinity is None else infinity,
        }[choice]

    def mask_packets(self, rows: np.ndarray, rng: np.random.Generator) -> list[int]:
        """Return the mask stream: one packet per row, for all rows, or for some of them."""
        beat = self.shapes["i_mask"]
        packets: list[list[int]] = []
        style = int(rng.integers(0, 3))
        for r, row in enumerate(rows):
            joins = style == 1 or (style == 2 and rng.random() < 0.5)
            if r and joins:
                packets[-1] += row.tolist()
            else:
                packets.append(row.tolist())
        return [w for packet in packets for w in beats(beat, packet)]
