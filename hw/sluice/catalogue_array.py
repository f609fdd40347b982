"""The array blocks of the catalogue."""

from typing import Any

from sluice.entry import Entry

__all__ = ["ARRAY"]


def _tiny(operand: str, total: str, result: str, **more: Any) -> dict[str, Any]:
    small = {"size": 2, "columns": 2, "stages": 1, "a_blocks": 4, "b_blocks": 4, "sums": 6}
    return {"operand": operand, "total": total, "result": result, **small, **more}


ARRAY = (
    Entry(
        "matmul",
        "sluice.array:Matmul",
        "matrix products on a systolic array, operands straight or transposed",
        group="array",
        systems=("A2",),
        bench="sluice_sim.bench.matmul:MatmulBench",
        proof="sluice_sim.formal.matmul:prove_matmul",
        golden="sluice_sim.golden.array:multiply_matrices",
        presets={
            "default": {},
            "8x8": {"size": 8, "columns": 8},
            "bf16": {"operand": "bf16", "total": "fp32", "result": "bf16", "stages": 16},
            "sparse": {"group": 4},
        },
        cases=(
            _tiny("int4", "int16", "int16", stages=0, a_blocks=1, b_blocks=1, sums=2),
            _tiny("int8", "int32", "int8", columns=8, gating=True),
            _tiny("fp8_e4m3", "fp32", "fp8_e5m2", modes="nearest_even,own_bits", stages=3),
            _tiny("fp16", "fp16", "fp16", columns=4, stages=0, sums=32),
            _tiny("int8", "int32", "int32", group=2, maps=8),
            _tiny(
                *("bf16", "fp32", "fp32"),
                **{"group": 4, "maps": 2, "stages": 5, "sums": 16, "columns": 4, "gating": True},
            ),
            _tiny("fp8_e5m2", "fp16", "fp8_e5m2", flush=True, stages=7, columns=4),
        ),
        proofs=(_tiny("int4", "int16", "int16", stages=0, sums=2, count_bits=2),),
        slow=(
            "case3",
            "case5",
        ),
        mutants=_tiny(
            *("int4", "int16", "int16"),
            **{"group": 2, "maps": 8, "a_blocks": 8, "b_blocks": 8, "sums": 16, "count_bits": 4},
        ),
    ),
)
