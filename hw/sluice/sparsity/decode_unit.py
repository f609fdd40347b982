"""From bit vectors to the positions of their set bits: the datapath of the decoder."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.delay import delay
from sluice.sparsity.ranks import (
    POSITION_STEPS,
    add_positions,
    add_ranks,
    groups_of,
    rank_steps,
)
from sluice.stream import Fifo

__all__ = ["DecodeUnit"]


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
    ends : Out(1)
        It would be the last one of its packet.
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
    Ranks of bits (:mod:`sluice.sparsity.ranks`) are there before a context is walked, so that
    from cycle to cycle only a counter moves.

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
    ends: Signal
    go: Signal
    o: Any
    lag = POSITION_STEPS
    # One that is made only to be asked for its latency is no mistake.
    _MustUse__silence = True

    def __init__(
        self, *, context: int, lanes: int, vectors: int, places: int, tag: int, late: int = 0
    ):
        self.context, self.lanes, self.vectors, self.places = context, lanes, vectors, places
        self.groups = groups_of(context)
        self.steps = 1 + rank_steps(context, vectors)
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
                "ends": Out(1),
                "go": In(1),
                "o": Out(step),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flow: Any = Flow(m, steps=self.steps, stages=self.steps)
        flow.bits, flow.tag, flow.last = self.bits, self.tag, self.last
        flow.step()
        add_ranks(flow, flow.bits, context=self.context, lanes=self.lanes, vectors=self.vectors)
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

    def _queue(self, m: Module, flow: Any, dropped: Signal) -> Any:
        """Leave out contexts without a set bit; return the stream of the others."""
        below = {
            f"below_{v * self.groups + g}": getattr(flow, f"below_{v}_{g}")
            for v in range(self.vectors)
            for g in range(1, self.groups)
        }
        steps = flow.most_0
        self.word = data.StructLayout(
            {
                "bits": self.context * self.vectors,
                **{name: len(count) for name, count in below.items()},
                "steps": max(1, len(steps)),
                "single": 1,
                "tag": len(self.tag),
                "slot": len(self.slot),
                "last": 1,
            }
        )
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
        # There is no step to count where all bits fit into one.
        steps = Cat(steps, Const(0, max(0, 1 - len(steps))), ~steps.any())
        word = Cat(flow.bits, *below.values(), steps, flow.tag)
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
            self.ends.eq(final & now.last),
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
        flow.side = Cat(now.slot, now.tag, final, self.ends)
        below: list[Value] = []
        for k, g in enumerate(list(range(self.groups)) * self.vectors):
            # Nothing is below the first.
            below.append(getattr(now, f"below_{k}") if g else Const(0, 1))
        add_positions(
            flow,
            Value.cast(now.bits),
            below,
            step,
            lanes=self.lanes,
            vectors=self.vectors,
        )
        valid = delay(m, "valid", fires, self.lag, reset=True)
        m.d.comb += Value.cast(self.o).eq(Cat(valid, flow.found, flow.positions, flow.side))
