"""What the loss is multiplied by in the next step, and whether this one counts."""

import enum
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import FLOATS, leading_zeros
from sluice.block import Block
from sluice.delay import delay, keep
from sluice.formats import FORMATS
from sluice.optimizer.report import report_beat
from sluice.params import Choice, Int
from sluice.stream import Beat, Pipeline

__all__ = ["LossScale", "Policy"]

EXPONENT_BITS = 8
FACTOR_BITS = 4
# Of exponents of gradients, of subnormals too, and of their differences to those of scales.
PLACE_BITS, SUM_BITS = EXPONENT_BITS + 1, EXPONENT_BITS + 2
# After which one report its decision is known: taken, compared, chosen, added, and limited.
STAGES = 4


class Policy(enum.IntEnum):
    """How the exponent of a scale follows from that of the step before."""

    CONSTANT = 0
    BACKOFF = 1
    LARGEST = 2


class LossScale(Block):
    """Decide after each step of training whether it counts, and what the next scale is, ``2**k``.

    Parameters
    ----------
    element : format
        Floating point: of the gradient that reports are about.
    count_bits : int, 1..24
        Of the steps between two that let the scale grow.

    Members
    -------
    i : In(stream.Signature(Beat(StructLayout, 1)))
        Reports of :class:`GradientMonitor`, one for each step; ``keep`` and ``last`` do not matter.
    o : Out(stream.Signature(Beat(StructLayout, 1)))
        A packet of one beat for each report. Its element has, from the low bits up:

        - ``skip``, 1 bit: there was an infinity or a NaN. Weights, moments and what counts steps
          stay as they are.
        - ``exponent``, signed(8): of the scale of the next step.
        - ``unscale``, signed(9): the gradient of this step is to be multiplied by ``2**unscale``,
          which takes its own scale off.
    config : In(StructLayout)
        Sampled when a report is taken.

        - ``policy``, 2 bits (:class:`Policy`): 0 constant, 1 backoff, 2 largest; 3 is constant.
        - ``initial``, signed(8): exponent of the scale of the first step.
        - ``least``, ``most``, signed(8): the next exponent is in ``least..most``, whatever the
          policy; if ``least`` is above ``most``, it is ``least``.
        - ``growth``, ``backoff``, 4 bits each: the scale is multiplied by ``2**growth``, or divided
          by ``2**backoff``.
        - ``interval``, ``count_bits`` bits: so many steps in a row without overflow let it grow;
          0 is never.
        - ``headroom``, signed(8): binary exponent of the largest element that is aimed at.
        - ``unscaled``, 1 bit: reports are about gradients whose scale has been taken off.
    exponent : Out(signed(8))
        Of the scale of the step that is under way. Before the first report it follows
        ``initial``, one cycle late.
    status : Out(StructLayout({"stuck": 1}))
        Sticky: there was an overflow with a scale that was not above the least one, so that a
        smaller one is not to be had.

    Attributes
    ----------
    latency : 6 cycles
        From a report to its decision.
    interval : 4 cycles
        Between reports that are taken.

    Notes
    -----
    With ``backoff`` an overflow divides the scale, and the growth count begins again; as many
    steps as ``interval`` without one multiply it. As in PyTorch's ``GradScaler``, a count that has
    passed an interval that was made shorter goes on. It begins again with every other policy, too,
    and stands still at its end.

    With ``largest`` the exponent follows from that of the largest element, ``e``, rounded down: of
    a gradient with its scale on it becomes ``k + headroom - e``, else ``headroom - e``. A gradient
    of zeros leaves it. An overflow divides the scale as with ``backoff``, since nobody knows how
    large the largest element was.

    ``i.ready`` is a register. Up to 8 decisions wait in a queue. Reset forgets the scale, the count
    and all decisions.

    Methods: constant scale and skipped steps of P. Micikevicius et al., Mixed Precision Training,
    2018; ``backoff`` of ``torch.amp.GradScaler``; ``largest`` of US 11842280, as this project reads
    it. Golden model: :func:`sluice_sim.golden.loss_scaling.decide`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    config: Any
    exponent: Any
    status: Any
    interval = STAGES

    PARAMETERS = (
        Choice("element", "number format of the gradient", FLOATS),
        Int("count_bits", "of the steps between two that let the scale grow", 1, 24, "bits"),
    )

    def __init__(self, *, element: str = "bf16", count_bits: int = 12):
        self.check(element=element, count_bits=count_bits)
        self.element: str
        self.count_bits: int
        self.number: Any = FORMATS[self.element]
        self.report_beat = report_beat(self.number)
        exponent = signed(EXPONENT_BITS)
        self.decision_beat = Beat(
            data.StructLayout(
                {"skip": 1, "exponent": exponent, "unscale": signed(EXPONENT_BITS + 1)}
            ),
            1,
        )
        settings = data.StructLayout(
            {
                "policy": 2,
                "initial": exponent,
                "least": exponent,
                "most": exponent,
                "growth": FACTOR_BITS,
                "backoff": FACTOR_BITS,
                "interval": self.count_bits,
                "headroom": exponent,
                "unscaled": 1,
            }
        )
        entry = data.StructLayout({"report": self.report_beat, "settings": settings})
        self.pipeline = Pipeline(i_shape=entry, o_shape=self.decision_beat, stages=STAGES)
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.report_beat)),
                "o": Out(stream.Signature(self.decision_beat)),
                "config": In(settings),
                "exponent": Out(exponent),
                "status": Out(data.StructLayout({"stuck": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        # The next report needs the exponent that this one leads to.
        idle = Signal(init=1)
        enters = pipeline.entry_valid
        under_way: list[Value] = [enters]
        for k in range(1, STAGES - 1):
            under_way.append(delay(m, f"entered_{k}", under_way[-1], 1, reset=True))
        m.d.sync += idle.eq(~Cat(under_way).any())
        m.d.comb += [
            pipeline.i.valid.eq(self.i.valid & idle),
            self.i.ready.eq(pipeline.i.ready & idle),
            pipeline.i.payload.report.eq(self.i.payload),
            pipeline.i.payload.settings.eq(self.config),
        ]
        begun = Signal()
        with m.If(enters):
            m.d.sync += begun.eq(1)
        with m.If(~begun):
            m.d.sync += self.exponent.eq(self.config.initial)
        self._decide(m)
        return m

    def _decide(self, m: Module) -> None:
        """Compute in a cycle each: compare, choose, add, and limit.

        What was taken, exponent and count hold still until then.
        """
        pipeline = self.pipeline
        entry = pipeline.entry
        report = entry.report.data[0]
        self.taken = taken = keep(
            m, "taken", Cat(Value.cast(report), Value.cast(entry.settings)), pipeline.entry_valid
        )
        told = report.shape()(taken[: len(Value.cast(report))])
        settings = entry.settings.shape()(taken[len(Value.cast(report)) :])
        overflow = told.infinity | told.nan
        backs_off = settings.policy == Policy.BACKOFF
        follows = settings.policy == Policy.LARGEST

        self.count = count = Signal(self.count_bits)
        clean = Signal(self.count_bits + 1)
        m.d.comb += clean.eq(count + 1)
        self.place, self.aim = self._place(m, told.largest, settings.headroom)
        self.grows = grows = delay(m, "grows", clean == settings.interval, 1)
        self.lowest = lowest = delay(m, "lowest", self.exponent <= settings.least, 1)

        self.change = change = Signal(signed(SUM_BITS), reset_less=True)
        self.base = base = Signal(signed(EXPONENT_BITS), reset_less=True)
        m.d.sync += [base.eq(self.exponent), change.eq(0)]
        with m.If(overflow & (backs_off | follows)):
            m.d.sync += change.eq(-settings.backoff)
        with m.Elif(follows & told.largest.any()):
            m.d.sync += change.eq(self.aim - self.place)
            with m.If(settings.unscaled):
                m.d.sync += base.eq(0)
        with m.Elif(backs_off & grows):
            m.d.sync += change.eq(settings.growth)

        self.total = total = Signal(signed(SUM_BITS), reset_less=True)
        m.d.sync += total.eq(base + change)

        least, most = settings.least, settings.most
        chosen = Signal(signed(EXPONENT_BITS))
        low = (total < least) | (most < least)
        m.d.comb += chosen.eq(Mux(low, least, Mux(total > most, most, total)))
        result = pipeline.result
        decision: Any = result.data[0]
        m.d.comb += [
            decision.skip.eq(overflow),
            decision.exponent.eq(chosen),
            decision.unscale.eq(-self.exponent),
            result.keep.eq(1),
            result.last.eq(1),
        ]
        with m.If(pipeline.result_valid):
            m.d.sync += self.exponent.eq(chosen)
            with m.If(overflow & lowest):
                m.d.sync += self.status.stuck.eq(1)
            with m.If(overflow | ~backs_off | grows):
                m.d.sync += count.eq(0)
            with m.Elif(~clean[-1]):
                m.d.sync += count.eq(clean)

    def _place(self, m: Module, largest: Value, headroom: Value) -> tuple[Value, Value]:
        """Return the exponent of the largest element and the one aimed at, both biased."""
        number = self.number
        fraction, exponent = largest[: number.fraction_bits], largest[number.fraction_bits :]
        place, aim = (Signal(signed(PLACE_BITS), name=n, reset_less=True) for n in ("place", "aim"))
        m.d.sync += [
            # The largest subnormals are as those with an exponent field of zero would be.
            place.eq(Mux(exponent.any(), exponent, -leading_zeros(fraction))),
            aim.eq(headroom + number.bias),
        ]
        return place, aim
