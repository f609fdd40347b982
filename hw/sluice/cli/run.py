"""``sluice run``."""

from typing import Annotated, Any

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
    baud: Annotated[int, typer.Option(help="Of the serial port.")] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Send arrays through a block, on the simulator or on a board, and keep what comes out.

    Arrays hold numbers of the stream's format, or float32 where each value exists in it.

    Example: sluice run masking --input x.npy --output y.npy --config "mask=lower(0)"
    """
    import contextlib

    from rich.console import Console
    from rich.progress import Progress

    from sluice.link import Client, digest_of
    from sluice.tensors import plan_run, write_results
    from sluice_sim.device import SimulatedDevice

    entry, made = block_of(block, preset, settings or ())
    plan = plan_run(made, inputs, outputs, pairs(config or (), "--config"))
    with contextlib.ExitStack() as stack:
        console = Console(stderr=True)
        port = device
        if device == "sim":
            with console.status(f"building {entry.name} for the simulator"):
                port = stack.enter_context(SimulatedDevice(entry, made.spelled)).port
        client = stack.enter_context(Client(port, baud=baud, digest=digest_of(made), timeout=5.0))
        bar = stack.enter_context(Progress(console=console, transient=True))
        task = bar.add_task(f"{entry.name} on {device}", total=None)
        client.reset()
        came = client.exchange(
            plan.inputs,
            plan.packets,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        status = client.status()
    facts: dict[str, Any] = {"block": entry.name, "device": device}
    facts |= write_results(plan, came, status.bits)
    if as_json:
        print_json(facts)
    else:
        for name, value in facts.items():
            print(f"{name}: {value}")
