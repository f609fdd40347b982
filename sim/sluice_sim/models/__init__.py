"""Verilog models of vendors' primitives: one file per technology, of what Sluice uses of them."""

from pathlib import Path

from sluice.technology import Technology

__all__ = ["models_of"]


def models_of(technology: Technology) -> tuple[Path, ...]:
    """Return the Verilog that a simulation with ``technology`` needs beside the netlist."""
    path = Path(__file__).with_name(f"{technology.name}.v")
    return (path,) if path.exists() else ()
