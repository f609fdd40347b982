"""The multiplier of the iCE40 UltraPlus."""

from typing import Any

from amaranth import Cat, ClockSignal, Const, Elaboratable, Instance, Module, Signal, Value

__all__ = ["WIDTH", "Ice40Multiplier"]

WIDTH = 16


class Ice40Multiplier(Elaboratable):
    """One SB_MAC16 with its own registers (Lattice FPGA-TN-02007, DSP Function Usage Guide).

    Parameters
    ----------
    a, b, b_en, p, stages
        See :class:`sluice.technology.MakeMultiplier`.

    Notes
    -----
    Its register between operands and product holds the four products of 8 bits that are then
    added. The register of ``b`` is held by ``BHOLD``.

    The option ``-dsp`` of ``synth_ice40`` (Yosys 0.70) takes the registers out of instances, and
    what it makes is wrong: synthesise without it.
    """

    def __init__(self, *, a: Value, b: Value, b_en: Value, p: Signal, stages: int):
        self.a, self.b, self.b_en, self.p, self.stages = a, b, b_en, p, stages

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        product = Signal(2 * WIDTH)
        a, b = (Cat(Const(0, WIDTH - len(x)), x) for x in (self.a, self.b))
        m.d.comb += self.p.eq(product[2 * WIDTH - len(self.p) :])
        taken, out, between = (Const(self.stages >= n, 1) for n in (1, 2, 3))
        unused = ("AHOLD", "CHOLD", "DHOLD", "OHOLDTOP", "OHOLDBOT", "OLOADTOP", "OLOADBOT")
        unused += ("IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "ADDSUBTOP", "ADDSUBBOT")
        unused += ("CI", "ACCUMCI", "SIGNEXTIN")
        m.submodules.multiplier = Instance(
            "SB_MAC16",
            *(("i", name, Const(0)) for name in unused),
            p_A_REG=taken,
            p_B_REG=taken,
            p_TOP_8x8_MULT_REG=between,
            p_BOT_8x8_MULT_REG=between,
            p_PIPELINE_16x16_MULT_REG1=between,
            p_PIPELINE_16x16_MULT_REG2=out,
            # The product passes by the adders.
            p_TOPOUTPUT_SELECT=Const(3, 2),
            p_BOTOUTPUT_SELECT=Const(3, 2),
            p_A_SIGNED=Const(self.a.shape().signed, 1),
            p_B_SIGNED=Const(self.b.shape().signed, 1),
            i_A=a,
            i_B=b,
            i_C=Const(0, WIDTH),
            i_D=Const(0, WIDTH),
            i_BHOLD=~self.b_en,
            i_CLK=ClockSignal("sync") if self.stages else Const(0),
            i_CE=Const(1),
            o_O=product,
        )
        return m
