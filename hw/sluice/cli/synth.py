"""``sluice synth``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.cli.common import Json, at_least_one, block_of, print_json, print_table

__all__ = ["synth"]


def synth(
    block: Annotated[str, typer.Argument(help="A name from `sluice list`.")],
    device: Annotated[
        str, typer.Option(help="ecp5-85k, ecp5-85k-packed (area alone), ecp5-25k, up5k or asic.")
    ] = "ecp5-85k",
    seeds: Annotated[int, typer.Option(help="Place and route so often; the worst counts.")] = 3,
    preset: Annotated[str, typer.Option(help="Parameters to start from.")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter: name=value.")
    ] = None,
    liberty: Annotated[Path | None, typer.Option(help="Cells for --device asic.")] = None,
    as_json: Json = False,
) -> None:
    """Measure area and worst Fmax of a block, with every port registered and on no pin.

    Example: sluice synth masking --device ecp5-85k --seeds 3
    """
    from rich.console import Console

    from sluice.catalogue import RequestError
    from sluice_boards.measure import find_device, measure

    part = find_device(device)
    at_least_one(seeds=seeds)
    if liberty is not None and part.family != "asic":
        raise RequestError("--liberty goes with --device asic")
    if liberty is not None and not liberty.is_file():
        raise RequestError(f"no file {liberty}: --liberty takes a Liberty (.lib) file")
    entry, made = block_of(block, preset, settings or ())
    with Console(stderr=True).status("") as status:
        result = measure(
            made,
            part,
            seeds=range(1, seeds + 1),
            liberty=liberty,
            report=lambda step: status.update(f"{entry.name} on {part.name}: {step}"),
        )
    if as_json:
        print_json(result)
        return
    rows: list[tuple[Any, Any]] = list(result["area"].items())
    for name in ("gates", "transistors", "area_um2"):
        if name in result:
            rows.append((name, result[name]))
    print_table(f"{entry.name} on {result['part']}", ("resource", "used"), rows)
    if "harness" in result:
        cost = result["harness"]
        print(f"of which the harness: {cost['tables']} COMB, {cost['registers']} FF")
    if "worst_mhz" in result:
        print(f"Fmax by seed: {result['fmax_mhz']} MHz; worst {result['worst_mhz']} MHz")
