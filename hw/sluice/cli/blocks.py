"""``sluice list`` and ``sluice describe``."""

import json
from typing import Annotated, Any

import typer

from sluice.cli.common import Json, block_of, print_json, print_table

__all__ = ["describe", "list_blocks"]


def list_blocks(as_json: Json = False) -> None:
    """List the blocks, one line each, with the systems they implement.

    Example: sluice list --json
    """
    from sluice.catalogue import CATALOGUE

    if as_json:
        print_json(
            [
                {"name": e.name, "group": e.group, "systems": e.systems, "summary": e.summary}
                for e in CATALOGUE.values()
            ]
        )
        return
    rows = [(e.name, e.group, " ".join(e.systems), e.summary) for e in CATALOGUE.values()]
    print_table("", ("block", "group", "systems", "what it does"), rows)


def describe(
    block: Annotated[str, typer.Argument(help="A name from `sluice list`.")],
    preset: Annotated[str, typer.Option(help="Parameters to start from.")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter: name=value.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Describe a block: parameters, ports, timing, numerics, measured area and Fmax.

    Example: sluice describe masking --set lanes=16
    """
    from sluice.datasheet import area_and_speed

    entry, made = block_of(block, preset, settings or ())
    facts = facts_of(entry, made)
    if as_json:
        print_json(facts)
        return
    print(f"{entry.name}: {entry.summary}\n")
    print(facts["docstring"], "\n")
    print_table(
        "parameters",
        ("name", "value", "range", "unit", "meaning"),
        [(p["name"], p["value"], p["range"], p["unit"], p["meaning"]) for p in facts["parameters"]],
    )
    print_table(
        "ports (with clk, and rst: synchronous, active high)",
        ("port", "direction", "bits", "carries"),
        [(p["name"], p["direction"], p["bits"], p["carries"]) for p in facts["ports"]],
    )
    print(f"latency  {facts['latency']} cycles\ninterval {facts['interval']} cycles")
    print(f"presets  {' '.join(entry.presets)}")
    if facts["measurements"]:
        print_table(
            "measured without the harness; docs/ has the whole datasheet",
            ("device", "preset", "Fmax in MHz, worst (by seed)", "area"),
            [
                (m["device"], m["preset"], *reversed(area_and_speed(m)))
                for m in facts["measurements"]
            ],
        )


def facts_of(entry: Any, made: Any) -> dict[str, Any]:
    """Return everything that is known of a block, for people and programs."""
    from sluice.export import ports_of, streams_of

    carries = {s.name: str(s.shape) for s in streams_of(made)}
    return {
        "name": entry.name,
        "summary": entry.summary,
        "systems": entry.systems,
        "docstring": entry.docstring,
        "parameters": [
            {
                "name": p.name,
                "value": made.spelled[p.name],
                "range": p.range,
                "unit": getattr(p, "unit", ""),
                "meaning": p.meaning,
            }
            for p in made.PARAMETERS
        ],
        "ports": [
            {
                "name": p.name,
                "direction": "in" if p.is_input else "out",
                "bits": p.width,
                "carries": carries.get(p.name.removesuffix("__payload"), "")
                if p.name.endswith("__payload")
                else "",
            }
            for p in ports_of(made)
        ],
        "latency": made.latency,
        "interval": made.interval,
        "measurements": measurements_of(entry.name),
    }


def measurements_of(name: str) -> list[dict[str, Any]]:
    """Return what ``scripts/measure`` found, if it has been run for this block."""
    from importlib.resources import files

    path = files("sluice_boards") / "results" / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else []
