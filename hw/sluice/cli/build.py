"""``sluice build`` and ``sluice boards``."""

from pathlib import Path
from typing import Annotated

import typer

from sluice.cli.common import Json, block_of, print_json, print_table

__all__ = ["boards", "build"]


def boards(as_json: Json = False) -> None:
    """List the boards that bitstreams can be built for.

    Example: sluice boards --json
    """
    from sluice_boards.targets import BOARDS

    rows = [
        {"board": b.name, "device": b.device, "clock_mhz": b.clock_mhz, "link": b.link}
        for b in BOARDS.values()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            "", ("board", "device", "clock MHz", "host link"), [list(r.values()) for r in rows]
        )


def build(
    block: Annotated[str, typer.Argument(help="A name from `sluice list`.")],
    board: Annotated[str, typer.Option(help="A name from `sluice boards`.")],
    preset: Annotated[
        str | None, typer.Option(help="Parameters to start from; default: the board's.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter: name=value.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="New folder; default build/BLOCK-BOARD.")
    ] = None,
    program: Annotated[bool, typer.Option("--program", help="Load it when built.")] = False,
    as_json: Json = False,
) -> None:
    """Build a bitstream with the block behind the host link, timing met at the board's clock.

    Example: sluice build rounding --board ulx3s-85f -o build/rounding
    """
    from rich.console import Console

    from sluice.files import fresh_folder
    from sluice_boards.build import build_bitstream, program_board
    from sluice_boards.targets import find_board

    target = find_board(board)
    entry, made = block_of(block, preset or target.preset(block), settings or ())
    folder = output or Path("build") / f"{entry.name}-{target.name}"
    with Console(stderr=True).status("") as status, fresh_folder(folder) as partial:
        result = build_bitstream(entry, made, target, partial, report=status.update)
    if as_json:
        print_json(result | {"folder": str(folder)})
    else:
        rows = [
            (name, f"{u['used']} of {u['available']}", f"{100 * u['used'] / u['available']:.1f} %")
            for name, u in result["utilisation"].items()
        ]
        print_table(f"{entry.name} on {target.name}", ("resource", "used", "share"), rows)
        print(f"Fmax {result['fmax_mhz']} MHz, board clock {result['clock_mhz']} MHz: timing met")
        print(folder / result["bitstream"])
    if program:
        program_board(target, folder / result["bitstream"])
