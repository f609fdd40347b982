"""The systolic array, bit for bit and to the cycle."""

import json
from pathlib import Path

import pytest

from sluice.array import SystolicArray, make_mac
from sluice.export import to_verilog
from sluice.formats import FORMATS
from sluice.technology import GENERIC
from sluice_boards.ecp5 import ECP5
from sluice_sim.bench.array import make_array
from sluice_sim.models import models_of
from sluice_sim.runner import run_modules

BENCH = ["sluice_sim.bench.tb_systolic"]


def case(operand, total, rows, columns, stages, **more):
    return {
        "operand": operand,
        "total": total,
        "rows": rows,
        "columns": columns,
        "stages": stages,
        **more,
    }


CASES = [
    case("int8", "int32", 4, 4, 4),
    case("int8", "int32", 1, 1, 0),
    case("int8", "int32", 2, 2, 9),
    case("int4", "int16", 9, 2, 1),
    case("bf16", "fp32", 3, 4, 16),
    case("fp8_e4m3", "fp32", 4, 1, 5),
    case("fp16", "fp16", 2, 3, 0),
    case("fp8_e5m2", "fp16", 5, 2, 3, flush=True),
    case("int8", "int32", 4, 4, 4, group=4),
    case("int8", "int32", 3, 1, 3, group=2),
    case("int4", "int16", 2, 5, 1, group=3),
    case("bf16", "fp32", 3, 4, 16, group=4),
    case("fp8_e4m3", "fp32", 4, 2, 5, group=3),
    case("fp8_e5m2", "fp16", 2, 3, 0, group=2, flush=True),
    case("int8", "int32", 4, 4, 4, gating=True),
    case("int4", "int16", 3, 1, 1, gating=True, group=3),
    case("int8", "int32", 1, 2, 2, gating=True, group=2),
    case("int4", "int16", 2, 9, 2, gating=True, group=2),
    case("bf16", "fp32", 4, 3, 16, gating=True),
    case("fp8_e4m3", "fp32", 4, 1, 5, gating=True, group=4),
    case("fp16", "fp16", 2, 3, 0, gating=True),
    case("fp8_e5m2", "fp16", 5, 2, 3, gating=True, group=2, flush=True),
]


def run(parameters, technology=GENERIC, **env):
    text = to_verilog(make_array(**parameters), "systolic", technology)
    env = {"SLUICE_ARRAY": json.dumps(parameters), **env}
    models = models_of(technology) if technology is not GENERIC else ()
    result = run_modules("systolic", text, BENCH, env, models=models)
    assert result.ok, f"{result.failures}, see {result.folder}"
    assert len(result.passed) == 2


@pytest.mark.parametrize("parameters", CASES, ids=lambda p: "-".join(map(str, p.values())))
def test_tiles(parameters):
    run(parameters)


@pytest.mark.parametrize("more", [{}, {"group": 4}, {"gating": True}], ids=str)
def test_tiles_in_vendor_multipliers(more):
    run(CASES[0] | more, ECP5)


@pytest.mark.parametrize("formats", [("int8", "int32", 4), ("bf16", "fp32", 16)], ids=str)
def test_zeros_do_not_reach_the_multipliers(tmp_path: Path, formats):
    """With 40 % zeros among values and weights, 64 % of the products are zero."""
    operand, total, stages = formats
    toggled = []
    for gating in (False, True):
        path = tmp_path / f"{gating}.json"
        parameters = case(operand, total, 4, 4, stages, gating=gating)
        run(parameters, SLUICE_TOGGLES=str(path))
        toggled.append(json.loads(path.read_text()))
    assert toggled[1] < 0.6 * toggled[0], toggled


def test_ports_of_modes():
    mac = make_mac(FORMATS["int8"], FORMATS["int32"], stages=4)
    plain = SystolicArray(rows=2, columns=3, mac=mac)
    sparse = SystolicArray(rows=2, columns=3, mac=mac, group=3)
    gated = SystolicArray(rows=2, columns=3, mac=mac, gating=True)
    assert (plain.latency, sparse.latency, gated.latency) == (10, 11, 11)
    assert set(sparse.signature.members) - set(plain.signature.members) == {"tag"}
    assert set(gated.signature.members) - set(plain.signature.members) == {"used"}


@pytest.mark.parametrize("name", ["rows", "columns", "group"])
def test_bad_parameters(name):
    mac = make_mac(FORMATS["int8"], FORMATS["int32"], stages=4)
    with pytest.raises(ValueError, match=name):
        SystolicArray(**{"rows": 2, "columns": 2, "mac": mac, name: 0})
