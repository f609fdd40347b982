"""``sluice mutate``."""

import os
from typing import Annotated

import typer

from sluice.cli.common import Json, at_least_one, print_json

__all__ = ["mutate"]


def mutate(
    block: Annotated[str, typer.Argument(help="A name from `sluice list`.")],
    count: Annotated[int, typer.Option(help="Faulty netlists to make.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the choice of faults.")] = 1,
    jobs: Annotated[int, typer.Option(help="Simulations at once.")] = os.cpu_count() or 1,
    as_json: Json = False,
) -> None:
    """Measure mutation coverage: the bench must reject netlists with a fault put in.

    Faults that change nothing that can be seen are proven equivalent and left out.

    Example: sluice mutate skid_buffer --count 50
    """
    from rich.console import Console
    from rich.progress import Progress

    from sluice.catalogue import find_block
    from sluice_sim.mutation import coverage

    entry = find_block(block)
    at_least_one(count=count, jobs=jobs)
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"mutants of {entry.name}", total=None)
        facts = coverage(
            entry,
            count,
            seed=seed,
            jobs=jobs,
            report=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    if as_json:
        print_json(facts)
    else:
        for fault in facts["survivors"]:
            print(f"survived: {fault}")
        print(
            f"{entry.name}: {facts['killed']} killed, {facts['survived']} survived, "
            f"{facts['equivalent']} equivalent; score {100 * facts['score']:.1f} %"
        )
    raise typer.Exit(0 if facts["score"] >= 0.95 else 1)
