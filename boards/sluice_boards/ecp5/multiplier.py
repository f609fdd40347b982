"""The multiplier of the ECP5."""

from typing import Any

from amaranth import Cat, ClockSignal, Const, Elaboratable, Instance, Module, Signal, Value

__all__ = ["WIDTH", "Ecp5Multiplier"]

WIDTH = 18


class Ecp5Multiplier(Elaboratable):
    """One MULT18X18D with its own registers (Lattice FPGA-TN-02205, ECP5 and ECP5-5G sysDSP).

    Parameters
    ----------
    a, b, b_en, p, stages
        See :class:`sluice.technology.MakeMultiplier`.

    Notes
    -----
    The registers run on ``CLK0``. That of ``b`` has the clock enable ``CE1``, the others ``CE0``,
    which is always high. nextpnr times the paths to the first register and from the last, not
    those between registers inside.
    """

    def __init__(self, *, a: Value, b: Value, b_en: Value, p: Signal, stages: int):
        self.a, self.b, self.b_en, self.p, self.stages = a, b, b_en, p, stages

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Operands end at the top bit: to extend a sign would route it to every bit above.
        product = Signal(2 * WIDTH)
        a, b = (Cat(Const(0, WIDTH - len(x)), x) for x in (self.a, self.b))
        # Bits from the pins of a cell would each be a port of every module above; those from an
        # operator are one, and synthesis removes the operator.
        m.d.comb += self.p.eq(product[2 * WIDTH - len(self.p) :] | 0)
        clocks = [("CLK0" if self.stages >= n else "NONE") for n in (1, 2, 3)]
        m.submodules.multiplier = Instance(
            "MULT18X18D",
            *(("i", f"A{k}", a[k]) for k in range(WIDTH)),
            *(("i", f"B{k}", b[k]) for k in range(WIDTH)),
            *(("i", f"C{k}", Const(0)) for k in range(WIDTH)),
            *(("o", f"P{k}", product[k]) for k in range(2 * WIDTH)),
            p_REG_INPUTA_CLK=clocks[0],
            p_REG_INPUTA_CE="CE0",
            p_REG_INPUTA_RST="RST0",
            p_REG_INPUTB_CLK=clocks[0],
            p_REG_INPUTB_CE="CE1",
            p_REG_INPUTB_RST="RST0",
            p_REG_OUTPUT_CLK=clocks[1],
            p_REG_OUTPUT_CE="CE0",
            p_REG_OUTPUT_RST="RST0",
            p_REG_PIPELINE_CLK=clocks[2],
            p_REG_PIPELINE_CE="CE0",
            p_REG_PIPELINE_RST="RST0",
            i_SIGNEDA=Const(self.a.shape().signed, 1),
            i_SIGNEDB=Const(self.b.shape().signed, 1),
            i_SOURCEA=Const(0),
            i_SOURCEB=Const(0),
            i_CLK0=ClockSignal("sync") if self.stages else Const(0),
            i_CE0=Const(1),
            i_CE1=self.b_en,
            i_RST0=Const(0),
        )
        return m
