"""``sluice test``."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.cli.common import at_least_one, select
from sluice.files import replaced_file

__all__ = ["test"]


def test(
    blocks: Annotated[
        list[str] | None, typer.Argument(metavar="[BLOCK]...", help="All blocks by default.")
    ] = None,
    sim: Annotated[str | None, typer.Option(help="icarus or verilator.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 1,
    waves: Annotated[bool, typer.Option("--waves", help="Keep waveforms (FST).")] = False,
    junit: Annotated[Path, typer.Option(help="Results for other programs.")] = Path(
        "build/test.xml"
    ),
    jobs: Annotated[int, typer.Option(help="Simulations at once.")] = os.cpu_count() or 1,
) -> None:
    """Run the cocotb regression: every preset and case of the named blocks.

    Example: sluice test masking --sim verilator --seed 7
    """
    from sluice_sim.runner import find_simulator, run_bench

    simulator = find_simulator(sim)
    at_least_one(jobs=jobs)
    cases = [(e, label, dict(p)) for e in select(blocks or ()) for label, p in e.variants()]

    def one(case: tuple[Any, str, dict[str, Any]]) -> Any:
        entry, _, parameters = case
        return run_bench(entry, parameters, sim=simulator, seed=seed, waves=waves)

    outcomes = run_all(cases, one, jobs, f"{simulator}, seed {seed}")
    write_junit(junit, outcomes)
    failed = [(case, result) for case, result in outcomes if not result.ok]
    for (entry, label, parameters), result in failed:
        print(f"FAILED {entry.name} {label} {parameters}: {result.folder}")
        for name, message in result.failures.items():
            print(f"  {name}: {message.splitlines()[0] if message else ''}")
    if waves:
        print(f"waveforms: {', '.join(str(r.folder) for _, r in outcomes)}")
    tests = sum(len(r.passed) for _, r in outcomes)
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} benches pass, {tests} tests; {junit}")
    raise typer.Exit(1 if failed else 0)


def run_all(cases: list[Any], one: Any, jobs: int, title: str) -> list[tuple[Any, Any]]:
    """Run ``one`` on every case, some at once, with a progress bar; keep their order."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    results: dict[int, Any] = {}
    columns = (SpinnerColumn(), *Progress.get_default_columns()[:3], TimeElapsedColumn())
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        ThreadPoolExecutor(jobs) as pool,
    ):
        bar = progress.add_task(title, total=len(cases))
        futures = {pool.submit(one, case): k for k, case in enumerate(cases)}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                progress.advance(bar)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [(case, results[k]) for k, case in enumerate(cases)]


def write_junit(path: Path, outcomes: list[tuple[Any, Any]]) -> None:
    """Write what passed and failed in the format that CI systems read."""
    from xml.etree import ElementTree

    suites = ElementTree.Element("testsuites")
    for (entry, label, _), result in outcomes:
        count = len(result.passed) + len(result.failures)
        attributes = {"tests": str(count), "failures": str(len(result.failures))}
        suite = ElementTree.SubElement(suites, "testsuite", attributes, name=entry.name)
        for name in [*result.passed, *result.failures]:
            classname = f"{entry.name}.{label}"
            case = ElementTree.SubElement(suite, "testcase", classname=classname, name=name)
            if name in result.failures:
                ElementTree.SubElement(case, "failure", message=result.failures[name])
    with replaced_file(path) as partial:
        ElementTree.ElementTree(suites).write(partial, encoding="utf-8", xml_declaration=True)
