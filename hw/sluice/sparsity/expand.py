"""Put elements where there are flags, and zeros elsewhere."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow, registers_before
from sluice.block import Block
from sluice.delay import keep
from sluice.formats import FORMATS, find_format
from sluice.params import Choice, Int
from sluice.sparsity.places import add_places, place_steps
from sluice.sparsity.switches import levels, scatter
from sluice.stream import Beat, Pipeline

__all__ = ["Expand"]


class Expand(Block):
    """Undo :class:`Compact`: ``o[flags] = i`` and ``o[~flags] = 0``, packet by packet.

    Parameters
    ----------
    element : format
        Of the data. Elements are not looked at.
    lanes : int, 2..64
        Elements per beat, a power of two.
    stages : int, 0..16
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer, which are ``2 * log2(lanes) + 4``.

    Members
    -------
    flags : In(stream.Signature(Beat(bit, lanes)))
        Which elements of the result are of ``i``. One that is set beyond ``keep`` takes an element
        of ``i`` too, which is dropped.
    i : In(stream.Signature(Beat(element, lanes)))
        One packet for each of ``flags``, with an element for each that is set: full beats but for
        the last one, which is empty where no flag is set.
    o : Out(stream.Signature(Beat(element, lanes)))
        A beat for each of ``flags``, with its ``keep`` and ``last``.
    status : Out(StructLayout({"mismatch": 1}))
        Sticky: a packet had fewer elements than flags, and zeros in their places; or more, and
        they were dropped.

    Attributes
    ----------
    latency : stages + 4 cycles
        From ``flags`` to ``o``: places and elements have a datapath with an output queue each. An
        element that comes late has half of that to go.
    interval : 1 cycle
        Between beats of ``flags``, without exception, which nothing could better: a beat of them
        never needs more than one of ``i``.

    Notes
    -----
    ``i.ready`` depends on registers. Reset drops what is on the way.

    A beat of flags takes elements of two beats at most: what is left of one, and the beginning of
    the next. Each lane chooses between these two, and ``log2(lanes)`` switches, set as those of
    :class:`Compact` and passed the other way, bring the elements to their flags. Golden model:
    :func:`sluice_sim.golden.sparsity.expand`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    flags: stream.Interface
    i: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1
    # ``over`` is set with the first beat of a packet, which takes elements whatever it has.
    first_over = False

    PARAMETERS = (
        Choice("element", "number format of the data", tuple(FORMATS)),
        Int("lanes", "elements per beat, a power of two", 2, 64, power_of_two=True),
        Int("stages", "registers in the datapath", 0, 16, "cycles"),
    )

    def __init__(self, *, element: str = "bf16", lanes: int = 16, stages: int = 16):
        self.check(element=element, lanes=lanes, stages=stages)
        self.element: str
        self.lanes: int
        self.stages: int
        number = find_format(self.element)
        self.i_beat, self.flags_beat = Beat(number, self.lanes), Beat(FORMATS["bit"], self.lanes)
        self.width = number.width
        self.steps = place_steps(self.lanes), 2 + levels(self.lanes)
        stages = min(self.stages, sum(self.steps))
        before = registers_before(self.steps[0], steps=sum(self.steps), stages=stages)
        # Of the network, as bits of half the lanes for each level.
        crosses = data.ArrayLayout(self.lanes // 2, levels(self.lanes))
        places = {
            "flags": self.flags_beat,
            "crosses": crosses,
            **dict.fromkeys(("held", "rest"), self.lanes),
            "over": 1,
        }
        self.places = Pipeline(
            i_shape=self.flags_beat,
            o_shape=data.StructLayout(places),
            stages=before,
            read_ahead=True,
        )
        # Of each lane: whether its element is of the beat that comes with it, and if there is one.
        window = {
            "flags": self.flags_beat,
            "crosses": crosses,
            "words": self.i_beat.data_bits,
            **dict.fromkeys(("comes", "there"), self.lanes),
            "takes": 1,
        }
        self.elements = Pipeline(
            i_shape=data.StructLayout(window),
            o_shape=self.i_beat,
            stages=stages - before,
            read_ahead=True,
        )
        self.latency = self.places.latency + self.elements.latency
        # Flags meet elements, and what of these, by lane, is missing or too many; the last bit says
        # that there are more to come.
        self.moves, self.wrong = Signal(), Signal(self.lanes + 1)
        super().__init__(
            {
                "flags": In(stream.Signature(self.flags_beat)),
                "i": In(stream.Signature(self.i_beat)),
                "o": Out(stream.Signature(self.i_beat)),
                "status": Out(data.StructLayout({"mismatch": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.places, m.submodules.elements = self.places, self.elements
        wiring.connect(m, wiring.flipped(self.flags), self.places.i)
        wiring.connect(m, self.elements.o, wiring.flipped(self.o))
        self._place(m)
        self._take(m)
        self._spread(m)
        return m

    def _place(self, m: Module) -> None:
        """Find out which places belong to a beat of flags."""
        pipeline = self.places
        flow: Any = Flow(m, steps=self.steps[0], stages=pipeline.stages)
        given = pipeline.entry
        flow.flags, flow.last = Value.cast(given), given.last
        add_places(m, flow, Value.cast(given.data), pipeline.entry_valid)
        crosses = [getattr(flow, f"cross_{s}") for s in range(levels(self.lanes))]
        placed = Cat(flow.flags, *crosses, flow.held, flow.rest, flow.over)
        m.d.comb += Value.cast(pipeline.result).eq(placed)

    def placed(self, m: Module) -> Any:
        """Return the stream of flags whose places are known."""
        return self.places.o

    def _take(self, m: Module) -> None:
        """Bring beats of elements together with flags."""
        come, go, i = self.placed(m), self.elements.i, self.i.payload
        word = come.payload
        # What is left of the packet is dropped.
        drops = Signal()
        first = Signal(init=1)
        keep, ended = Signal(self.lanes, reset_less=True), Signal(reset_less=not self.first_over)
        over = word.over & ~ended
        takes, meets, moves = Signal(), Signal(), self.moves
        m.d.comb += [
            takes.eq(over if self.first_over else first | over),
            meets.eq(come.valid & ~drops & (~takes | self.i.valid)),
            moves.eq(meets & go.ready),
            go.valid.eq(meets),
            come.ready.eq(go.ready & ~drops & (~takes | self.i.valid)),
            self.i.ready.eq(drops | (come.valid & takes & go.ready)),
        ]
        comes = Cat(first | word.held[k] for k in range(self.lanes))
        there = (comes & i.keep & takes.replicate(self.lanes)) | (~comes & keep)
        m.d.comb += Value.cast(go.payload).eq(
            Cat(
                Value.cast(word.flags),
                Value.cast(word.crosses),
                Value.cast(i.data),
                comes,
                there,
                takes,
            )
        )
        reached, ends = Signal(self.lanes), Signal()
        m.d.comb += [
            reached.eq(Mux(takes, i.keep, Mux(word.over, 0, keep))),
            ends.eq(Mux(takes, i.last, ended)),
        ]
        last = word.flags.last
        extra = reached & ~word.rest & last.replicate(self.lanes)
        m.d.comb += self.wrong.eq(Cat((word.rest & ~reached) | extra, last & ~ends))
        moved, was_wrong = Signal(), Signal(self.lanes + 1, reset_less=True)
        m.d.sync += [moved.eq(moves), was_wrong.eq(self.wrong)]
        with m.If(moved & was_wrong.any()):
            m.d.sync += self.status.mismatch.eq(1)
        with m.If(moves):
            m.d.sync += [
                first.eq(last),
                keep.eq(reached),
                ended.eq(ends & ~last if self.first_over else ends),
                drops.eq(last & ~ends),
            ]
        with m.Elif(drops & self.i.valid):
            m.d.sync += drops.eq(~i.last)

    def _spread(self, m: Module) -> None:
        """Bring elements to their flags."""
        pipeline = self.elements
        given, result = pipeline.entry, pipeline.result
        flow: Any = Flow(m, steps=self.steps[1], stages=pipeline.stages)
        names = [f"word_{k}" for k in range(self.lanes)]
        flow.flags = Value.cast(given.flags.data)
        flow.frame = Cat(given.flags.keep, given.flags.last)
        for s in range(levels(self.lanes)):
            setattr(flow, f"cross_{s}", given.crosses[s])
        flow.words, flow.comes, flow.there = given.words, given.comes, given.there
        flow.takes = given.takes & pipeline.entry_valid
        flow.step()

        # The beat that is not used up is kept here, where nothing stalls.
        words, comes, there = flow.words, flow.comes, flow.there
        kept = keep(m, "kept", words, flow.takes)
        for k, name in enumerate(names):
            word, before = (v.word_select(k, self.width) for v in (words, kept))
            setattr(flow, name, Cat(Mux(comes[k], word, before), there[k]))
        flow.step()

        scatter(flow, names)
        flags = flow.flags
        for k, name in enumerate(names):
            word = getattr(flow, name)
            setattr(flow, name, Mux(flags[k] & word[-1], word[:-1], Const(0, self.width)))
        flow.step()
        found = Cat(getattr(flow, name) for name in names)
        m.d.comb += Value.cast(result).eq(Cat(found, flow.frame))
