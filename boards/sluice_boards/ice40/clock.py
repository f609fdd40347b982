"""The phase-locked loop of the iCE40."""

import math
from typing import Any

from amaranth import ClockSignal, Const, Elaboratable, Instance, Module, Signal
from amaranth.lib.cdc import ResetSynchronizer

__all__ = ["Ice40Clock", "divisors"]

# Lattice FPGA-DS-02008 (iCE40 UltraPlus family data sheet), sysCLOCK PLL timing.
_DETECTOR, _OSCILLATOR, _OUTPUT = (10.0, 133.0), (533.0, 1066.0), (16.0, 275.0)


def divisors(input_mhz: float, output_mhz: float) -> tuple[int, int, int]:
    """Return DIVR, DIVF and DIVQ that come nearest to ``output_mhz``.

    The output is ``input * (DIVF + 1) / (DIVR + 1) / 2**DIVQ``.

    Raises
    ------
    ValueError
        If the loop cannot lock at any frequency within 1 % of the one asked for.
    """
    best: tuple[float, tuple[int, int, int]] | None = None
    for reference in range(16):
        compared = input_mhz / (reference + 1)
        if not _DETECTOR[0] <= compared <= _DETECTOR[1]:
            continue
        for feedback in range(128):
            speed = compared * (feedback + 1)
            if not _OSCILLATOR[0] <= speed <= _OSCILLATOR[1]:
                continue
            for power in range(1, 7):
                made = speed / 2**power
                error = abs(made - output_mhz) / output_mhz
                if error <= 0.01 and _OUTPUT[0] <= made <= _OUTPUT[1]:
                    found = (error, (reference, feedback, power))
                    best = min(best, found) if best else found
    if best is None:
        raise ValueError(f"no clock of {output_mhz} MHz can be made from {input_mhz} MHz")
    return best[1]


class Ice40Clock(Elaboratable):
    """Drive the domain ``sync`` from the pad of the loop; reset is held until it has locked.

    The domain is defined by what surrounds this.

    Parameters
    ----------
    pad : IOPort
        Of the oscillator; it must be the pad that belongs to the loop.
    input_mhz, output_mhz : float, MHz
    """

    def __init__(self, pad: Any, *, input_mhz: float, output_mhz: float):
        self.pad, self.input_mhz = pad, input_mhz
        self.divr, self.divf, self.divq = divisors(input_mhz, output_mhz)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        locked = Signal()
        compared = self.input_mhz / (self.divr + 1)
        m.submodules.loop = Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(self.divr, 4),
            p_DIVF=Const(self.divf, 7),
            p_DIVQ=Const(self.divq, 3),
            # The loop filter is chosen by the frequency that is compared.
            p_FILTER_RANGE=Const(_filter_range(compared), 3),
            i_PACKAGEPIN=self.pad,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=ClockSignal("sync"),
            o_LOCK=locked,
        )
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        return m


def _filter_range(compared_mhz: float) -> int:
    limits = (17, 26, 44, 66, 101, math.inf)
    return next(k for k, limit in enumerate(limits, 1) if compared_mhz < limit)
