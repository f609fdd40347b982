"""The command line: one file per verb, each of which imports what it needs only when it runs."""

import os
import sys

import typer

from sluice.cli import (
    blocks,
    build,
    compress,
    doctor,
    generate,
    mutate,
    prove,
    run,
    synth,
    test,
)
from sluice.cli.common import report_error

__all__ = ["app", "main"]

# What Typer makes of Ctrl-C.
INTERRUPTED = 130

app = typer.Typer(
    name="sluice",
    help="Generate hardware that trains neural networks: blocks, accelerators, bitstreams.",
    epilog="Exit status: 0 done, 1 ran and failed, 2 the request cannot be met.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("list")(blocks.list_blocks)
app.command("describe")(blocks.describe)
app.command("generate")(generate.generate)
app.command("test")(test.test)
app.command("prove")(prove.prove)
app.command("mutate")(mutate.mutate)
app.command("synth")(synth.synth)
app.command("build")(build.build)
app.command("run")(run.run)
app.command("compress")(compress.compress)
app.command("decompress")(compress.decompress)
app.command("unpack")(compress.unpack)
app.command("boards")(build.boards)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line; every way to fail ends in one line and a status."""
    try:
        status = app(standalone_mode=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as e:
        report_error(e)
    if status == INTERRUPTED:
        print("sluice: interrupted; nothing half-written is left", file=sys.stderr)
        sys.exit(1)
    sys.exit(status)
