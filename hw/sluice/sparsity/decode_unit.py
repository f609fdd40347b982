"""From bit vectors to the positions of their set bits: the datapath of the decoder."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.delay import delay
from sluice.sparsity.prefix_sum import add_sums_below, prefix_steps
from sluice.stream import Fifo

__all__ = ["DecodeUnit"]

# Bits that one logic cell looks at together.
GROUP = 4


def bits_for(count: int) -> int:
    """Return the bits of an index of ``count`` places, at least one."""
    return max(1, (count - 1).bit_length())


class DecodeUnit(wiring.Component):
    """Give the set bits of contexts, in order, ``lanes`` positions in each step.

    Several vectors are walked in step: a context takes as many steps as its fullest vector. One
    without a set bit takes none; if it ends a packet, the last step before it does so in its place,
    and a packet without a set bit is one step without a position.

    Parameters
    ----------
    context : int, 4 8 16 32 64
        Bits of a vector.
    lanes : int, 1 2 4 8
        Positions of a vector in a step.
    vectors : int, 1..64
        Of a context.
    places : int, 2..64, a power of two
        Contexts inside.
    tag : int, >= 1
        Bits that go with a context.
    late : int, cycles
        That ``bits``, ``tag`` and ``last`` come after ``valid``.

    Members
    -------
    room : Out(1)
        A context may come in this cycle.
    valid : In(1)
        It comes; only where there is room.
    bits : In(context * vectors)
    tag : In(tag)
    last : In(1)
        It ends a packet.
    keeps : Out(1)
        What goes with a context of ``front`` cycles ago is to be put at ``slot``. It is not
        overwritten before the operands of its last step have been taken.
    slot : Out(range(places))
    offers : Out(1)
        A step can be taken.
    go : In(1)
        It is, if there is one.
    o : Out(StructLayout)
        What was taken ``lag`` cycles ago: ``valid``; for each vector and lane whether there is a
        position, ``found``, and which, ``positions``, or else 0; ``slot`` and ``tag`` of the
        context; ``done``, its last step; and ``last``, that of the packet.

    Attributes
    ----------
    front, lag : int, cycles
    around : int, cycles
        Until a place that was taken can be taken again, at best.
    through : int, cycles
        From a context that ends its packet to its first step, at best.

    Notes
    -----
    A bit's rank, the number of set bits below it, is made of a sum for each group of four bits and
    of the bits of the group. Ranks are there before a context is walked, so that in each cycle only
    a counter moves: the bits of step ``t`` and lane ``l`` are those of rank ``t * lanes + l``.

    A context that does not end its packet waits for the next one that has something to say, which
    may be that there is nothing more.
    """

    room: Signal
    valid: Signal
    bits: Signal
    tag: Signal
    last: Signal
    keeps: Signal
    slot: Signal
    offers: Signal
    go: Signal
    o: Any
    lag = 3

    def __init__(
        self, *, context: int, lanes: int, vectors: int, places: int, tag: int, late: int = 0
    ):
        self.context, self.lanes, self.vectors, self.places = context, lanes, vectors, places
        self.groups = context // GROUP
        self.steps = 3 + prefix_steps(self.groups) + (vectors - 1).bit_length()
        self.front = late + self.steps
        # Held back, through the queue, to the walk, and as the walk ends the count of places.
        self.through = self.front + 1 + Fifo.latency + 1
        self.around = self.through + 2
        self.position = data.ArrayLayout(bits_for(context), lanes)
        step = data.StructLayout(
            {
                "valid": 1,
                "found": data.ArrayLayout(lanes, vectors),
                "positions": data.ArrayLayout(self.position, vectors),
                "slot": bits_for(places),
                "tag": tag,
                "done": 1,
                "last": 1,
            }
        )
        super().__init__(
            {
                "room": Out(1, init=1),  # pyright: ignore[reportCallIssue] (not in the stubs)
                "valid": In(1),
                "bits": In(context * vectors),
                "tag": In(tag),
                "last": In(1),
                "keeps": Out(1),
                "slot": Out(bits_for(places)),
                "offers": Out(1),
                "go": In(1),
                "o": Out(step),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flow: Any = Flow(m, steps=self.steps, stages=self.steps)
        self._rank(flow)
        dropped, ended = Signal(), Signal()
        queue = self._queue(m, flow, dropped)
        self._walk(m, queue, ended)
        # Both ends of a stay are counted a cycle late, so that the sum is one of registers, and
        # `valid` only chooses.
        taken, freed, held = Signal(), Signal(2), Signal(range(self.places + 1))
        after = Signal.like(held)
        m.d.comb += after.eq(held + taken - freed)
        m.d.sync += [
            taken.eq(self.valid),
            freed.eq(dropped + ended),
            held.eq(after),
            self.room.eq(Mux(self.valid, after < self.places - 1, after != self.places)),
        ]
        return m

    def _rank(self, flow: Any) -> None:
        """Set the sums ``below_v_g`` of the bits of a vector below a group, and the last step."""
        vectors, groups = range(self.vectors), range(self.groups)
        flow.bits, flow.tag, flow.last = self.bits, self.tag, self.last
        flow.step()

        counts = {
            f"below_{v}": [
                _count(flow.bits.word_select(v * self.groups + g, GROUP)) for g in groups
            ]
            for v in vectors
        }
        # A name for each, so that what is summed are registers.
        for name, row in counts.items():
            for g, count in enumerate(row):
                setattr(flow, f"count_{name}_{g}", count)
        flow.step()

        add_sums_below(
            flow,
            {name: [getattr(flow, f"count_{name}_{g}") for g in groups] for name in counts},
        )
        for v in vectors:
            total = getattr(flow, f"below_{v}_{self.groups}")
            steps = (total - 1)[(self.lanes - 1).bit_length() : (self.context - 1).bit_length()]
            setattr(flow, f"most_{v}", Mux(total.any(), steps, 0))
            setattr(flow, f"any_{v}", total.any())
        flow.step()

        count = self.vectors
        while count > 1:
            half = count // 2
            for v in range(half):
                (a, b), (any_a, any_b) = (
                    [getattr(flow, f"{name}_{w}") for w in (2 * v, 2 * v + 1)]
                    for name in ("most", "any")
                )
                setattr(flow, f"next_{v}", Cat(Mux(a < b, b, a), any_a | any_b))
            if count % 2:
                odd = (getattr(flow, f"{name}_{count - 1}") for name in ("most", "any"))
                setattr(flow, f"next_{half}", Cat(*odd))
            count -= half
            for v in range(count):
                word = getattr(flow, f"next_{v}")
                setattr(flow, f"most_{v}", word[:-1])
                setattr(flow, f"any_{v}", word[-1])
            flow.step()

    def _queue(self, m: Module, flow: Any, dropped: Signal) -> Any:
        """Leave out contexts without a set bit; return the stream of the others."""
        below = [
            getattr(flow, f"below_{v}_{g}")
            for v in range(self.vectors)
            for g in range(1, self.groups)
        ]
        steps = flow.most_0
        self.word = data.StructLayout(
            {
                "bits": data.ArrayLayout(self.context, self.vectors),
                "below": sum(map(len, below)),
                "steps": max(1, len(steps)),
                "single": 1,
                "tag": len(self.tag),
                "slot": len(self.slot),
                "last": 1,
            }
        )
        self.widths = [len(sum_below) for sum_below in below]
        m.submodules.queue = queue = Fifo(shape=self.word, depth=self.places, always_ready=True)
        comes = delay(m, "comes", self.valid, self.front, reset=True)
        some, last = flow.any_0, flow.last
        # One is held back, so that it can still be made the last one.
        kept = Signal(self.word.size, reset_less=True)
        full, ends = Signal(), Signal(reset_less=True)
        says, joins = Signal(), Signal()
        m.d.comb += [
            says.eq(comes & (some | last)),
            joins.eq(comes & ~some & last & full & ~ends),
            dropped.eq(comes & ~some & (~last | joins)),
            self.keeps.eq(comes & some),
            queue.i.valid.eq(full & (ends | says)),
            Value.cast(queue.i.payload).eq(Cat(kept[:-1], ends | joins)),
        ]
        word = Cat(
            flow.bits, *below, steps, Const(0, 1 - min(1, len(steps))), ~steps.any(), flow.tag
        )
        with m.If(says & ~joins):
            m.d.sync += [full.eq(1), ends.eq(last), kept.eq(Cat(word, self.slot))]
        with m.Elif(queue.i.valid):
            m.d.sync += full.eq(0)
        with m.If(self.keeps):
            m.d.sync += self.slot.eq(self.slot + 1)
        return queue.o

    def _walk(self, m: Module, queue: Any, ended: Signal) -> None:
        """Take contexts from the queue, and step by step the positions of their bits."""
        now = Signal(self.word, reset_less=True)
        step, left = (
            Signal(len(now.steps), name=name, reset_less=True) for name in ("step", "left")
        )
        final = Signal(reset_less=True)
        takes, fires = Signal(), Signal()
        m.d.comb += [
            fires.eq(self.offers & self.go),
            ended.eq(fires & final),
            takes.eq(~self.offers | ended),
            queue.ready.eq(takes),
        ]
        with m.If(takes):
            m.d.sync += [
                self.offers.eq(queue.valid),
                now.eq(queue.payload),
                step.eq(0),
                left.eq(queue.payload.steps),
                final.eq(queue.payload.single),
            ]
        with m.Elif(self.go):
            m.d.sync += [step.eq(step + 1), left.eq(left - 1), final.eq(left == 1)]

        flow: Any = Flow(m, steps=self.lag, stages=self.lag)
        flow.bits, flow.side = now.bits, Cat(now.slot, now.tag, final, final & now.last)
        sums, at = [], 0
        for k, width in enumerate(self.widths):
            if k % (self.groups - 1) == 0:
                sums.append(Const(0, 1))
            sums.append(now.below[at : at + width])
            at += width
        if self.groups == 1:
            sums = [Const(0, 1)] * self.vectors
        lanes = (self.lanes - 1).bit_length()
        walks = [
            (v, lane, g)
            for v in range(self.vectors)
            for lane in range(self.lanes)
            for g in range(self.groups)
        ]
        for v, lane, g in walks:
            # The rank within the group, and whether it is in the group at all.
            rank = Cat(Const(lane, lanes), step) - sums[v * self.groups + g]
            setattr(flow, f"rank_{v}_{lane}_{g}", Cat(rank[:2], ~rank[2:].any()))
        flow.step()

        for v, lane, g in walks:
            rank = getattr(flow, f"rank_{v}_{lane}_{g}")
            bits = flow.bits.word_select(v * self.groups + g, GROUP)
            hits = [
                bits[k] & rank[2] & (_count(bits[:k]) == rank[:2]) if k else bits[k] & (rank == 4)
                for k in range(GROUP)
            ]
            setattr(
                flow,
                f"hit_{v}_{lane}_{g}",
                Cat(hits[1] | hits[3], hits[2] | hits[3], Cat(hits).any()),
            )
        flow.step()

        found: list[Value] = []
        positions: list[Value] = []
        for v in range(self.vectors):
            for lane in range(self.lanes):
                hits = [getattr(flow, f"hit_{v}_{lane}_{g}") for g in range(self.groups)]
                found.append(Cat(hit[2] for hit in hits).any())
                positions += [Cat(hit[k] for hit in hits).any() for k in range(2)]
                positions += [
                    Cat(hit[2] for g, hit in enumerate(hits) if g >> k & 1).any()
                    for k in range((self.groups - 1).bit_length())
                ]
        flow.found, flow.positions = Cat(found), Cat(positions)
        flow.step()
        valid = delay(m, "valid", fires, self.lag, reset=True)
        m.d.comb += Value.cast(self.o).eq(Cat(valid, flow.found, flow.positions, flow.side))


def _count(bits: Value) -> Value:
    """Return how many bits are set, in as few bits."""
    total: Value = bits[0]
    for bit in bits[1:]:
        total = total + bit
    return total[: len(bits).bit_length()]
