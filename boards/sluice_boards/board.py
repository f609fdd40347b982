"""What a board is: a part, a clock, a serial port, and the presets that fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from amaranth import Module

from sluice.catalogue import load
from sluice.technology import Technology

__all__ = ["Board"]


@dataclass(frozen=True)
class Board:
    """A target of ``sluice build``.

    Attributes
    ----------
    name : str
    platform : str
        ``module:class`` of its pins in amaranth-boards.
    device : str
        The part, for people to read.
    technology : Technology
    clock_mhz : float
        Of the domain ``sync``, in which everything runs.
    add_clock : callable (module, platform) -> None
        Drives the domain ``sync`` from the board's oscillator, held in reset until it is stable.
    baud : int
        Of the host link, 8N1.
    loader : str
        What openFPGALoader calls it.
    presets : mapping of block name to preset
        Where the default does not fit.
    """

    name: str
    platform: str
    device: str
    technology: Technology
    clock_mhz: float
    add_clock: Callable[[Module, Any], None]
    baud: int
    loader: str
    presets: Mapping[str, str] = field(default_factory=dict)

    @property
    def link(self) -> str:
        return f"UART, {self.baud} baud"

    def preset(self, block: str) -> str:
        """Return the preset of ``block`` that this board is built with."""
        return self.presets.get(block, "default")

    def make_platform(self) -> Any:
        """Return a platform that carries the technology; it serves for one build."""
        platform = load(self.platform)()
        platform.technology = self.technology
        return platform
