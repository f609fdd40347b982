"""What the verbs share: options, tables, progress, and errors in one line."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NoReturn

import typer

__all__ = [
    "Json",
    "at_least_one",
    "block_of",
    "pairs",
    "print_json",
    "print_table",
    "report_error",
    "select",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def report_error(error: Exception) -> NoReturn:
    """End with one line and status 2 for a bad request, 1 for a tool or a device that failed."""
    from sluice.catalogue import RequestError
    from sluice.link import LinkError
    from sluice.tools import ToolError

    if isinstance(error, RequestError):
        status, text = 2, str(error)
    elif isinstance(error, (LinkError, ToolError)):
        status, text = 1, str(error)
    elif format_message := getattr(error, "format_message", None):
        # Typer's own: an option that is not there, a value of the wrong type.
        message = format_message().rstrip(".")
        if not message:
            # Without a verb the help has been printed.
            sys.exit(2)
        status, text = 2, f"{message}. See sluice --help."
    else:
        raise error
    print(f"sluice: {text}", file=sys.stderr)
    sys.exit(status)


def at_least_one(**options: int) -> None:
    """Refuse options, given by name without dashes, that are less than one."""
    from sluice.catalogue import RequestError

    for name, value in options.items():
        if value < 1:
            raise RequestError(f"--{name} must be at least 1, not {value}")


def pairs(settings: Iterable[str], option: str) -> dict[str, str]:
    """Return ``k=v`` texts as a dictionary."""
    from sluice.catalogue import RequestError

    result: dict[str, str] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise RequestError(f"{option} takes name=value, not {text!r}")
        if name in result:
            raise RequestError(f"{option} {name} was given twice")
        result[name] = value
    return result


def block_of(name: str, preset: str, settings: Iterable[str]) -> Any:
    """Return the catalogue entry and the block made as asked."""
    from sluice.catalogue import find_block

    entry = find_block(name)
    values = entry.parse(pairs(settings, "--set"))
    return entry, entry.make(preset, **values)


def select(names: Sequence[str]) -> list[Any]:
    """Return the entries of the named blocks, or of all of them."""
    from sluice.catalogue import CATALOGUE, find_block

    return [find_block(name) for name in names] or list(CATALOGUE.values())


def print_json(value: Any) -> None:
    """Print ``value`` for a program to read."""
    print(json.dumps(value, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; on a pipe it is as wide as it needs to be."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
