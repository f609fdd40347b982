"""Fused multiply-add, lane by lane."""

from typing import Any

from amaranth import Const, Module
from amaranth.lib import stream

from sluice.arith.elementwise import Elementwise
from sluice.arith.floats import FLOATS, find_floats
from sluice.arith.multiply_add_unit import MultiplyAddUnit
from sluice.delay import delay
from sluice.params import Choice, Flag, Int
from sluice.rounding.generators import GENERATORS, default_seeds

__all__ = ["MultiplyAdd"]


class MultiplyAdd(Elementwise):
    """Compute ``a * b + c`` in every lane, rounded once, to nearest even or stochastically.

    Exact to IEEE 754 and, for 8 bits, to OCP OFP8: subnormals, infinities, NaN and signs of zero.
    A NaN that goes out is the canonical one: positive, quiet, payload zero. E4M3 has no infinity,
    and overflows to its NaN.

    Parameters
    ----------
    source : format
        Floating-point format of ``a`` and ``b``.
    target : format
        Floating-point format of ``c`` and of the result; its exponent has at least as many bits as
        the source's.
    lanes : int, 1..64
        Results per beat.
    stages : int, 0..18
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer.
    flush : bool
        Subnormal operands count as zeros of their sign; a result that is below the smallest normal
        number after rounding becomes a zero of its sign.
    random_bits : int, 0..16
        R: the exact result is cut at R bits below its last place, R random bits are added, and a
        carry rounds up. None rounds to nearest even.
    generator : {"lfsr", "xoroshiro"}
        What makes the random bits; each lane has its own state.

    Members
    -------
    a : In(stream.Signature(Beat(source, lanes)))
    b : In(stream.Signature(Beat(source, lanes)))
    c : In(stream.Signature(Beat(target, lanes)))
    o : Out(stream.Signature(Beat(target, lanes)))
        Packets as those of ``a``.
    status : Out(StructLayout({"uneven": 1}))
        Sticky: beats that met had different ``keep`` or ``last``.

    Attributes
    ----------
    latency : stages + 2 cycles
        The datapath, and the output queue.
    interval : 1 cycle
        One beat per cycle, which nothing could better: every lane does a result in every cycle.

    Notes
    -----
    The streams' ``ready`` depends on each other's ``valid`` in the same cycle, and on a register.
    Registers of the datapath never stall: a beat is admitted when its result has a place in the
    output queue. Reset drops all beats on the way.

    The product is exact; the smaller of product and addend is shifted to the larger one, with what
    is shifted out gathered in one bit; a negative difference is kept as its complement with ones
    without end behind it, so that it is never negated. Method: J.-M. Muller et al., Handbook of
    Floating-Point Arithmetic, 2nd edition, 2018, chapter 7.
    Golden model: :func:`sluice_sim.golden.arith.multiply_add`.

    With random bits every lane's generator steps once per beat, whatever its ``keep``. Reset gives
    the lanes their states, all different and always the same; there is no other way to seed them.
    Method: that of :class:`sluice.rounding.Rounding` in its mode ``generator``.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or the target has the smaller
        exponent.
    """

    a: stream.Interface
    b: stream.Interface
    c: stream.Interface

    PARAMETERS = (
        Choice("source", "format of the factors", FLOATS),
        Choice("target", "format of the addend and of the result", FLOATS),
        Int("lanes", "results per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, 18, "cycles"),
        Flag("flush", "subnormal numbers count as zero"),
        Int("random_bits", "bits to round with stochastically", 0, 16, "bits"),
        Choice("generator", "what makes random bits", tuple(GENERATORS)),
    )

    def __init__(
        self,
        *,
        source: str = "bf16",
        target: str = "fp32",
        lanes: int = 1,
        stages: int = 18,
        flush: bool = False,
        random_bits: int = 0,
        generator: str = "lfsr",
    ):
        self.check(
            source=source,
            target=target,
            lanes=lanes,
            stages=stages,
            flush=flush,
            random_bits=random_bits,
            generator=generator,
        )
        self.source: str
        self.target: str
        self.stages: int
        self.flush: bool
        self.random_bits: int
        self.generator: str
        self.factor, self.addend = find_floats(self.source, self.target)
        self.promise({"a": self.factor, "b": self.factor, "c": self.addend}, self.addend)

    def make_unit(self) -> MultiplyAddUnit:
        return MultiplyAddUnit(
            source=self.factor,
            target=self.addend,
            stages=self.stages,
            flush=self.flush,
            random_bits=self.random_bits,
        )

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        if not self.random_bits:
            return m
        # The random bits of a beat are those of its place, so that stalls do not change a result.
        lead = self.units[0].random_lead
        valid = delay(m, "rounds", self.pipeline.entry_valid, lead, reset=True)
        make = GENERATORS[self.generator]
        for unit, init in zip(self.units, default_seeds(self.lanes, make.WIDTH), strict=True):
            generator = make(
                m,
                random_bits=self.random_bits,
                step=valid,
                load=Const(0, 1),
                seed=Const(0, make.WIDTH),
                init=init,
            )
            m.d.comb += unit.random.eq(generator.bits)
        return m
