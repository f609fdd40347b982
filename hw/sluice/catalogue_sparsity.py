"""The sparsity blocks of the catalogue."""

from typing import Any

from sluice.entry import DEFAULTS, Entry

__all__ = ["SPARSITY"]

_TINY: dict[str, Any] = {
    **{"operand": "int4", "total": "int32", "context": 4, "pes": 2, "contexts": 8},
    **{"places": 8, "buffer": 8, "stages": 1},
}

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
    Entry(
        "sparsity_decoder",
        "sluice.sparsity:SparsityDecoder",
        "the positions at which two bit vectors both have a one",
        group="sparsity",
        systems=("B1",),
        bench="sluice_sim.bench.sparse_product:SparsityDecoderBench",
        proof="sluice_sim.formal.sparse_product:prove_sparsity_decoder",
        golden="sluice_sim.golden.sparse_product:decode",
        presets={
            "default": {},
            "16x2": {"lanes": 2},
            "64": {"context": 64},
        },
        cases=(
            {"context": 4, "lanes": 1, "places": 2, "context_bits": 1},
            {"context": 8, "lanes": 8, "places": 4, "context_bits": 2},
            {"context": 32, "lanes": 4, "places": 64},
        ),
        proofs=tuple(
            {"context": n, "lanes": lanes, "places": 2, "context_bits": 1}
            for n, lanes in ((4, 1), (8, 8), (16, 1), (16, 2))
        ),
        mutants={"context": 8, "lanes": 2, "places": 4, "context_bits": 2},
        measured=(*DEFAULTS, ("16x2", "ecp5-85k"), ("64", "ecp5-85k")),
    ),
    Entry(
        "sparse_matmul",
        "sluice.sparsity:SparseMatmul",
        "matrix products that skip every pair with a zero in it",
        group="sparsity",
        systems=("B1",),
        bench="sluice_sim.bench.sparse_product:SparseMatmulBench",
        proof="sluice_sim.formal.sparse_product:prove_sparse_matmul",
        golden="sluice_sim.golden.sparse_product:multiply_pairs",
        presets={
            "default": {},
            "lock_step": {"together": 4},
            "fp8": {"operand": "fp8_e4m3", "total": "fp32", "lanes": 2, "stages": 12},
        },
        cases=(
            {**_TINY, "pes": 1, "contexts": 2, "places": 2, "buffer": 1, "stages": 0},
            {**_TINY, "total": "int16", "pes": 3, "together": 3, "lanes": 4},
            {**_TINY, "operand": "int8", "a_zero": 7, "b_zero": -128, "pes": 2, "context": 8},
            {**_TINY, "operand": "int8", "given": True, "together": 2, "pes": 4, "lanes": 2},
            {**_TINY, "operand": "fp8_e5m2", "total": "bf16", "pes": 2, "stages": 4},
            {**_TINY, "operand": "bf16", "total": "fp32", "lanes": 2, "stages": 3, "pes": 1},
            {**_TINY, "operand": "fp16", "total": "fp16", "stages": 0, "pes": 1},
        ),
        proofs=({**_TINY, "pes": 1, "contexts": 2, "places": 2, "buffer": 1, "stages": 0},),
        mutants={**_TINY, "pes": 2, "contexts": 4, "places": 4, "a_zero": 1, "stages": 1},
        measured=(*DEFAULTS, ("lock_step", "ecp5-85k"), ("fp8", "ecp5-85k")),
    ),
)
