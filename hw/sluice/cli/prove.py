"""``sluice prove``."""

import os
from typing import Annotated, Any

import typer

from sluice.cli.common import Json, at_least_one, print_json, print_table, select
from sluice.cli.test import run_all

__all__ = ["prove"]


def prove(
    blocks: Annotated[
        list[str] | None, typer.Argument(metavar="[BLOCK]...", help="All blocks by default.")
    ] = None,
    seconds: Annotated[int, typer.Option(help="Limit per proof.")] = 600,
    jobs: Annotated[int, typer.Option(help="Proofs at once.")] = os.cpu_count() or 1,
    as_json: Json = False,
) -> None:
    """Prove the stream rules and that nothing is lost, doubled, changed or reordered.

    Example: sluice prove fifo arbiter
    """
    from sluice_sim.formal import prove as prove_entry

    at_least_one(seconds=seconds, jobs=jobs)
    cases = [(e, dict(p)) for e in select(blocks or ()) for p in e.proofs]

    def one(case: tuple[Any, dict[str, Any]]) -> Any:
        return prove_entry(case[0], case[1], seconds=seconds)

    outcomes = run_all(cases, one, jobs, "proofs")
    rows = [
        {
            "block": entry.name,
            "parameters": parameters,
            "result": "proven" if v.proven else "refuted" if v.refuted else "undecided",
            "broken": list(v.refuted),
            "seconds": round(v.seconds, 1),
        }
        for (entry, parameters), v in outcomes
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            "", ("block", "parameters", "result", "broken", "s"), [list(r.values()) for r in rows]
        )
    raise typer.Exit(0 if all(v.proven for _, v in outcomes) else 1)
