"""Radiona ULX3S with an LFE5U-85F."""

from typing import Any

from amaranth import Module
from amaranth.lib import io

from sluice_boards.board import Board
from sluice_boards.ecp5 import ECP5, Ecp5Clock

__all__ = ["BOARD"]

CLOCK_MHZ = 100.0


def add_clock(m: Module, platform: Any) -> None:
    """Multiply the oscillator's 25 MHz."""
    pad = platform.request("clk25", dir="-")
    m.submodules.oscillator = pin = io.Buffer(io.Direction.Input, pad)
    m.submodules.clock = Ecp5Clock(pin.i, input_mhz=25.0, output_mhz=CLOCK_MHZ)


BOARD = Board(
    name="ulx3s-85f",
    platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
    device="LFE5U-85F, CABGA381, speed grade 6",
    technology=ECP5,
    clock_mhz=CLOCK_MHZ,
    add_clock=add_clock,
    baud=1_000_000,
    loader="ulx3s",
)
