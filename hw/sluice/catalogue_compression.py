"""The compression blocks of the catalogue."""

from sluice.entry import FPGA_ONLY, Entry

__all__ = ["COMPRESSION"]

_SMALLEST = {"element": "bf16", "lanes": 1, "exponent_bits": 1, "fraction_bits": 1}
_LUT_CASES = (
    _SMALLEST,
    {"element": "fp16", "lanes": 3, "exponent_bits": 2, "fraction_bits": 3},
    {"element": "fp32", "lanes": 4, "exponent_bits": 8, "fraction_bits": 5},
    {"element": "tf32", "lanes": 8, "exponent_bits": 3, "fraction_bits": 8},
)

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
        proofs=({"element": "fp16", "lanes": 2, "exponent_bits": 1, "fraction_bits": 1},),
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
)
