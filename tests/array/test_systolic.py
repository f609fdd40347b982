"""The systolic array, bit for bit and to the cycle."""

import json

import pytest

from sluice.export import to_verilog
from sluice_boards.ecp5 import ECP5
from sluice_sim.bench.array import make_array
from sluice_sim.models import models_of
from sluice_sim.runner import run_modules

CASES = [
    {"operand": "int8", "total": "int32", "rows": 4, "columns": 4, "stages": 4},
    {"operand": "int8", "total": "int32", "rows": 1, "columns": 1, "stages": 0},
    {"operand": "int4", "total": "int16", "rows": 9, "columns": 2, "stages": 1},
    {"operand": "bf16", "total": "fp32", "rows": 3, "columns": 4, "stages": 16},
    {"operand": "fp8_e4m3", "total": "fp32", "rows": 4, "columns": 1, "stages": 5},
    {"operand": "fp16", "total": "fp16", "rows": 2, "columns": 3, "stages": 0},
    {"operand": "fp8_e5m2", "total": "fp16", "rows": 5, "columns": 2, "stages": 3, "flush": True},
]


@pytest.mark.parametrize("parameters", CASES, ids=lambda p: "-".join(map(str, p.values())))
def test_tiles(parameters):
    text = to_verilog(make_array(**parameters), "systolic")
    env = {"SLUICE_ARRAY": json.dumps(parameters)}
    result = run_modules("systolic", text, ["sluice_sim.bench.tb_systolic"], env)
    assert result.ok, f"{result.failures}, see {result.folder}"
    assert len(result.passed) == 2


def test_tiles_in_vendor_multipliers():
    parameters = CASES[0]
    text = to_verilog(make_array(**parameters), "systolic", ECP5)
    env = {"SLUICE_ARRAY": json.dumps(parameters)}
    modules = ["sluice_sim.bench.tb_systolic"]
    result = run_modules("systolic", text, modules, env, models=models_of(ECP5))
    assert result.ok, f"{result.failures}, see {result.folder}"
