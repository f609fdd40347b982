"""How large the elements of a gradient are, and whether one of them has overflowed."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.floats import FLOATS, unpack
from sluice.block import Block
from sluice.delay import delay
from sluice.formats import FORMATS
from sluice.optimizer.report import report_beat
from sluice.params import Choice, Int
from sluice.stream import Beat, Fork, Pipeline, sample_settings

__all__ = ["GradientMonitor"]


class GradientMonitor(Block):
    """Pass a stream on, and report the largest magnitude, infinities and NaN at a step's end.

    Parameters
    ----------
    element : format
        Floating point.
    lanes : int, 1..64
        Elements per beat.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    o : Out(stream.Signature(Beat(element, lanes)))
        The same stream.
    report : Out(stream.Signature(Beat(StructLayout, 1)))
        A packet of one beat for each step. Its element has, from the low bits up:

        - ``largest``, the bits of ``element`` but the sign: the largest magnitude of a finite
          element, as it is coded; 0 if there is none.
        - ``infinity``, ``nan``, 1 bit each: an element was infinite, or NaN.
        - ``nonzero``, 1 bit: an element was not zero, of either sign.
    config : In(StructLayout({"more": 1}))
        Sampled at the first beat of a packet; with ``more`` the step goes on in the next packet.

    Attributes
    ----------
    latency : 0 cycles
        From ``i`` to ``o``.
    interval : 1 cycle
    report_latency : ceil(log2(lanes)) + 4 cycles
        From a step's last beat to its report.

    Notes
    -----
    The payload passes through, and ``o.valid`` depends on ``i.valid``, and ``i.ready`` on
    ``o.ready``, in the same cycle.

    A step may have any number of packets, a packet any number of beats; elements that are not kept
    do not count. NaN and infinity are not compared, whatever their sign and payload: they never
    hide the largest of the other elements. Formats without infinity never report one.

    Reports that are not taken wait in a queue. While ``places`` of them wait, which are more than
    ``report_latency`` and a power of two, the stream waits as well; before that it does not, not
    even if every beat is a step. Reset forgets the step that is under way, and all reports.

    Golden model: :func:`sluice_sim.golden.loss_scaling.report`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    report: stream.Interface
    config: Any
    same_packets = False
    latency = 0
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the gradient", FLOATS),
        Int("lanes", "elements per beat", 1, 64),
    )

    def __init__(self, *, element: str = "bf16", lanes: int = 16):
        self.check(element=element, lanes=lanes)
        self.element: str
        self.lanes: int
        self.number: Any = FORMATS[self.element]
        self.beat = Beat(self.number, self.lanes)
        self.report_beat = report_beat(self.number)
        settings = data.StructLayout({"more": 1})
        # Registers behind what is told of single elements, behind each comparison of two, and of
        # what has been found so far.
        self.levels = (self.lanes - 1).bit_length()
        self.pipeline = Pipeline(
            i_shape=data.StructLayout({"beat": self.beat, "settings": settings}),
            o_shape=self.report_beat,
            stages=self.levels + 2,
            chooses=True,
        )
        self.report_latency = self.pipeline.latency
        self.places = self.pipeline.depth
        super().__init__(
            {
                "i": In(stream.Signature(self.beat)),
                "o": Out(stream.Signature(self.beat)),
                "report": Out(stream.Signature(self.report_beat)),
                "config": In(settings),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fork = fork = Fork(shape=self.beat, outputs=2)
        m.submodules.pipeline = pipeline = self.pipeline
        wiring.connect(m, wiring.flipped(self.i), fork.i)
        wiring.connect(m, fork.o[0], wiring.flipped(self.o))
        wiring.connect(m, pipeline.o, wiring.flipped(self.report))
        watched = fork.o[1]
        m.d.comb += [
            pipeline.i.valid.eq(watched.valid),
            watched.ready.eq(pipeline.i.ready),
            pipeline.i.payload.beat.eq(watched.payload),
            pipeline.i.payload.settings.eq(sample_settings(m, self.config, self.i)),
        ]
        self._find(m)
        return m

    def _find(self, m: Module) -> None:
        pipeline = self.pipeline
        given = pipeline.entry
        ends = given.beat.last & ~given.settings.more
        m.d.comb += pipeline.gives.eq(ends)
        sizes: list[Value] = []
        flags: list[list[Value]] = [[], []]
        for k in range(self.lanes):
            word, kept = Value.cast(given.beat.data[k]), given.beat.keep[k]
            parts = unpack(word, self.number, flush=False)
            finite = kept & ~(parts.is_infinity | parts.is_nan)
            sizes.append(delay(m, f"size_{k}", Mux(finite, word[:-1], 0)[: len(word) - 1], 1))
            flags[0].append(kept & parts.is_infinity)
            flags[1].append(kept & parts.is_nan)
        infinity, nan = (
            delay(m, name, delay(m, f"{name}s", Cat(bits), 1).any(), self.levels)
            for name, bits in zip(("infinity", "nan"), flags, strict=True)
        )
        size = self._largest(m, sizes)
        late = 1 + self.levels
        comes = delay(m, "comes", pipeline.entry_valid, late, reset=True)
        last = delay(m, "ends", ends, late)
        self._gather(m, comes, last, size, Cat(infinity, nan))

    def _largest(self, m: Module, sizes: list[Value]) -> Value:
        """Return the largest, after a cycle for each level of a tree."""
        for level in range(self.levels):
            pairs = [sizes[k : k + 2] for k in range(0, len(sizes), 2)]
            sizes = [
                delay(m, f"larger_{level}_{k}", _larger(*pair), 1) for k, pair in enumerate(pairs)
            ]
        return sizes[0]

    def _gather(self, m: Module, comes: Value, last: Value, size: Value, flags: Value) -> None:
        """Compare with the beats before, from the first one of a step on."""
        largest = Signal(len(size), reset_less=True)
        found = Signal(len(flags), reset_less=True)
        first = Signal(init=1)
        with m.If(comes):
            m.d.sync += first.eq(last)
            m.d.sync += found.eq(Mux(first, 0, found) | flags)
            with m.If(first | (size > largest)):
                m.d.sync += largest.eq(size)
        result = self.pipeline.result
        told: Any = result.data[0]
        infinity, nan = found
        m.d.comb += [
            told.largest.eq(largest),
            told.infinity.eq(infinity),
            told.nan.eq(nan),
            told.nonzero.eq(largest.any() | found.any()),
            result.keep.eq(1),
            result.last.eq(1),
        ]


def _larger(a: Value, b: Value | None = None) -> Value:
    """Return the larger of two, or the only one."""
    return a if b is None else Mux(a > b, a, b)[: len(a)]
