"""The sparsity blocks of the catalogue."""

from sluice.entry import DEFAULTS, Entry

__all__ = ["SPARSITY"]

SPARSITY = (
    Entry(
        "compact",
        "sluice.sparsity:Compact",
        "keep the elements that have a flag, side by side",
        group="sparsity",
        bench="sluice_sim.bench.sparsity:CompactBench",
        proof="sluice_sim.formal.sparsity:prove_compact",
        golden="sluice_sim.golden.sparsity:compact",
        presets={
            "default": {},
            "4": {"lanes": 4},
            "8": {"lanes": 8},
            "32": {"lanes": 32},
        },
        cases=(
            {"element": "bit", "lanes": 2, "stages": 0},
            {"element": "int8", "lanes": 4, "stages": 3},
            {"element": "int4", "lanes": 64, "stages": 7},
        ),
        proofs=tuple({"element": "bit", "lanes": n, "stages": 0} for n in (2, 4)),
        mutants={"element": "int4", "lanes": 4, "stages": 2},
        measured=(*DEFAULTS, *((size, "ecp5-85k") for size in ("4", "8", "32"))),
    ),
    Entry(
        "expand",
        "sluice.sparsity:Expand",
        "put elements where there are flags, and zeros elsewhere",
        group="sparsity",
        bench="sluice_sim.bench.sparsity:ExpandBench",
        proof="sluice_sim.formal.sparsity:prove_expand",
        golden="sluice_sim.golden.sparsity:expand",
        presets={
            "default": {},
            "4": {"lanes": 4},
            "8": {"lanes": 8},
            "32": {"lanes": 32},
        },
        cases=(
            {"element": "bit", "lanes": 2, "stages": 0},
            {"element": "int8", "lanes": 4, "stages": 3},
            {"element": "int4", "lanes": 64, "stages": 7},
        ),
        proofs=tuple({"element": "int4", "lanes": n, "stages": 0} for n in (2, 4)),
        mutants={"element": "int4", "lanes": 4, "stages": 2},
        measured=(*DEFAULTS, *((size, "ecp5-85k") for size in ("4", "8", "32"))),
    ),
)
