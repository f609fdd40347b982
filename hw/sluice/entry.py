"""What the catalogue says of a block."""

import difflib
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.block import Block

__all__ = ["DEFAULTS", "FPGA_ONLY", "Entry", "RequestError", "load"]


class RequestError(ValueError):
    """A request that cannot be met as it stands: one line that names the thing and the remedy."""


def load(reference: str) -> Any:
    """Return what ``module:attribute`` names."""
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


# What is measured unless an entry says otherwise.
DEFAULTS = (("default", "ecp5-85k"), ("default", "asic"))
# Of blocks with memories: of flip-flops and gates, these would be most of what is counted.
FPGA_ONLY = DEFAULTS[:1]


@dataclass(frozen=True)
class Entry:
    """One block.

    Attributes
    ----------
    name : str
        What the command line calls it.
    block : str
        ``module:class``.
    summary : str
        One line.
    group : str
        Part of the data's path it belongs to.
    bench : str
        ``module:class`` of its :class:`sluice_sim.bench.Bench`.
    proof : str
        ``module:function`` that puts the block between monitors and assertions.
    golden : str
        ``module:function`` of its golden model; empty where the bench states the whole function.
    systems : tuple of str
        Codes of the published systems it belongs to.
    presets : mapping of name to parameters
        ``default`` is what its datasheet measures.
    cases : tuple of parameters
        What the regression runs besides the presets; the smallest legal set is among them.
    proofs : tuple of parameters
        What is proven: small enough to prove, large enough to be the general case.
    slow : tuple of str
        Labels of presets and cases, and ``proof0``, ``proof1``, ..., that take more than half a
        minute: the default tests leave them out.
    mutants : mapping
        The parameters under which its mutants are made.
    measured : tuple of (preset, device)
        What its datasheet gives area and speed of.
    preview : bool
        Its bench does not yet reject as many faulty netlists as it must, or not every one that it
        accepts is explained.
    """

    name: str
    block: str
    summary: str
    group: str
    bench: str
    proof: str
    golden: str = ""
    systems: tuple[str, ...] = ()
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"default": {}})
    cases: tuple[Mapping[str, Any], ...] = ()
    proofs: tuple[Mapping[str, Any], ...] = ({},)
    slow: tuple[str, ...] = ()
    mutants: Mapping[str, Any] = field(default_factory=dict)
    measured: tuple[tuple[str, str], ...] = DEFAULTS
    preview: bool = False

    @property
    def cls(self) -> type[Block]:
        return load(self.block)

    def make(self, preset: str = "default", **changes: Any) -> Block:
        """Return the block with the parameters of ``preset``, changed as given.

        Raises
        ------
        RequestError
            Naming the preset, the parameter or the value that is wrong, and the legal ones.
        """
        if preset not in self.presets:
            raise RequestError(
                f"{self.name} has no preset {preset!r}: there are {' '.join(self.presets)}"
            )
        known = {p.name for p in self.cls.PARAMETERS}
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise RequestError(
                    f"{self.name} has no parameter {name!r}: "
                    f"there are {' '.join(sorted(known))}{hint}"
                )
        try:
            return self.cls(**{**self.presets[preset], **changes})
        except (TypeError, ValueError) as e:
            raise RequestError(f"{self.name}: {e}") from e

    def parse(self, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return the parameters that texts from a command line stand for."""
        parameters = {p.name: p for p in self.cls.PARAMETERS}
        values: dict[str, Any] = {}
        for name, text in settings.items():
            try:
                values[name] = parameters[name].parse(text) if name in parameters else text
            except (TypeError, ValueError) as e:
                raise RequestError(f"{self.name}: {e}") from e
        return values

    def variants(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield a label and the parameters of every preset and every case."""
        yield from self.presets.items()
        for k, case in enumerate(self.cases):
            yield f"case{k}", case

    @property
    def docstring(self) -> str:
        return inspect.getdoc(self.cls) or ""
