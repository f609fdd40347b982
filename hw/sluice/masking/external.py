"""Bits of a packed mask, lined up with beats whose rows end anywhere."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS
from sluice.params import Int
from sluice.stream import Beat, Narrow, SkidBuffer, run_of

__all__ = ["MaskAligner"]


class MaskAligner(Block):
    """Give the next ``count`` bits of a packed mask stream, any number of them in any cycle.

    A packet of the mask holds the bits of one or more whole rows without gaps, so that rows begin
    anywhere in a word. Where a packet ends, the next row begins with the next packet. A packet
    without bits is passed over, and a row without elements takes none.

    Parameters
    ----------
    lanes : int, 1..64
        Most bits taken per cycle.
    ratio : int, 1..32
        ``lanes * ratio`` bits arrive per beat of the mask stream.

    Members
    -------
    i : In(stream.Signature(Beat(bit, lanes * ratio)))
    count : In(range(lanes + 1))
        Bits wanted in this cycle.
    take : In(1)
        They are used up at the end of this cycle; only if ``available``.
    bits : Out(lanes)
        The next bits, the earliest lowest; zero behind the end of the mask packet.
    available : Out(1)
    short : Out(1)
        The packet ends before ``count`` bits.

    Attributes
    ----------
    latency : 3 cycles
        From a mask beat to its first bit being available; ahead of the data, so it is hidden.
    interval : 1 cycle
        Between takes; one cycle more where a packet of several rows ends inside a chunk of
        ``lanes`` bits of which the row's last beat took only a part.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    count: Signal
    take: Signal
    bits: Signal
    available: Signal
    short: Signal
    latency = 3
    interval = 1

    PARAMETERS = (
        Int("lanes", "most bits taken per cycle", 1, 64),
        Int("ratio", "mask bits per beat, in units of lanes", 1, 32),
    )

    def __init__(self, *, lanes: int = 8, ratio: int = 4):
        self.check(lanes=lanes, ratio=ratio)
        self.lanes: int
        self.ratio: int
        wide = Beat(FORMATS["bit"], self.lanes * self.ratio)
        super().__init__(
            {
                "i": In(stream.Signature(wide)),
                "count": In(range(self.lanes + 1)),
                "take": In(1),
                "bits": Out(self.lanes),
                "available": Out(1),
                "short": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        chunk = Beat(FORMATS["bit"], self.lanes)
        m.submodules.narrow = narrow = Narrow(shape=chunk, ratio=self.ratio)
        m.submodules.queue = queue = SkidBuffer(shape=chunk)
        wiring.connect(m, wiring.flipped(self.i), narrow.i)
        wiring.connect(m, narrow.o, queue.i)
        # The bits in view are those of `head` from `skip` on, and behind them those of the queue.
        head, filled, skip = Signal(chunk), Signal(), Signal(range(max(2, self.lanes)))
        ahead = queue.o.payload
        behind = ~head.last
        # The packet's last bits may have been taken from behind, before they came to the head.
        spent = Signal()
        window = Signal(2 * self.lanes)
        kept = Signal(2 * self.lanes)
        m.d.comb += [
            kept.eq(Cat(head.keep, Mux(behind, ahead.keep, 0))),
            window.eq(Cat(head.data, ahead.data) & kept),
            self.bits.eq(window >> skip),
            spent.eq(~(head.keep >> skip)[0]),
            self.available.eq(filled & ~spent & (head.last | queue.o.valid)),
        ]
        wanted, reach = Signal(self.lanes), Signal(range(2 * self.lanes + 1))
        m.d.comb += [
            wanted.eq(run_of(self.count, self.lanes)),
            self.short.eq((wanted & ~(kept >> skip)).any()),
            reach.eq(skip + self.count),
        ]
        # A chunk that ends its packet is done with once no bit of it is left.
        left = Signal(self.lanes + 1)
        m.d.comb += left.eq(Cat(head.keep, 0) >> reach)
        used = Mux(head.last, ~left.any(), reach >= self.lanes)
        advance = Signal()
        m.d.comb += [
            advance.eq(self.take & used),
            queue.o.ready.eq(advance | ~filled | spent),
        ]
        with m.If(self.take):
            m.d.sync += skip.eq(Mux(used, Mux(head.last, 0, reach - self.lanes), reach))
        with m.Elif(filled & spent):
            m.d.sync += skip.eq(0)
        with m.If(queue.o.ready):
            m.d.sync += [head.eq(ahead), filled.eq(queue.o.valid)]
        return m
