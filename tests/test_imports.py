"""Imports between the packages point one way."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def imported(source: str, module: str, *, package: bool = False) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every import in ``source``, the text of ``module``.

    Relative imports, imports inside functions and ``import_module`` of a literal count. References
    such as the catalogue's ``module:attribute`` do not: only who follows one imports anything.
    """
    parent = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names)
            case ast.ImportFrom(module=target, level=level, names=names):
                base = parent[: len(parent) - level + 1] if level else []
                base = [*base, *([target] if target else [])]
                yield from ((node.lineno, ".".join([*base, name.name])) for name in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def forbidden(module: str) -> tuple[str, ...]:
    """Return what ``module`` must not import."""
    if within(module, "sluice.cli"):
        return ()
    if within(module, "sluice"):
        return ("sluice_sim", "sluice_boards")
    if within(module, "sluice_sim.golden"):
        return ("sluice", "sluice_boards", "amaranth")
    if within(module, "sluice_sim"):
        return ("sluice_boards",)
    if within(module, "sluice_boards"):
        return ("sluice_sim",)
    raise ValueError(module)


def violations(source: str, module: str, *, package: bool = False) -> list[str]:
    return [
        f"{module}:{line} imports {name}"
        for line, name in imported(source, module, package=package)
        if any(within(name, other) for other in forbidden(module))
    ]


@pytest.mark.parametrize("root", ["hw/sluice", "sim/sluice_sim", "boards/sluice_boards"])
def test_imports_point_one_way(root: str):
    files = sorted((ROOT / root).rglob("*.py"))
    assert files
    found: list[str] = []
    for file in files:
        parts = file.relative_to((ROOT / root).parent).with_suffix("").parts
        package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if package else parts)
        found += violations(file.read_text(), module, package=package)
    assert not found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sluice.block", "import sluice_sim"),
        ("sluice.block", "import numpy, sluice_boards.build as b"),
        ("sluice.block", "def f():\n    from sluice_sim.golden import formats"),
        ("sluice.block", "import importlib\nimportlib.import_module('sluice_sim.runner')"),
        ("sluice.client", "import sluice_sim"),
        ("sluice_sim.golden.formats", "from sluice.formats import FORMATS"),
        ("sluice_sim.golden.formats", "from amaranth import Signal"),
        ("sluice_sim.golden.formats", "import amaranth.hdl"),
        ("sluice_sim.runner", "from sluice_boards import build"),
        ("sluice_boards.build", "import sluice_sim.runner"),
    ],
)
def test_a_violation_is_found(module: str, source: str):
    assert violations(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sluice.block", "from amaranth import Module\nfrom sluice.params import check_int"),
        ("sluice.cli.test", "from sluice_sim.runner import run_bench"),
        ("sluice_sim.golden.formats", "import numpy\nfrom . import rounding"),
        ("sluice_sim.golden.formats", "from sluice_sim.golden import rounding"),
        ("sluice_sim.runner", "from sluice.catalogue import Entry"),
        ("sluice_boards.build", "import sluice.catalogue"),
    ],
)
def test_a_legal_import_passes(module: str, source: str):
    assert not violations(source, module)
