"""The arithmetic blocks of the catalogue."""

from typing import Any

from sluice.entry import DEFAULTS, Entry

__all__ = ["ARITH"]


def _elementwise(name: str, cls: str, summary: str, golden: str = "", **more: Any) -> Entry:
    return Entry(
        name,
        f"sluice.arith:{cls}",
        summary,
        group="arith",
        bench=f"sluice_sim.bench.arith:{cls}Bench",
        proof="sluice_sim.formal.arith:prove_elementwise",
        golden=f"sluice_sim.golden.{golden or f'arith:{name}'}",
        **more,
    )


def _fp8(name: str, lanes: int = 1, stages: int = 0, **more: Any) -> dict[str, Any]:
    return {"source": name, "target": name, "lanes": lanes, "stages": stages, **more}


ARITH = (
    _elementwise(
        "multiply_add",
        "MultiplyAdd",
        "fused multiply-add, rounded once, to nearest even or stochastically",
        presets={
            "default": {},
            "fp32": {"source": "fp32"},
            "fp16": {"source": "fp16", "target": "fp16"},
            "fp8_e4m3": {"source": "fp8_e4m3"},
            "fp8_e5m2": {"source": "fp8_e5m2", "target": "fp16"},
            "flush": {"flush": True},
            "stochastic": {"random_bits": 7},
        },
        cases=(
            {"source": "fp8_e4m3", "target": "fp8_e4m3", "lanes": 3, "stages": 0},
            _fp8("fp8_e5m2", lanes=3, random_bits=1, generator="xoroshiro"),
            {"source": "fp16", "target": "fp16", "lanes": 2, "stages": 7, "random_bits": 16},
            {"source": "fp8_e5m2", "target": "fp8_e5m2", "lanes": 2, "stages": 3, "flush": True},
            {"source": "fp16", "lanes": 4, "stages": 7},
            {"source": "bf16", "target": "bf16", "lanes": 2, "stages": 11},
            {"source": "tf32", "target": "tf32", "stages": 5},
            {"source": "fp8_e4m3", "target": "fp8_e4m3", "lanes": 5, "flush": True, "stages": 4},
            {"source": "fp32", "stages": 1, "flush": True},
            {"source": "fp16", "target": "bf16", "stages": 9},
        ),
        proofs=(_fp8("fp8_e5m2"), _fp8("fp8_e5m2", lanes=3, stages=1, random_bits=4)),
        mutants={"source": "fp8_e4m3", "target": "fp16", "stages": 3, "random_bits": 8},
        measured=(
            *DEFAULTS,
            ("fp32", "ecp5-85k"),
            ("fp8_e4m3", "ecp5-85k"),
            ("stochastic", "ecp5-85k"),
        ),
    ),
    _elementwise(
        "add",
        "Add",
        "addition and subtraction, rounded to nearest even",
        presets={
            "default": {},
            "bf16": {"source": "bf16", "target": "bf16"},
            "flush": {"source": "bf16", "target": "bf16", "flush": True},
        },
        cases=(
            _fp8("fp8_e4m3", lanes=2),
            _fp8("fp8_e5m2", lanes=3, stages=1, flush=True),
            {"source": "fp16", "target": "fp16", "lanes": 3, "stages": 7},
            {"source": "fp16", "target": "fp32", "lanes": 2, "stages": 5},
            {"target": "bf16", "stages": 0, "subtract": True},
            _fp8("fp8_e4m3", subtract=True, stages=11, flush=True),
        ),
        proofs=(_fp8("fp8_e5m2"), _fp8("fp8_e5m2", lanes=2, stages=1)),
        mutants=_fp8("fp8_e4m3", stages=3),
    ),
    _elementwise(
        "multiply",
        "Multiply",
        "multiplication, rounded to nearest even",
        presets={
            "default": {},
            "fp32": {"source": "fp32", "target": "fp32"},
            "flush": {"flush": True},
        },
        cases=(
            _fp8("fp8_e4m3", lanes=2),
            _fp8("fp8_e5m2", lanes=3, stages=1, flush=True),
            {"source": "fp16", "target": "fp16", "lanes": 3, "stages": 7},
            {"source": "bf16", "target": "fp32", "lanes": 2, "stages": 5},
            {"source": "fp32", "target": "bf16", "stages": 0, "flush": True},
        ),
        proofs=(_fp8("fp8_e5m2"),),
        mutants=_fp8("fp8_e4m3", stages=3),
    ),
    _elementwise(
        "divide",
        "Divide",
        "division, rounded to nearest even",
        presets={
            "default": {},
            "fp32": {"source": "fp32", "target": "fp32"},
            "flush": {"flush": True},
        },
        cases=(
            _fp8("fp8_e4m3", lanes=2),
            _fp8("fp8_e5m2", lanes=3, stages=1, flush=True),
            {"source": "fp16", "target": "fp16", "lanes": 3, "stages": 7},
            {"source": "bf16", "target": "fp32", "lanes": 2, "stages": 5},
            {"source": "fp32", "target": "bf16", "stages": 0, "flush": True},
        ),
        proofs=(_fp8("fp8_e5m2"),),
        mutants=_fp8("fp8_e4m3", stages=3),
    ),
    _elementwise(
        "square_root",
        "SquareRoot",
        "square root, rounded to nearest even",
        presets={
            "default": {},
            "fp32": {"source": "fp32", "target": "fp32"},
            "flush": {"flush": True},
        },
        cases=(
            _fp8("fp8_e4m3", lanes=2),
            _fp8("fp8_e5m2", lanes=3, stages=1, flush=True),
            {"source": "fp16", "target": "fp16", "lanes": 3, "stages": 7},
            {"source": "bf16", "target": "fp32", "lanes": 2, "stages": 5},
            {"source": "fp32", "target": "bf16", "stages": 0, "flush": True},
        ),
        proofs=(_fp8("fp8_e5m2"),),
        mutants=_fp8("fp8_e4m3", stages=3),
    ),
    _elementwise(
        "reciprocal_square_root",
        "ReciprocalSquareRoot",
        "reciprocal square root, rounded to nearest even",
        presets={
            "default": {},
            "fp32": {"source": "fp32", "target": "fp32"},
            "flush": {"flush": True},
        },
        cases=(
            _fp8("fp8_e4m3", lanes=2),
            _fp8("fp8_e5m2", lanes=3, stages=1, flush=True),
            {"source": "fp16", "target": "fp16", "lanes": 3, "stages": 7},
            {"source": "bf16", "target": "fp32", "lanes": 2, "stages": 5},
            {"source": "fp32", "target": "bf16", "stages": 0, "flush": True},
        ),
        proofs=(_fp8("fp8_e5m2"),),
        mutants=_fp8("fp8_e4m3", stages=3),
    ),
    _elementwise(
        "compare",
        "Compare",
        "less, equal, greater or unordered",
        golden="arith_compare:compare",
        presets={"default": {}, "fp32": {"source": "fp32"}, "int8": {"source": "int8"}},
        cases=(
            {"source": "fp8_e4m3", "lanes": 2, "stages": 0},
            {"source": "fp8_e5m2", "lanes": 3, "stages": 1, "flush": True},
            {"source": "fp16", "flush": True},
            {"source": "int32", "lanes": 4, "stages": 0},
            {"source": "fp32", "stages": 1},
        ),
        proofs=({"source": "fp8_e5m2", "stages": 0},),
        mutants={"source": "fp8_e4m3", "stages": 1},
    ),
    _elementwise(
        "extreme",
        "Extreme",
        "maximum and minimum",
        golden="arith_compare:maximum",
        presets={"default": {}, "fp32": {"source": "fp32"}, "int8": {"source": "int8"}},
        cases=(
            {"source": "fp8_e4m3", "lanes": 2, "stages": 0, "operation": "minimum"},
            {
                "source": "fp8_e5m2",
                "lanes": 3,
                "stages": 1,
                "flush": True,
                "operation": "maximum_number",
            },
            {"source": "fp16", "flush": True, "operation": "minimum_number"},
            {"source": "int32", "lanes": 4, "stages": 0, "operation": "minimum"},
            {"source": "fp32", "stages": 1, "operation": "maximum_number"},
        ),
        proofs=({"source": "fp8_e5m2", "stages": 0},),
        mutants={"source": "fp8_e4m3", "stages": 1},
    ),
    _elementwise(
        "convert",
        "Convert",
        "between floating point of all widths, and from and to fixed point",
        golden="arith_convert:convert",
        presets={
            "default": {},
            "fp8_e4m3": {"source": "fp8_e4m3"},
            "int32": {"source": "int32"},
            "to_int8": {"target": "int8"},
            "to_int32": {"source": "fp32", "target": "int32"},
        },
        cases=(
            {"source": "int4", "target": "fp8_e4m3", "lanes": 3, "stages": 0},
            {"source": "bf16", "target": "fp16", "lanes": 2, "stages": 5},
            {"source": "fp16", "target": "bf16", "stages": 1, "flush": True},
            {"source": "fp8_e5m2", "target": "fp8_e4m3", "lanes": 2, "stages": 7},
            {"source": "bf16", "target": "fp16", "stages": 3, "flush": True},
            {"source": "int16", "target": "bf16", "lanes": 4, "stages": 2},
            {"source": "int32", "target": "fp8_e4m3", "lanes": 2, "stages": 5},
            {"source": "fixed32.32", "target": "fp16", "stages": 4},
            {"source": "fp32", "target": "fp8_e5m2", "stages": 8, "flush": True},
            {"source": "fp8_e4m3", "target": "int4", "lanes": 3, "stages": 0},
            {"source": "fp8_e5m2", "target": "fixed8.6", "lanes": 2, "stages": 2, "flush": True},
            {"source": "fp16", "target": "fixed32.32", "stages": 6},
        ),
        proofs=({"source": "fp8_e5m2", "target": "fp8_e5m2", "stages": 0},),
        mutants={"source": "fp8_e5m2", "target": "fp8_e4m3", "stages": 3},
    ),
    Entry(
        "dot",
        "sluice.arith:Dot",
        "dot product, summed exactly and rounded once",
        group="arith",
        bench="sluice_sim.bench.arith_dot:DotBench",
        proof="sluice_sim.formal.arith:prove_elementwise",
        golden="sluice_sim.golden.arith_exact:dot",
        presets={
            "default": {},
            "fp8_e5m2": {"source": "fp8_e5m2", "terms": 2},
            "fp16": {"source": "fp16", "terms": 2},
            "int8": {"source": "int8", "target": "int32"},
        },
        cases=(
            {"target": "fp8_e4m3", "terms": 1, "stages": 0},
            {"source": "int4", "target": "int32", "terms": 1, "stages": 0},
            {"source": "int4", "target": "int32", "terms": 7, "lanes": 2, "stages": 3},
            {"source": "fp8_e5m2", "target": "fp16", "terms": 3, "lanes": 2, "stages": 7},
            {"target": "bf16", "terms": 5, "stages": 11, "flush": True},
            {"source": "fp8_e5m2", "target": "fp8_e5m2", "stages": 1, "flush": True},
            {"source": "fp16", "target": "fp16", "terms": 2, "lanes": 2, "stages": 5},
        ),
        proofs=({"target": "fp8_e4m3", "terms": 1, "stages": 0},),
        mutants={"target": "fp8_e4m3", "terms": 2, "stages": 3},
        measured=(*DEFAULTS, ("int8", "ecp5-85k")),
    ),
)
