"""The compression blocks of the catalogue."""

from typing import Any

from sluice.entry import DEFAULTS, FPGA_ONLY, Entry

__all__ = ["COMPRESSION"]

_SMALLEST = {"element": "bf16", "lanes": 1, "exponent_bits": 1, "fraction_bits": 1}
_LUT_CASES = (
    _SMALLEST,
    {"element": "fp16", "lanes": 3, "exponent_bits": 2, "fraction_bits": 3},
    {"element": "fp32", "lanes": 4, "exponent_bits": 8, "fraction_bits": 5},
    {"element": "tf32", "lanes": 8, "exponent_bits": 3, "fraction_bits": 8},
)


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


def _gather(element: str, room: int, **more: Any) -> dict[str, Any]:
    weight = element.replace("u", "")
    return {"element": element, "weight": weight, "blocks": room, "beats": room, **more}


_WIDE = {"default": {}, "64": {"lanes": 64}}
_MEASURED = (*DEFAULTS, ("64", "ecp5-85k"))

COMPRESSION: tuple[Entry, ...] = (
    Entry(
        "lut_compress",
        "sluice.compression:LutCompress",
        "weights to indices into a table of exponents and one of fractions",
        group="compression",
        systems=("M1",),
        bench="sluice_sim.bench.lut:LutCompressBench",
        proof="sluice_sim.formal.lut:prove_lut_compress",
        golden="sluice_sim.golden.lut:lut_compress",
        cases=_LUT_CASES,
        proofs=tuple(
            {"element": "fp16", "lanes": n, "exponent_bits": 1, "fraction_bits": 1} for n in (1, 2)
        ),
        slow=("proof1",),
        mutants={"element": "fp16", "lanes": 3, "exponent_bits": 2, "fraction_bits": 2},
        measured=FPGA_ONLY,
    ),
    Entry(
        "lut_decompress",
        "sluice.compression:LutDecompress",
        "weights from indices into a table of exponents and one of fractions",
        group="compression",
        systems=("M1",),
        bench="sluice_sim.bench.lut:LutDecompressBench",
        proof="sluice_sim.formal.lut:prove_lut_decompress",
        golden="sluice_sim.golden.lut:lut_decompress",
        presets={"default": {}, "fp32": {"element": "fp32", "fraction_bits": 5}},
        cases=_LUT_CASES,
        proofs=({"element": "fp16", "lanes": 2, "exponent_bits": 1, "fraction_bits": 1},),
        mutants={"element": "fp16", "lanes": 3, "exponent_bits": 2, "fraction_bits": 1},
        measured=FPGA_ONLY,
    ),
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
    Entry(
        "centroid_dot",
        "sluice.compression:CentroidDot",
        "sums of products with weights in a table, with one multiplication for each centroid",
        group="compression",
        systems=("M2",),
        bench="sluice_sim.bench.gather:CentroidDotBench",
        proof="sluice_sim.formal.gather:prove_centroid_dot",
        golden="sluice_sim.golden.gather:centroid_dot",
        presets={"default": {}, "trees": {"sums": "trees"}},
        cases=(
            {"element": "int4", "weight": "int4", "lanes": 1, "index_bits": 1, "sum_bits": 8},
            {"element": "uint8", "lanes": 3, "index_bits": 3, "sum_bits": 12, "sums": "trees"},
            {"element": "int16", "weight": "int16", "lanes": 4, "index_bits": 8, "sum_bits": 30},
            {"element": "uint4", "lanes": 5, "index_bits": 5, "sum_bits": 9, "sums": "trees"},
        ),
        proofs=({"element": "int4", "weight": "int4", "lanes": 1, "index_bits": 1, "sum_bits": 8},),
        mutants={"element": "int4", "weight": "int4", "lanes": 2, "index_bits": 2, "sum_bits": 8},
        measured=(*FPGA_ONLY, ("trees", "ecp5-85k")),
    ),
    Entry(
        "centroid_dot_float",
        "sluice.compression:CentroidDotFloat",
        "sums of floating-point products with weights in a table, each sum multiplied once",
        group="compression",
        systems=("M2",),
        bench="sluice_sim.bench.gather:CentroidDotFloatBench",
        proof="sluice_sim.formal.gather:prove_centroid_dot",
        golden="sluice_sim.golden.gather:centroid_dot_float",
        cases=(
            {"element": "fp8_e5m2", "weight": "fp16", "lanes": 1, "index_bits": 1, "phase_bits": 1},
            {"element": "fp16", "weight": "fp32", "lanes": 2, "index_bits": 1, "phase_bits": 4},
            {"element": "fp32", "weight": "fp8_e4m3", "lanes": 5, "index_bits": 3, "phase_bits": 2},
            {"element": "tf32", "weight": "tf32", "lanes": 1, "index_bits": 8, "phase_bits": 1},
        ),
        proofs=({"lanes": 1, "index_bits": 1, "phase_bits": 1},),
        mutants={"lanes": 2, "index_bits": 1, "phase_bits": 1},
        measured=FPGA_ONLY,
        preview=True,
    ),
    Entry(
        "centroid_matmul",
        "sluice.compression:CentroidMatmul",
        "products with a matrix of weights in a table, and with its transpose, from one of indices",
        group="compression",
        systems=("M2",),
        bench="sluice_sim.bench.gather_product:CentroidMatmulBench",
        proof="sluice_sim.formal.gather:prove_centroid_matmul",
        golden="sluice_sim.golden.gather:centroid_matmul",
        presets={"default": {}, "trees": {"sums": "trees"}},
        cases=(
            _gather("int4", 8, lanes=2, index_bits=1, sum_bits=8, count_bits=6),
            _gather("int8", 16, lanes=4, index_bits=3, sum_bits=11, sums="trees"),
            _gather("int16", 8, lanes=4, index_bits=8, sum_bits=20),
            _gather("uint4", 64, lanes=16, index_bits=5, sum_bits=10, sums="trees"),
        ),
        proofs=(_gather("int4", 8, lanes=2, index_bits=1, sum_bits=8, count_bits=6),),
        mutants=_gather("int4", 64, lanes=2, index_bits=2, sum_bits=8, count_bits=7),
        measured=FPGA_ONLY,
    ),
    Entry(
        "centroid_means",
        "sluice.compression:CentroidMeans",
        "means of the values of each index: centroids of Lloyd's next iteration",
        group="compression",
        systems=("M1",),
        bench="sluice_sim.bench.means:CentroidMeansBench",
        proof="sluice_sim.formal.means:prove_centroid_means",
        golden="sluice_sim.golden.means:centroid_means",
        cases=(
            {"width": 1, "lanes": 1, "index_bits": 1, "count_bits": 4},
            {"width": 7, "lanes": 3, "index_bits": 3, "count_bits": 5, "skips": True},
            {"width": 32, "lanes": 5, "index_bits": 2, "count_bits": 24},
            {"width": 10, "lanes": 4, "index_bits": 8, "count_bits": 10, "skips": True},
        ),
        proofs=({"width": 1, "lanes": 1, "index_bits": 1, "count_bits": 1},),
        mutants={"width": 3, "lanes": 2, "index_bits": 2, "count_bits": 4, "skips": True},
        measured=FPGA_ONLY,
    ),
)
