"""``sluice mutate``."""

import os
from typing import Annotated

import typer

from sluice.cli.common import Json, print_json
from sluice.cli.test import run_all

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
    from sluice.catalogue import RequestError, find_block
    from sluice_sim.mutation import make_mutants, try_mutant

    entry = find_block(block)
    if count < 1:
        raise RequestError(f"--count must be at least 1, not {count}")
    mutants = make_mutants(entry, count, seed=seed)
    outcomes = run_all(mutants, lambda m: try_mutant(entry, m), jobs, f"{len(mutants)} mutants")
    survivors = [m for m, verdict in outcomes if verdict == "survived"]
    equivalent = sum(verdict == "equivalent" for _, verdict in outcomes)
    killed = sum(verdict == "killed" for _, verdict in outcomes)
    score = killed / max(1, killed + len(survivors))
    facts = {
        "block": entry.name,
        "parameters": dict(entry.mutants),
        "killed": killed,
        "survived": len(survivors),
        "equivalent": equivalent,
        "score": round(score, 4),
        "survivors": [m.description for m in survivors],
    }
    if as_json:
        print_json(facts)
    else:
        for m in survivors:
            print(f"survived: {m.description}")
        print(f"{entry.name}: {killed} killed, {len(survivors)} survived, {equivalent} equivalent")
        print(f"score {100 * score:.1f} %")
    raise typer.Exit(0 if score >= 0.95 else 1)
