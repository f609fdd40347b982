"""How many elements there are of each magnitude, and the threshold that so many reach."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay
from sluice.formats import find_format
from sluice.params import Choice, Int
from sluice.sparsity.magnitude import magnitude, magnitude_bits
from sluice.sparsity.prefix_sum import count_ones
from sluice.sparsity.relu_compress import ELEMENTS
from sluice.store import Store
from sluice.stream import Beat, Pipeline, sample_settings

__all__ = ["Histogram"]

# From a bin in its register to its count in the register behind the memory; that count is written
# a cycle after it has been added to. Counts of as many beats are not yet in the memory.
_FETCH, _FORWARDS = 2, 3
# After the last beat, until its counts are written.
_SETTLE = _FETCH + 2


class Histogram(Block):
    """Count the elements of a packet by the upper bits of their magnitude.

    Parameters
    ----------
    element : format
        Of the data.
    lanes : int, 1..64
        Elements per beat.
    bins : int, 2..1024
        A power of two, of which no magnitude has fewer values.
    count : format
        Of the counts.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    o : Out(stream.Signature(Beat(count, 1)))
        For each packet one of ``bins`` counts. Bin ``k`` has the elements whose magnitude divided
        by ``2**bits // bins`` is ``k``, rounded down, with ``bits`` those of a magnitude: of a
        float all but its sign, whose order is that of the absolute value, with NaN above all; of an
        integer, whose magnitude is the absolute value, as many as it has.
    threshold : Out(stream.Signature(Beat(unsigned, 1)))
        For each packet one of a single magnitude, as soon as it is known: the least lower end of a
        bin that at most ``most`` elements of the packet reach, as :class:`sluice.sparsity.Prune`
        takes it. If even the last bin has more elements, it is the largest magnitude there is.
        Its format is ``uint8``, ``uint16`` or ``uint32``, as wide as need be.
    config : In(StructLayout({"most": count}))
        Sampled at the first beat of a packet.
    status : Out(StructLayout({"overflow": 1}))
        Sticky: a packet had more elements than ``count`` can tell, and its counts and threshold
        are wrong.

    Attributes
    ----------
    latency : cycles
        From a packet's last beat to its first count.
    interval : 1 cycle
        Between beats of a packet, whatever is in them.

    Notes
    -----
    Each lane counts in a memory of its own. When the packet has ended, the memories are read from
    end to end, cleared and summed up, which takes ``bins`` cycles, and ``i`` waits until it is
    done; also after reset, to clear them. A bin that comes again within four beats is not yet back
    in its memory: its count is taken from where it is on the way.

    Method: the histogram that a threshold for pruning by magnitude is taken from (M. Zhu and
    S. Gupta, To Prune, or Not to Prune, 2017). Golden model:
    :func:`sluice_sim.golden.sparsity.histogram`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or there are more bins than
        magnitudes.
    """

    i: stream.Interface
    o: stream.Interface
    threshold: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", ELEMENTS),
        Int("lanes", "elements per beat", 1, 64),
        Int("bins", "bins of magnitudes, a power of two", 2, 1024, power_of_two=True),
        Choice("count", "number format of the counts", ("uint8", "uint16", "uint32")),
    )

    def __init__(
        self, *, element: str = "bf16", lanes: int = 16, bins: int = 256, count: str = "uint32"
    ):
        self.check(element=element, lanes=lanes, bins=bins, count=count)
        self.element: str
        self.lanes: int
        self.bins: int
        self.count: str
        self.number, total = find_format(self.element), find_format(self.count)
        self.bits, self.width = magnitude_bits(self.number), total.width
        if self.bins > 1 << self.bits:
            raise ValueError(f"bins must be at most {1 << self.bits} for {element}, not {bins}")
        # Bits of a magnitude that its bin does not have.
        self.low = self.bits + 1 - self.bins.bit_length()
        self.i_beat, self.o_beat = Beat(self.number, self.lanes), Beat(total, 1)
        wide = max(8, 1 << (self.bits - 1).bit_length())
        self.threshold_beat = Beat(find_format(f"uint{wide}"), 1)
        self.levels = (self.lanes - 1).bit_length()
        self.pipeline = Pipeline(
            i_shape=range(self.bins), o_shape=self.o_beat, stages=_FETCH + self.levels
        )
        # The state changes twice, with the last beat and before the first bin.
        self.latency = 1 + _SETTLE + self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "o": Out(stream.Signature(self.o_beat)),
                "threshold": Out(stream.Signature(self.threshold_beat)),
                "config": In(data.StructLayout({"most": self.width})),
                "status": Out(data.StructLayout({"overflow": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = walk = self.pipeline
        wiring.connect(m, walk.o, wiring.flipped(self.o))
        # The bin that is read or cleared next.
        self.at = Signal(range(self.bins))
        counts, clears = Signal(), Signal()
        # Bins are read, or will be from the next cycle on; the packet's threshold has not left.
        self.walks, self.begins, self.owes = Signal(), Signal(), Signal()
        wait = Signal(range(_SETTLE + 1))
        m.d.comb += self.i.ready.eq(counts)
        with m.FSM(init="CLEAR"):
            with m.State("CLEAR"):
                m.d.comb += clears.eq(1)
                m.d.sync += self.at.eq(self.at + 1)
                with m.If(self.at.all()):
                    m.d.sync += counts.eq(1)
                    m.next = "COUNT"
            with m.State("COUNT"):
                m.d.sync += wait.eq(_SETTLE - 1)
                with m.If(self.i.valid & counts & self.i.payload.last):
                    m.d.sync += counts.eq(0)
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                with m.If(wait.any()):
                    m.d.sync += wait.eq(wait - 1)
                with m.Elif(~self.owes):
                    m.d.comb += self.begins.eq(1)
                    m.d.sync += [self.walks.eq(1), self.owes.eq(1)]
                    m.next = "WALK"
            with m.State("WALK"), m.If(walk.entry_valid):
                m.d.sync += self.at.eq(self.at + 1)
                with m.If(self.at.all()):
                    m.d.sync += [self.walks.eq(0), counts.eq(1)]
                    m.next = "COUNT"
        m.d.comb += [walk.i.valid.eq(self.walks), walk.i.payload.eq(self.at)]
        reads = delay(m, "reads", walk.entry_valid, 1, reset=True)
        self.clear, self.cleared = Signal(), Signal.like(self.at)
        m.d.comb += [
            self.clear.eq(clears | reads),
            self.cleared.eq(Mux(clears, self.at, delay(m, "read_at", self.at, 1))),
        ]
        with m.If(self.threshold.valid & self.threshold.ready):
            m.d.sync += [self.threshold.valid.eq(0), self.owes.eq(0)]
        self._decide(m, self._sum(m, [self._count(m, k) for k in range(self.lanes)]))
        return m

    def _count(self, m: Module, k: int) -> Value:
        """Count the elements of a lane; return the count of the bin that the walk reads."""
        given = self.i.payload
        comes = self.i.valid & self.i.ready & given.keep[k]
        size = magnitude(self.number, Value.cast(given.data[k]))
        bins = [delay(m, f"bin_{k}_at", size[self.low :], 1)]
        there = [delay(m, f"comes_{k}_at", comes, 1, reset=True)]
        for age in range(1, _FORWARDS + 2):
            bins.append(delay(m, f"bin_{k}_at_{age}", bins[-1], 1))
            there.append(delay(m, f"comes_{k}_at_{age}", there[-1], 1, reset=True))
        store = Store(m, f"counts_{k}", shape=self.width, depth=self.bins)
        m.d.comb += store.at.eq(Mux(self.walks, self.at, bins[0]))
        word = delay(m, f"word_{k}", store.o, 1)

        # Of the beat whose word will be there in the next cycle: which one before it, if any, has
        # had the same bin.
        chosen: list[Value] = []
        for age in range(1, _FORWARDS + 1):
            same = there[1 + age] & (bins[1 + age] == bins[1])
            before = Cat(chosen).any() if chosen else Const(0, 1)
            chosen.append(same & ~before)
        picks = delay(m, f"picks_{k}", Cat(chosen), 1)
        first = Signal(self.width, name=f"sum_{k}", reset_less=True)
        sums: list[Value] = [first]
        for age in range(1, _FORWARDS):
            sums.append(delay(m, f"sum_{k}_{age}", sums[-1], 1))
        base: Value = Mux(picks.any(), 0, word)
        for age, total in enumerate(sums):
            base = base | (total & picks[age].replicate(self.width))
        m.d.sync += first.eq(base + 1)
        m.d.comb += [
            store.write.en.eq(there[_FETCH + 1] | self.clear),
            store.write.addr.eq(Mux(self.clear, self.cleared, bins[_FETCH + 1])),
            store.write.data.eq(Mux(self.clear, 0, sums[0])),
        ]
        return word

    def _sum(self, m: Module, words: list[Value]) -> Value:
        """Return the sum of the lanes' counts, a level of additions in each cycle."""
        for level in range(self.levels):
            words += [Const(0, self.width)] * (len(words) % 2)
            pairs = enumerate(zip(words[::2], words[1::2], strict=True))
            words = [
                delay(m, f"level_{level}_{k}", (a + b)[: self.width], 1) for k, (a, b) in pairs
            ]
        return words[0]

    def _decide(self, m: Module, total: Value) -> None:
        """Put the counts out, and find the threshold."""
        walk, width = self.pipeline, self.width
        last = delay(m, "last", self.at.all(), walk.stages)
        m.d.comb += Value.cast(walk.result).eq(Cat(total, Const(1, 1), last))

        # Elements that are to be below the threshold, known before the first bin comes.
        settings = sample_settings(m, self.config, self.i)
        most, taken = Signal(width, reset_less=True), self.i.valid & self.i.ready
        number, need = Signal(width + 1), Signal(width + 1, reset_less=True)
        added = delay(m, "kept", Mux(taken, count_ones(self.i.payload.keep), 0), 1, reset=True)
        with m.If(taken):
            m.d.sync += most.eq(settings.most)
        with m.If(self.walks):
            m.d.sync += number.eq(0)
        with m.Elif(number[-1]):
            m.d.sync += self.status.overflow.eq(1)
        with m.Else():
            m.d.sync += number.eq(number + added)
        # By then the threshold of the packet before has left, and what is on its way of that one's
        # bins does not matter.
        with m.If(self.begins):
            m.d.sync += need.eq(Mux(number > most, number - most, 0))

        # Elements below the bin that comes; and a cycle later whether they are enough.
        below, at = Signal(width + 1), Signal(range(self.bins))
        with m.If(walk.result_valid):
            m.d.sync += [below.eq(Mux(last, 0, below + total)), at.eq(at + 1)]
        enough, found = Signal(reset_less=True), Signal()
        m.d.sync += enough.eq(below >= need)
        come = delay(m, "come", walk.result_valid, 1, reset=True)
        here, ends = delay(m, "here", at, 1), delay(m, "ends", last, 1)
        with m.If(come):
            m.d.sync += found.eq(~ends & (found | enough))
        edge = Mux(enough, Cat(Const(0, self.low), here), (1 << self.bits) - 1)
        with m.If(come & (enough | ends) & ~found):
            threshold = self.threshold
            m.d.sync += [
                threshold.valid.eq(1),
                Value.cast(threshold.payload.data).eq(edge),
                threshold.payload.keep.eq(1),
                threshold.payload.last.eq(1),
            ]
