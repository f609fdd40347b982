"""The multipliers of Gowin's GW1N and GW2A."""

from typing import Any

from amaranth import Cat, ClockSignal, Const, Elaboratable, Instance, Module, Signal, Value

__all__ = ["WIDTH", "GowinMultiplier"]

WIDTH, SMALL = 18, 9


class GowinMultiplier(Elaboratable):
    """One MULT9X9 or MULT18X18 with its own registers (Gowin UG287, DSP User Guide).

    Parameters
    ----------
    a, b, b_en, p, stages
        See :class:`sluice.technology.MakeMultiplier`.

    Notes
    -----
    All registers of a multiplier share one clock enable, so that the register of ``b``, which can
    be held alone, is in logic. The others are the multiplier's own.
    """

    def __init__(self, *, a: Value, b: Value, b_en: Value, p: Signal, stages: int):
        self.a, self.b, self.b_en, self.p, self.stages = a, b, b_en, p, stages

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = SMALL if max(len(self.a), len(self.b)) <= SMALL else WIDTH
        b_taken: Value = self.b
        if self.stages:
            held = Signal(len(self.b), reset_less=True)
            with m.If(self.b_en):
                m.d.sync += held.eq(self.b)
            b_taken = held
        product = Signal(2 * width)
        a, b = (Cat(Const(0, width - len(x)), x) for x in (self.a, b_taken))
        m.d.comb += self.p.eq(product[2 * width - len(self.p) :])
        m.submodules.multiplier = Instance(
            f"MULT{width}X{width}",
            p_AREG=Const(self.stages >= 1, 1),
            p_BREG=Const(0, 1),
            p_OUT_REG=Const(self.stages >= 2, 1),
            p_PIPE_REG=Const(self.stages >= 3, 1),
            p_ASIGN_REG=Const(0, 1),
            p_BSIGN_REG=Const(0, 1),
            p_SOA_REG=Const(0, 1),
            p_MULT_RESET_MODE="SYNC",
            i_A=a,
            i_B=b,
            i_SIA=Const(0, width),
            i_SIB=Const(0, width),
            i_ASIGN=Const(self.a.shape().signed, 1),
            i_BSIGN=Const(self.b.shape().signed, 1),
            i_ASEL=Const(0),
            i_BSEL=Const(0),
            i_CE=Const(1),
            i_CLK=ClockSignal("sync") if self.stages else Const(0),
            i_RESET=Const(0),
            o_DOUT=product,
        )
        return m
