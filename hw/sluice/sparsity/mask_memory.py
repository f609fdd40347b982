"""Remember which elements of a tensor are not zero, and keep others zero where they were."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay
from sluice.formats import find_format
from sluice.params import Choice, Int
from sluice.sparsity.relu_compress import ELEMENTS
from sluice.store import Store
from sluice.stream import Beat, Pipeline, enter_with_settings

__all__ = ["MaskMemory"]

# From an address in its register to its word in the register behind the memory.
_FETCH = 2


class MaskMemory(Block):
    """Keep a bit for each weight, made of weights that pass, and mask what passes later with it.

    Parameters
    ----------
    element : format
        Of the data.
    lanes : int, 1..64
        Elements per beat.
    beats : int, 2..65536
        Of which the memory has the bits, a power of two: ``beats * lanes`` of them.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    o : Out(stream.Signature(Beat(element, lanes)))
        The packet as it came if its bits are stored, and else with zeros, of which no bit is set,
        in place of what has none.
    config : In(StructLayout({"store": 1, "at": range(beats)}))
        Sampled at the first beat of a packet. With ``store``, the bits of a packet are stored: ones
        for elements of which a bit is set. Without it, they are those that were stored last. The
        bits of its first beat are in place ``at``, those of others behind it, and behind the last
        place is the first.

    Attributes
    ----------
    latency : 5 cycles
        The memory and its registers, and the output queue.
    interval : 1 cycle
        Between beats, also of packets of which one stores what the next one is masked with.

    Notes
    -----
    A weight that becomes zero while it is trained keeps its bit, as bits are only made when they
    are told to. In a last beat, elements that are not there get the bit 0. The memory has anything
    in it at first, which packets longer than what was stored see.

    Method: the fixed pattern that a student is trained with after it was pruned (O. Zafrir et al.,
    Prune Once for All, 2021). Golden model: :func:`sluice_sim.golden.sparsity.mask_words`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    config: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", ELEMENTS),
        Int("lanes", "elements per beat", 1, 64),
        Int("beats", "beats of bits, a power of two", 2, 65536, "beats", power_of_two=True),
    )

    def __init__(self, *, element: str = "bf16", lanes: int = 16, beats: int = 1024):
        self.check(element=element, lanes=lanes, beats=beats)
        self.element: str
        self.lanes: int
        self.beats: int
        self.beat = Beat(find_format(self.element), self.lanes)
        settings = data.StructLayout({"store": 1, "at": range(self.beats)})
        entry = data.StructLayout({"i": self.beat, "settings": settings})
        self.pipeline = Pipeline(i_shape=entry, o_shape=self.beat, stages=1 + _FETCH)
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.beat)),
                "o": Out(stream.Signature(self.beat)),
                "config": In(settings),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        enter_with_settings(m, self.config, self.i, pipeline)
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))

        given, comes = pipeline.entry, pipeline.entry_valid
        at, first = Signal(range(self.beats), reset_less=True), Signal(init=1)
        with m.If(comes):
            m.d.sync += [
                at.eq(Mux(first, given.settings.at, at + 1)),
                first.eq(given.i.last),
            ]
        beat = delay(m, "beat", Value.cast(given.i), 1)
        bits = Cat(Value.cast(word).any() for word in given.i.data) & given.i.keep
        stores = comes & given.settings.store
        store = Store(m, "bits", shape=self.lanes, depth=self.beats)
        # Every beat reads, also in the cycle after its bits were written.
        m.d.comb += [
            store.write.en.eq(delay(m, "stores", stores, 1, reset=True)),
            store.write.addr.eq(at),
            store.write.data.eq(delay(m, "there", bits, 1)),
            store.at.eq(at),
        ]
        mask = delay(m, "mask", store.o, 1)
        keeps = delay(m, "keeps", given.settings.store, 1 + _FETCH)
        word = self.beat(delay(m, "late", beat, _FETCH))
        width = self.beat.element_width
        left = [
            Value.cast(word.data[k])[:width] & (mask[k] | keeps).replicate(width)
            for k in range(self.lanes)
        ]
        m.d.comb += Value.cast(pipeline.result).eq(Cat(*left, word.keep, word.last))
        return m
