"""Choose some blocks of a tensor at random, and the same ones whenever they are asked for."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import registers_before
from sluice.block import Block
from sluice.delay import delay, delay_line
from sluice.formats import FORMATS, find_format
from sluice.params import Choice, Int
from sluice.quantization.speck_unit import KEY_BITS, TEXT_BITS, SpeckUnit
from sluice.stream import Beat, Pipeline, join, sample_settings, uneven

__all__ = ["BlockSelector"]

# A word of random bits decides for as many blocks.
DRAWS, DRAW_BITS = 4, 8
# Steps: the words to encrypt, the rounds, and the comparisons.
STEPS = 1 + SpeckUnit.steps + 1


class BlockSelector(Block):
    """Give a block of elements from ``q`` with the probability ``threshold / 256``, or from ``i``.

    Block ``n`` of a packet is chosen if byte ``n % 4`` of ``Speck32/64(start + n // 4)`` is below
    the threshold. The same key and start choose the same blocks, forwards and backwards.

    Parameters
    ----------
    element : format
        Of the data; with ``bit``, it chooses between masks, such as those of gradients.
    lanes : int, 1..64
        Elements per beat, a power of two.
    block : int, 1..4096
        Elements that are chosen together, a power of two.
    stages : int, 0..24
        Registers in the datapath, spread evenly over its steps.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
        What is passed where a block is not chosen.
    q : In(stream.Signature(Beat(element, lanes)))
        What is passed where it is, such as the same numbers behind :class:`FakeQuantize`.
    o : Out(stream.Signature(Beat(element, lanes)))
        Packets as those of ``i``.
    config : In(StructLayout({"key": 64, "start": 32, "threshold": range(257)}))
        Sampled at the first beat of a packet of ``i``. The first block of a packet is its block 0.
    status : Out(StructLayout({"uneven": 1}))
        Sticky: beats that met had different ``keep`` or ``last``.

    Attributes
    ----------
    latency : stages + 2 cycles
        The datapath, and the output queue.
    interval : 1 cycle
        One beat per cycle, which nothing could better.

    Notes
    -----
    The streams' ``ready`` depends on each other's ``valid`` in the same cycle, and on a register.
    ``q`` comes later than ``i`` by the latency of what makes it: put a :class:`Fifo` of as many
    beats in front of ``i``. Reset drops all beats on the way.

    ``start`` is a number of 32 bits, and behind the last one is the first. Where every packet of
    every step has starts of its own, one for each four blocks or fewer, no choice repeats another.
    Which blocks are chosen depends on nothing but settings and ``block``, so blocks with other
    lanes agree.

    A cipher in counter mode has no state that a backward pass must bring back. What it hides is of
    no interest here. Golden model: :func:`sluice_sim.golden.quantization.select_blocks`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    q: stream.Interface
    o: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", tuple(FORMATS)),
        Int("lanes", "elements per beat, a power of two", 1, 64, power_of_two=True),
        Int("block", "elements chosen together, a power of two", 1, 4096, power_of_two=True),
        Int("stages", "registers in the datapath", 0, STEPS, "cycles"),
    )

    def __init__(
        self, *, element: str = "fp32", lanes: int = 4, block: int = 8, stages: int = STEPS
    ):
        self.check(element=element, lanes=lanes, block=block, stages=stages)
        self.element: str
        self.lanes: int
        self.block: int
        self.stages: int
        self.beat = Beat(find_format(self.element), self.lanes)
        # Words of random bits for a beat, or beats for a word.
        share = DRAWS * self.block
        self.words, self.beats = max(1, self.lanes // share), max(1, share // self.lanes)
        settings = data.StructLayout(
            {"key": KEY_BITS, "start": TEXT_BITS, "threshold": range((1 << DRAW_BITS) + 1)}
        )
        self.joined = data.StructLayout({"i": self.beat, "q": self.beat})
        entry = data.StructLayout({"joined": self.joined, "settings": settings})
        self.pipeline = Pipeline(i_shape=entry, o_shape=self.beat, stages=self.stages)
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.beat)),
                "q": In(stream.Signature(self.beat)),
                "o": Out(stream.Signature(self.beat)),
                "config": In(settings),
                "status": Out(data.StructLayout({"uneven": 1})),
            }
        )

    def make_unit(self) -> Any:
        """Return what makes random bits of numbers."""
        before = [registers_before(k, steps=STEPS, stages=self.stages) for k in (1, STEPS - 1)]
        return SpeckUnit(words=self.words, stages=before[1] - before[0])

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        settings = sample_settings(m, self.config, self.i)
        both = stream.Signature(self.joined).create()
        join(m, {"i": self.i, "q": self.q}, both)
        m.d.comb += [
            pipeline.i.valid.eq(both.valid),
            both.ready.eq(pipeline.i.ready),
            pipeline.i.payload.joined.eq(both.payload),
            pipeline.i.payload.settings.eq(settings),
        ]
        given: Any = pipeline.entry.joined
        with m.If(pipeline.entry_valid & uneven(given.q, given.i)):
            m.d.sync += self.status.uneven.eq(1)
        chosen = self._choose(m)
        late = self.joined(delay_line(m, "late", Value.cast(given), self.stages))
        result = pipeline.result
        m.d.comb += [result.keep.eq(late.i.keep), result.last.eq(late.i.last)]
        for k in range(self.lanes):
            one, other = Value.cast(late.i.data[k]), Value.cast(late.q.data[k])
            m.d.comb += Value.cast(result.data[k]).eq(Mux(chosen[k], other, one))
        return m

    def _choose(self, m: Module) -> Value:
        """Return a bit for each lane, as late as the result."""
        pipeline = self.pipeline
        settings = pipeline.entry.settings
        # The word that decides, and the beat's place among those it decides for.
        at, place = Signal(TEXT_BITS, reset_less=True), Signal(range(self.beats), reset_less=True)
        first = Signal(init=1)
        now, here = Signal.like(at), Signal.like(place)
        m.d.comb += [now.eq(Mux(first, settings.start, at)), here.eq(Mux(first, 0, place))]
        with m.If(pipeline.entry_valid):
            m.d.sync += [
                first.eq(pipeline.entry.joined.i.last),
                place.eq(here + 1),
                at.eq(now + Mux(here == self.beats - 1, self.words, 0)),
            ]
        m.submodules.speck = unit = self.make_unit()
        # Registers in front of the rounds, and behind them to the end.
        ahead = registers_before(1, steps=STEPS, stages=self.stages)
        behind = self.stages - unit.latency - ahead
        for k in range(self.words):
            m.d.comb += unit.a[k].eq(delay(m, f"word_{k}", (now + k)[:TEXT_BITS], ahead))
        m.d.comb += unit.key.eq(delay_line(m, "key", settings.key, ahead))
        wait = self.stages - behind
        threshold = delay_line(m, "threshold", settings.threshold, wait)
        bits = Value.cast(unit.o)
        draws: list[Value] = [bits.word_select(k, DRAW_BITS) for k in range(len(bits) // DRAW_BITS)]
        if self.beats > 1:
            # Of a word, a beat sees a part.
            places = delay_line(m, "places", here, wait)
            part = max(1, self.lanes // self.block)
            # Beats of one block see the same one.
            same = max(1, self.block // self.lanes)
            step = places[(same - 1).bit_length() :]
            draws = [
                bits.word_select(step, part * DRAW_BITS).word_select(k, DRAW_BITS)
                for k in range(part)
            ]
        small = Cat(draw < threshold for draw in draws)
        small = delay(m, "small", small, behind)
        return Cat(small[k // self.block] for k in range(self.lanes))
