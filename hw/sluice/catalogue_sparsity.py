"""The sparsity blocks of the catalogue."""

from typing import Any

from sluice.entry import DEFAULTS, FPGA_ONLY, Entry

__all__ = ["SPARSITY"]

# What is there for each lane must not grow faster than the logarithm of their number.
_SIZES: dict[str, dict[str, Any]] = {
    "default": {},
    "4": {"lanes": 4},
    "8": {"lanes": 8},
    "32": {"lanes": 32},
}
# An address has no bit that no tensor of the bench reaches.
_SHORT = {"element": "int4", "lanes": 2, "block": 4, "engines": 2, "stages": 1, "address": 7}
_PACKED = "ecp5-85k-packed"
_SIZES_ROUTED = (*DEFAULTS, ("4", "ecp5-85k"), ("8", "ecp5-85k"), ("32", _PACKED))
_SIZES_PACKED = (*DEFAULTS, *((size, _PACKED) for size in ("4", "8", "32")))
# An address has no bit that no tensor of the bench reaches.
_SHORT = {"element": "int4", "lanes": 2, "block": 4, "engines": 2, "stages": 1, "address": 7}


SPARSITY = (
    Entry(
        "compact",
        "sluice.sparsity:Compact",
        "keep the elements that have a flag, side by side",
        group="sparsity",
        bench="sluice_sim.bench.sparsity:CompactBench",
        proof="sluice_sim.formal.sparsity:prove_compact",
        golden="sluice_sim.golden.sparsity:compact",
        presets=_SIZES,
        measured=_SIZES_PACKED,
        cases=(
            {"element": "bit", "lanes": 2, "stages": 0},
            {"element": "int8", "lanes": 4, "stages": 3},
            {"element": "int4", "lanes": 64, "stages": 7},
        ),
        proofs=tuple({"element": "bit", "lanes": n, "stages": 0} for n in (2, 4)),
        mutants={"element": "int4", "lanes": 4, "stages": 2},
    ),
    Entry(
        "expand",
        "sluice.sparsity:Expand",
        "put elements where there are flags, and zeros elsewhere",
        group="sparsity",
        bench="sluice_sim.bench.sparsity:ExpandBench",
        proof="sluice_sim.formal.sparsity:prove_expand",
        golden="sluice_sim.golden.sparsity:expand",
        presets=_SIZES,
        measured=_SIZES_PACKED,
        cases=(
            {"element": "bit", "lanes": 2, "stages": 0},
            {"element": "int8", "lanes": 4, "stages": 3},
            {"element": "int4", "lanes": 64, "stages": 7},
        ),
        proofs=tuple({"element": "int4", "lanes": n, "stages": 0} for n in (2, 4)),
        mutants={"element": "int4", "lanes": 4, "stages": 2},
    ),
    Entry(
        "relu_compress",
        "sluice.sparsity:ReluCompress",
        "leave zeros out, without loss: counts, a bitmap, and the other elements",
        group="sparsity",
        systems=("I1",),
        bench="sluice_sim.bench.sparsity:ReluCompressBench",
        proof="sluice_sim.formal.sparsity:prove_relu_compress",
        golden="sluice_sim.golden.sparsity:relu_compress",
        presets=_SIZES,
        measured=_SIZES_ROUTED,
        cases=(
            {"element": "int4", "lanes": 2, "block": 2, "stages": 0},
            {"element": "int8", "lanes": 4, "block": 32, "stages": 3},
            {"element": "fp32", "lanes": 8, "block": 64, "stages": 5},
        ),
        proofs=({"element": "int4", "lanes": 2, "block": 4, "stages": 0},),
        mutants={"element": "int4", "lanes": 4, "block": 8, "stages": 2},
    ),
    Entry(
        "relu_decompress",
        "sluice.sparsity:ReluDecompress",
        "put zeros back where a bitmap says",
        group="sparsity",
        systems=("I1",),
        bench="sluice_sim.bench.sparsity:ReluDecompressBench",
        proof="sluice_sim.formal.sparsity:prove_relu_decompress",
        golden="sluice_sim.golden.sparsity:relu_decompress",
        presets=_SIZES,
        measured=_SIZES_ROUTED,
        cases=(
            {"element": "int4", "lanes": 2, "block": 2, "stages": 0, "derivative": True},
            {"element": "int8", "lanes": 4, "block": 32, "stages": 3},
            {"element": "fp32", "lanes": 8, "block": 64, "stages": 5, "derivative": True},
        ),
        proofs=({"element": "int4", "lanes": 2, "block": 4, "stages": 0},),
        mutants={"element": "int4", "lanes": 4, "block": 16, "stages": 2, "derivative": True},
    ),
    Entry(
        "relu_compress_parallel",
        "sluice.sparsity:ReluCompressParallel",
        "leave zeros out of several blocks at once: count, scan, and copy",
        group="sparsity",
        systems=("I1",),
        bench="sluice_sim.bench.relu_parallel:ReluCompressParallelBench",
        proof="sluice_sim.formal.relu_parallel:prove_relu_compress_parallel",
        golden="sluice_sim.golden.relu_parallel:relu_compress_parallel",
        presets={"default": {}, "4": {"engines": 4}, "8": {"engines": 8}},
        cases=(
            {"element": "int4", "lanes": 2, "block": 2, "engines": 1, "stages": 0},
            {"element": "int4", "lanes": 2, "block": 2, "engines": 2, "stages": 3},
            {"element": "int8", "lanes": 4, "block": 32, "engines": 2, "stages": 3},
            {"element": "fp32", "lanes": 8, "block": 16, "engines": 4, "stages": 5},
        ),
        proofs=({"element": "int4", "lanes": 2, "block": 4, "engines": 2, "stages": 0},),
        mutants=_SHORT,
        measured=(*FPGA_ONLY, ("4", _PACKED)),
    ),
    Entry(
        "relu_decompress_parallel",
        "sluice.sparsity:ReluDecompressParallel",
        "put zeros back into several blocks at once, each read from where it begins",
        group="sparsity",
        systems=("I1",),
        bench="sluice_sim.bench.relu_parallel:ReluDecompressParallelBench",
        proof="sluice_sim.formal.relu_parallel:prove_relu_decompress_parallel",
        golden="sluice_sim.golden.relu_parallel:relu_decompress_parallel",
        presets={"default": {}, "4": {"engines": 4}, "8": {"engines": 8}},
        cases=(
            {"element": "int4", "lanes": 2, "block": 2, "engines": 1, "stages": 0},
            {"element": "int4", "lanes": 2, "block": 2, "engines": 2, "stages": 3},
            {"element": "int8", "lanes": 4, "block": 32, "engines": 2, "stages": 3},
            {"element": "fp32", "lanes": 8, "block": 16, "engines": 4, "stages": 5},
        ),
        proofs=({"element": "int4", "lanes": 2, "block": 4, "engines": 2, "stages": 0},),
        mutants=_SHORT,
        measured=(*FPGA_ONLY, ("4", _PACKED)),
        preview=True,
    ),
    Entry(
        "prune",
        "sluice.sparsity:Prune",
        "set to zero what is small, or not among the largest of its group",
        group="sparsity",
        systems=("A2", "B10"),
        bench="sluice_sim.bench.sparsity:PruneBench",
        proof="sluice_sim.formal.sparsity:prove_prune",
        golden="sluice_sim.golden.sparsity:prune",
        presets={"default": {}, "4:16": {"group": 16}},
        cases=(
            {"element": "int4", "lanes": 2, "group": 1, "stages": 0},
            {"element": "int8", "lanes": 8, "group": 8, "stages": 1},
            {"element": "uint8", "lanes": 4, "group": 2, "stages": 3},
            {"element": "fp8_e5m2", "lanes": 16, "group": 16, "stages": 2},
        ),
        proofs=({"element": "int4", "lanes": 2, "group": 2, "stages": 1},),
        mutants={"element": "int4", "lanes": 4, "group": 4, "stages": 2},
    ),
    Entry(
        "histogram",
        "sluice.sparsity:Histogram",
        "count magnitudes, and find the threshold that so many reach",
        group="sparsity",
        systems=("B10",),
        bench="sluice_sim.bench.sparsity:HistogramBench",
        proof="sluice_sim.formal.sparsity:prove_histogram",
        golden="sluice_sim.golden.sparsity:histogram",
        presets={"default": {}, "small": {"element": "int8", "lanes": 4, "bins": 64}},
        cases=(
            {"element": "uint4", "lanes": 1, "bins": 16, "count": "uint8"},
            {"element": "int8", "lanes": 3, "bins": 2, "count": "uint8"},
            {"element": "fp8_e5m2", "lanes": 5, "bins": 32, "count": "uint16"},
            {"element": "fp32", "lanes": 8, "bins": 256},
        ),
        proofs=({"element": "uint4", "lanes": 1, "bins": 2, "count": "uint8"},),
        mutants={"element": "int4", "lanes": 3, "bins": 4, "count": "uint8"},
        measured=FPGA_ONLY,
    ),
    Entry(
        "mask_memory",
        "sluice.sparsity:MaskMemory",
        "remember which weights are not zero, and keep the others zero",
        group="sparsity",
        systems=("B10",),
        bench="sluice_sim.bench.sparsity:MaskMemoryBench",
        proof="sluice_sim.formal.sparsity:prove_mask_memory",
        golden="sluice_sim.golden.sparsity:mask_words",
        cases=(
            {"element": "uint4", "lanes": 1, "beats": 2},
            {"element": "int8", "lanes": 3, "beats": 8},
            {"element": "fp32", "lanes": 4, "beats": 2048},
        ),
        proofs=({"element": "uint4", "lanes": 2, "beats": 2},),
        mutants={"element": "int4", "lanes": 2, "beats": 4},
        measured=FPGA_ONLY,
    ),
)
