"""The compression blocks of the catalogue."""

from typing import Any

from sluice.entry import DEFAULTS, Entry

__all__ = ["COMPRESSION"]


def _ternary(name: str, cls: str, summary: str, **more: Any) -> Entry:
    return Entry(
        name,
        f"sluice.compression:{cls}",
        summary,
        group="compression",
        systems=("B8",),
        bench=f"sluice_sim.bench.ternary:{cls}Bench",
        proof=f"sluice_sim.formal.ternary:prove_{name}",
        golden=f"sluice_sim.golden.ternary:{name}",
        **more,
    )


_WIDE = {"default": {}, "64": {"lanes": 64}}
_MEASURED = (*DEFAULTS, ("64", "ecp5-85k"))

COMPRESSION: tuple[Entry, ...] = (
    _ternary(
        "ternary_compress",
        "TernaryCompress",
        "a bit for each pair of weights 0, +1, -1, and 3 bits if it is not zero",
        presets=_WIDE,
        measured=_MEASURED,
        cases=(
            {"lanes": 4, "stages": 0, "count_bits": 1},
            {"lanes": 4, "codes": "00,01,10", "stages": 3, "count_bits": 3},
            {"lanes": 8, "codes": "11,10,01", "stages": 7, "count_bits": 32},
        ),
        proofs=({"lanes": 4, "stages": 0},),
        mutants={"lanes": 8, "codes": "01,11,10", "stages": 3, "count_bits": 6},
    ),
    _ternary(
        "ternary_decompress",
        "TernaryDecompress",
        "weights 0, +1, -1 from a bit for each pair and 3 bits for those that are not zero",
        presets=_WIDE,
        measured=_MEASURED,
        cases=(
            {"lanes": 4, "stages": 0},
            {"lanes": 4, "codes": "00,01,10", "stages": 3},
            {"lanes": 8, "codes": "11,10,01", "stages": 7},
        ),
        proofs=({"lanes": 4, "stages": 0},),
        mutants={"lanes": 8, "codes": "01,11,10", "stages": 3},
    ),
    _ternary(
        "ternary_dot",
        "TernaryDot",
        "sums of numbers times compressed weights 0, +1, -1, without a multiplier",
        presets=_WIDE,
        measured=_MEASURED,
        cases=(
            {"element": "int4", "lanes": 4, "stages": 0},
            {"element": "uint4", "target": "int16", "lanes": 4, "stages": 2},
            {"element": "int16", "target": "int16", "lanes": 8, "stages": 5},
            {"element": "uint16", "lanes": 32, "stages": 9},
        ),
        proofs=({"element": "int4", "lanes": 4, "stages": 0},),
        mutants={"target": "int16", "lanes": 8, "stages": 3},
    ),
)
