"""1BitSquared iCEBreaker with an iCE40 UP5K."""

from typing import Any

from amaranth import Module

from sluice_boards.board import Board
from sluice_boards.ice40 import ICE40, Ice40Clock

__all__ = ["BOARD"]

CLOCK_MHZ = 24.0


def add_clock(m: Module, platform: Any) -> None:
    """Multiply the oscillator's 12 MHz; its pin is the pad of the loop."""
    pad = platform.request("clk12", dir="-").io
    m.submodules.clock = Ice40Clock(pad, input_mhz=12.0, output_mhz=CLOCK_MHZ)


BOARD = Board(
    name="icebreaker",
    platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
    device="iCE40 UP5K, SG48",
    technology=ICE40,
    clock_mhz=CLOCK_MHZ,
    add_clock=add_clock,
    baud=1_000_000,
    loader="ice40_generic",
    presets={"masking": "small", "rounding": "small"},
)
