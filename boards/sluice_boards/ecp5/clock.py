"""The phase-locked loop of the ECP5."""

from typing import Any

from amaranth import ClockSignal, Const, Elaboratable, Instance, Module, Signal
from amaranth.lib.cdc import ResetSynchronizer

__all__ = ["Ecp5Clock", "divisors"]

# Lattice FPGA-DS-02012 (ECP5 family data sheet), sysCLOCK PLL timing, all speed grades.
_DETECTOR, _OSCILLATOR = (3.125, 400.0), (400.0, 800.0)


def divisors(input_mhz: float, output_mhz: float) -> tuple[int, int, int]:
    """Return the divisors of input, feedback and output that come nearest to ``output_mhz``.

    The output feeds back, so it is ``input * feedback / input divisor``; the oscillator runs
    ``output divisor`` times faster than it.

    Raises
    ------
    ValueError
        If the loop cannot lock at any frequency within 1 % of the one asked for.
    """
    best: tuple[float, float, tuple[int, int, int]] | None = None
    for reference in range(1, 129):
        compared = input_mhz / reference
        if not _DETECTOR[0] <= compared <= _DETECTOR[1]:
            continue
        for feedback in range(1, 81):
            made = compared * feedback
            error = abs(made - output_mhz) / output_mhz
            for output in range(1, 129):
                if error <= 0.01 and _OSCILLATOR[0] <= made * output <= _OSCILLATOR[1]:
                    # A fast oscillator and a fast comparison jitter least.
                    found = (error, -made * output, (reference, feedback, output))
                    best = min(best, found) if best else found
    if best is None:
        raise ValueError(f"no clock of {output_mhz} MHz can be made from {input_mhz} MHz")
    return best[2]


class Ecp5Clock(Elaboratable):
    """Drive the domain ``sync`` from a pin; reset is held until the loop has locked.

    The domain is defined by what surrounds this.

    Parameters
    ----------
    pin : Signal
        The oscillator's.
    input_mhz, output_mhz : float, MHz
    """

    def __init__(self, pin: Any, *, input_mhz: float, output_mhz: float):
        self.pin, self.input_mhz, self.output_mhz = pin, input_mhz, output_mhz
        self.reference, self.feedback, self.output = divisors(input_mhz, output_mhz)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        locked, clock = Signal(), ClockSignal("sync")
        m.submodules.loop = Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=str(self.input_mhz),
            a_FREQUENCY_PIN_CLKOP=str(self.output_mhz),
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            p_CLKI_DIV=self.reference,
            p_CLKFB_DIV=self.feedback,
            p_CLKOP_DIV=self.output,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=self.output - 1,
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=self.pin,
            i_CLKFB=clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_ENCLKOP=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            o_CLKOP=clock,
            o_LOCK=locked,
        )
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        return m
