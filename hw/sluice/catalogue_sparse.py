"""The sparse products of the catalogue."""

from typing import Any

from sluice.entry import FPGA_ONLY, Entry

__all__ = ["SPARSE"]


_PAIRS: dict[str, Any] = {
    **{"operand": "int4", "total": "int32", "context": 4, "pes": 2, "contexts": 8},
    **{"places": 8, "buffer": 8, "stages": 1},
}


def _tiny(operand: str, total: str, **more: Any) -> dict[str, Any]:
    return {"operand": operand, "total": total, "lanes": 2, "sums": 4, "dense": 4, **more}


SPARSE = (
    Entry(
        "sparsity_decoder",
        "sluice.sparsity:SparsityDecoder",
        "the positions at which two bit vectors both have a one",
        group="sparsity",
        systems=("B1",),
        bench="sluice_sim.bench.sparsity_decoder:SparsityDecoderBench",
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
            {**_PAIRS, "pes": 1, "contexts": 2, "places": 2, "buffer": 1, "stages": 0},
            {**_PAIRS, "total": "int16", "pes": 3, "together": 3, "lanes": 4},
            {**_PAIRS, "operand": "int8", "a_zero": 7, "b_zero": -128, "pes": 2, "context": 8},
            {**_PAIRS, "operand": "int8", "given": True, "together": 2, "pes": 4, "lanes": 2},
            {**_PAIRS, "operand": "fp8_e5m2", "total": "bf16", "pes": 2, "stages": 4},
            {**_PAIRS, "operand": "bf16", "total": "fp32", "lanes": 2, "stages": 3, "pes": 1},
            {**_PAIRS, "operand": "fp16", "total": "fp16", "stages": 0, "pes": 1},
        ),
        proofs=({**_PAIRS, "pes": 1, "contexts": 2, "places": 2, "buffer": 1, "stages": 0},),
        slow=("fp8",),
        mutants={
            **{**_PAIRS, "total": "int16", "contexts": 4, "a_zero": 1},
            # Of a power of two the highest bit of a count would only say that the buffer is full.
            **{"buffer": 9, "count_bits": 6, "cycle_bits": 6},
        },
        measured=FPGA_ONLY,
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
        mutants={"columns": 140, "word": 4, "index": "uint8"},
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
        slow=(
            "bf16",
            "case4",
        ),
        mutants=_tiny("int4", "int16", stages=1, index="uint4"),
        measured=FPGA_ONLY,
    ),
    Entry(
        "sparse_update",
        "sluice.sparsity:SparseUpdate",
        "add a compact gradient to the rows of the weights that it belongs to",
        group="sparsity",
        systems=("N2",),
        bench="sluice_sim.bench.sparse_update:SparseUpdateBench",
        proof="sluice_sim.formal.sparse:prove_sparse_update",
        golden="sluice_sim.golden.sparse:update_row",
        presets={"default": {}, "fp32": {"element": "fp32", "lanes": 4}},
        cases=(
            {"element": "fp8_e5m2", "lanes": 1, "rows": 2, "beats": 1, "stages": 0},
            {"element": "fp8_e4m3", "lanes": 3, "rows": 16, "index": "uint4", "stages": 3},
            {"element": "fp16", "lanes": 2, "rows": 256, "beats": 2, "index": "uint32"},
        ),
        proofs=(
            {
                **{"element": "fp8_e5m2", "lanes": 1, "rows": 2, "beats": 2},
                **{"index": "uint4", "stages": 1},
            },
        ),
        slow=("fp32",),
        mutants={
            **{"element": "fp8_e5m2", "lanes": 2, "rows": 4, "beats": 2},
            **{"index": "uint4", "stages": 2},
        },
        measured=FPGA_ONLY,
    ),
)
