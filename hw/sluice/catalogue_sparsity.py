"""The sparsity blocks of the catalogue."""

from typing import Any

from sluice.entry import DEFAULTS, Entry

__all__ = ["SPARSITY"]


def _tiny(operand: str, total: str, **more: Any) -> dict[str, Any]:
    return {"operand": operand, "total": total, "lanes": 2, "sums": 4, "dense": 4, **more}


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
        "sparse_encoder",
        "sluice.sparsity:SparseEncoder",
        "number the columns of a sparse matrix that are not empty",
        group="sparsity",
        systems=("N2",),
        bench="sluice_sim.bench.sparse:SparseEncoderBench",
        proof="sluice_sim.formal.sparse:prove_sparse_encoder",
        golden="sluice_sim.golden.sparse:encode_columns",
        cases=(
            {"columns": 2, "word": 2, "index": "uint4"},
            {"columns": 16, "word": 4, "index": "uint4"},
            {"columns": 77, "word": 8, "index": "uint8"},
            {"columns": 300, "word": 32, "index": "uint32"},
        ),
        proofs=({"columns": 6, "word": 2, "index": "uint4"},),
        mutants={"columns": 13, "word": 4, "index": "uint4"},
    ),
    Entry(
        "sparse_times_dense",
        "sluice.sparsity:SparseTimesDense",
        "a sparse matrix, or its transpose, times a dense one, from one encoding",
        group="sparsity",
        systems=("N2",),
        bench="sluice_sim.bench.sparse:SparseTimesDenseBench",
        proof="sluice_sim.formal.sparse:prove_sparse_times_dense",
        golden="sluice_sim.golden.sparse:multiply_sparse",
        presets={
            "default": {},
            "16": {"lanes": 16},
            "bf16": {
                **{"operand": "bf16", "total": "fp32", "stages": 16, "lanes": 4},
                **{"sums": 32, "dense": 64},
            },
        },
        cases=(
            _tiny("int4", "int16", stages=0, index="uint4", lanes=1, sums=2, dense=2),
            _tiny("int8", "int16", stages=1, index="uint4", lanes=3, sums=8),
            _tiny("int8", "int32", stages=5, index="uint32", dense=8),
            _tiny("fp8_e4m3", "fp16", stages=0),
            _tiny("fp8_e5m2", "fp32", stages=3, index="uint8", flush=True),
        ),
        proofs=(_tiny("int4", "int16", stages=1, index="uint4", lanes=1, sums=2, dense=2),),
        mutants=_tiny("int4", "int16", stages=1, index="uint4"),
    ),
)
