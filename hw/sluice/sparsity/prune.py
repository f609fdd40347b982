"""Keep what is large: a threshold, and the largest of every few."""

from typing import Any

from amaranth import Cat, Module, Mux, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.block import Block
from sluice.formats import FORMATS, find_format
from sluice.params import Choice, Int
from sluice.sparsity.bitmaps import show_bits
from sluice.sparsity.magnitude import magnitude, magnitude_bits
from sluice.sparsity.prefix_sum import count_ones
from sluice.sparsity.relu_compress import ELEMENTS
from sluice.stream import Beat, Pipeline, enter_with_settings

__all__ = ["Prune"]

STEPS = 4


class Prune(Block):
    """Set to zero what is small, and what is not among the ``most`` largest of its group.

    Parameters
    ----------
    element : format
        Of the data.
    lanes : int, 2..64
        Elements per beat, a power of two.
    group : int, 1..16
        Elements that compete with each other, a power of two and at most ``lanes``: the M of N:M
        sparsity.
    stages : int, 0..4
        Registers in the datapath, spread evenly over its steps.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    o : Out(stream.Signature(Beat(element, lanes)))
        Zeros, of which no bit is set, in place of what is not kept.
    bits : Out(stream.Signature(Beat(bit, lanes)))
        For every beat of ``o``, which elements are kept: a mask to use again.
    config : In(StructLayout({"threshold": magnitude bits, "most": range(group + 1)}))
        Sampled at the first beat of a packet. An element is kept if its magnitude is at least the
        threshold, and fewer than ``most`` of its group are before it: those that are larger, and
        those as large in lower lanes. The magnitude of a float is its bits without the sign, which
        is in the order of its absolute value, with NaN above all; of an integer it is the absolute
        value.

    Attributes
    ----------
    latency : stages + 2 cycles
        The datapath, and the output queue.
    interval : 1 cycle
        One beat per cycle, which nothing could better.

    Notes
    -----
    ``i.ready`` is a register. An element that is small but among the ``most`` is not kept, and
    nothing else is in its place. Elements that are not in the packet compete with nobody. Reset
    drops what is on the way.

    Every two elements of a group are compared, and an element's rank is how many beat it. N:M
    patterns are those of structured sparsity, and with 4:8 and more those of the array's groups
    (:mod:`sluice.array.sparse`). Golden model: :func:`sluice_sim.golden.sparsity.prune`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or a group is more than a beat.
    """

    i: stream.Interface
    o: stream.Interface
    bits: stream.Interface
    config: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", ELEMENTS),
        Int("lanes", "elements per beat, a power of two", 2, 64, power_of_two=True),
        Int("group", "elements that compete, a power of two", 1, 16, power_of_two=True),
        Int("stages", "registers in the datapath", 0, STEPS, "cycles"),
    )

    def __init__(
        self, *, element: str = "bf16", lanes: int = 16, group: int = 4, stages: int = STEPS
    ):
        self.check(element=element, lanes=lanes, group=group, stages=stages)
        self.element: str
        self.lanes: int
        self.group: int
        self.stages: int
        if self.group > self.lanes:
            raise ValueError(f"group must be at most {self.lanes}, as many as lanes, not {group}")
        self.number = find_format(self.element)
        self.width = self.number.width
        self.i_beat, self.bits_beat = (
            Beat(self.number, self.lanes),
            Beat(FORMATS["bit"], self.lanes),
        )
        settings = data.StructLayout(
            {"threshold": magnitude_bits(self.number), "most": range(self.group + 1)}
        )
        entry = data.StructLayout({"i": self.i_beat, "settings": settings})
        found = data.StructLayout({"i": self.i_beat, "bits": self.lanes})
        self.pipeline = Pipeline(i_shape=entry, o_shape=found, stages=self.stages)
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "o": Out(stream.Signature(self.i_beat)),
                "bits": Out(stream.Signature(self.bits_beat)),
                "config": In(settings),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        enter_with_settings(m, self.config, self.i, pipeline)
        self._choose(m)
        found: Any = pipeline.o.payload
        come = stream.Signature(self.i_beat).create()
        m.d.comb += [
            come.valid.eq(pipeline.o.valid),
            pipeline.o.ready.eq(come.ready),
            come.payload.eq(found.i),
        ]
        show_bits(m, come, found.bits, o=wiring.flipped(self.o), bits_o=self.bits)
        return m

    def _choose(self, m: Module) -> None:
        given, lanes, group = self.pipeline.entry, self.lanes, self.group
        flow: Any = Flow(m, steps=STEPS, stages=self.stages)
        flow.words, flow.keep, flow.last = Value.cast(given.i.data), given.i.keep, given.i.last
        flow.threshold, flow.most = given.settings.threshold, given.settings.most
        for k in range(lanes):
            setattr(flow, f"size_{k}", magnitude(self.number, Value.cast(given.i.data[k])))
        flow.step()

        sizes = [getattr(flow, f"size_{k}") for k in range(lanes)]
        flow.large = Cat(size >= flow.threshold for size in sizes)
        keep = flow.keep
        for k in range(lanes):
            first = k // group * group
            below = [sizes[j] >= sizes[k] for j in range(first, k)]
            above = [(sizes[j] > sizes[k]) & keep[j] for j in range(k + 1, first + group)]
            setattr(flow, f"before_{k}", Cat(*below, *above))
        flow.step()

        for k in range(lanes):
            setattr(flow, f"rank_{k}", count_ones(getattr(flow, f"before_{k}")))
        flow.step()

        few = Cat(getattr(flow, f"rank_{k}") < flow.most for k in range(lanes))
        bits = few & flow.large & flow.keep
        words = flow.words
        left = Cat(Mux(bits[k], words.word_select(k, self.width), 0) for k in range(lanes))
        flow.result = Cat(left, flow.keep, flow.last, bits)
        flow.step()
        m.d.comb += Value.cast(self.pipeline.result).eq(flow.result)
