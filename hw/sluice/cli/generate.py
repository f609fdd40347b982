"""``sluice generate``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.cli.common import Json, block_of, print_json

__all__ = ["generate"]


def generate(
    block: Annotated[str, typer.Argument(help="A name from `sluice list`.")],
    preset: Annotated[str, typer.Option(help="Parameters to start from.")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter: name=value.")
    ] = None,
    bus: Annotated[str, typer.Option(help="Ports: stream or axis (AXI4-Stream).")] = "stream",
    board: Annotated[str | None, typer.Option(help="Use this board's technology.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="New folder; default build/BLOCK.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a block as Verilog, with a FuseSoC core file, its register map and its parameters.

    The same parameters give the same bytes.

    Example: sluice generate masking --set lanes=16 --bus axis -o build/masking16
    """
    from sluice.catalogue import RequestError
    from sluice.files import fresh_folder
    from sluice.technology import GENERIC

    if bus not in ("stream", "axis"):
        raise RequestError(f"no bus {bus!r}: there are stream axis")
    entry, made = block_of(block, preset, settings or ())
    technology = GENERIC
    if board is not None:
        from sluice_boards.targets import find_board

        technology = find_board(board).technology
    texts = files_for(entry, made, bus=bus, technology=technology)
    folder = output or Path("build") / entry.name
    with fresh_folder(folder) as partial:
        for name, text in texts.items():
            (partial / name).write_text(text)
    if as_json:
        print_json({"folder": str(folder), "files": sorted(texts)})
    else:
        print(*(folder / name for name in texts), sep="\n")


def files_for(entry: Any, made: Any, *, bus: str, technology: Any) -> dict[str, str]:
    """Return the text of every generated file by name."""
    import json

    from sluice import __version__
    from sluice.catalogue import RequestError
    from sluice.export import to_verilog
    from sluice.registers import register_map

    name = entry.name
    top = made
    if bus == "axis":
        from sluice.axis import AxisBlock

        try:
            top = AxisBlock(made)
        except ValueError as e:
            raise RequestError(f"{name}: {e}; use --bus stream") from e
    facts = {
        "sluice": __version__,
        "block": name,
        "parameters": made.spelled,
        "bus": bus,
        "technology": technology.name,
        "latency": made.latency,
        "interval": made.interval,
    }
    return {
        f"{name}.v": to_verilog(top, name, technology),
        f"{name}.core": _core(name, entry.summary, __version__),
        f"{name}.registers.json": json.dumps(register_map(top), indent=2) + "\n",
        f"{name}.parameters.json": json.dumps(facts, indent=2) + "\n",
    }


def _core(name: str, summary: str, version: str) -> str:
    """Return a FuseSoC core description (CAPI2)."""
    return f"""CAPI=2:
name: sluice:blocks:{name}:{version}
description: "{summary}"
filesets:
  rtl:
    files: [{name}.v]
    file_type: verilogSource
targets:
  default:
    filesets: [rtl]
    toplevel: {name}
"""
