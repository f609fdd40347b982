"""``sluice run``."""

from typing import Annotated

import typer

from sluice.cli.common import Json, block_of, pairs, print_json

__all__ = ["run"]


def run(
    block: Annotated[str, typer.Argument(help="A name from `sluice list`.")],
    inputs: Annotated[list[str], typer.Option("--input", help="[stream=]x.npy; rows are packets.")],
    outputs: Annotated[list[str], typer.Option("--output", help="[stream=]y.npy, a new file.")],
    config: Annotated[
        list[str] | None, typer.Option("--config", help="A setting: name=value.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Parameters to start from.")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter: name=value.")
    ] = None,
    device: Annotated[str, typer.Option(help="sim, or the serial port of a board.")] = "sim",
    as_json: Json = False,
) -> None:
    """Send arrays through a block, on the simulator or on a board, and keep what comes out.

    Example: sluice run masking --input x.npy --output y.npy --config "mask=lower(0)"
    """
    from sluice.tensors import run_tensors

    entry, made = block_of(block, preset, settings or ())
    facts = run_tensors(
        entry,
        made,
        inputs=inputs,
        outputs=outputs,
        config=pairs(config or (), "--config"),
        device=device,
    )
    if as_json:
        print_json(facts)
    else:
        for name, text in facts.items():
            print(f"{name}: {text}")
