"""What surrounds a block in a proof: well-behaved sources, and trackers of what passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import Const
from amaranth.lib import stream

from sluice.stream import Beat
from sluice_sim.formal.engine import Proof

__all__ = [
    "Source",
    "Token",
    "add_rules",
    "add_track",
    "cut",
    "open_up",
    "tokens_of",
    "track_queue",
]

# Cycles within which a block that is not held up must have given all that it took.
DRAIN = 12


@dataclass
class Token:
    """One thing that may pass in a cycle: an element of a beat, or the end of a packet."""

    passes: Value
    value: Value


class Source:
    """A stream that keeps the rules and is otherwise free.

    Attributes
    ----------
    offered : Signal
        A beat is offered that was not offered in the cycle before.
    taken : Signal
        A beat is transferred.
    first : Signal
        The beat is the first of its packet.
    """

    def __init__(self, proof: Proof, stream: Any, *, name: str = "i", well_formed: bool = True):
        m = proof.module
        self.stream = stream
        payload = Value.cast(stream.payload)
        free_valid = proof.input(1, f"{name}_valid")
        free_payload = proof.input(len(payload), f"{name}_payload")
        waiting, held = Signal(name=f"{name}_waiting"), Signal(len(payload), name=f"{name}_held")
        self.first, self.taken, self.offered = Signal(init=1), Signal(), Signal()
        shaped = Signal(len(payload))
        m.d.comb += shaped.eq(free_payload)
        beat = stream.payload.shape()
        if well_formed and isinstance(beat, Beat):
            view, loose = beat(shaped), beat(free_payload)
            run = Cat(loose.keep[: k + 1].all() for k in range(beat.lanes))
            full = (1 << beat.lanes) - 1
            m.d.comb += view.keep.eq(Mux(loose.last, run, full))
        proof.drive(stream.valid, free_valid | waiting)
        proof.drive(stream.payload, Mux(waiting, held, shaped))
        m.d.comb += [
            self.taken.eq(stream.valid & stream.ready),
            self.offered.eq(stream.valid & ~waiting),
        ]
        m.d.sync += [waiting.eq(stream.valid & ~stream.ready), held.eq(payload)]
        if isinstance(beat, Beat):
            with m.If(self.taken):
                m.d.sync += self.first.eq(stream.payload.last)

    def settings(self, proof: Proof, config: Any) -> Any:
        """Return ``config`` as it was when the packet under way was first offered."""
        m = proof.module
        value = Value.cast(config)
        held, under_way = Signal(len(value)), Signal()
        now = Signal(len(value))
        m.d.comb += now.eq(Mux(under_way, held, value))
        with m.If(self.stream.valid):
            m.d.sync += [
                held.eq(now),
                under_way.eq(~(self.stream.ready & self.stream.payload.last)),
            ]
        return config.shape()(now) if hasattr(config, "shape") else now


def add_rules(proof: Proof, stream: Any, *, name: str = "o") -> None:
    """State the stream's rules: once valid, it holds valid and payload until ready."""
    m = proof.module
    payload = Value.cast(stream.payload)
    waiting, held = Signal(name=f"{name}_rule"), Signal(len(payload), name=f"{name}_ruled")
    m.d.sync += [waiting.eq(stream.valid & ~stream.ready), held.eq(payload)]
    proof.forbid(f"{name}: valid dropped before ready", waiting & ~stream.valid)
    proof.forbid(f"{name}: payload changed before ready", waiting & (payload != held))


def tokens_of(payload: Any, passes: Value, *, ends: bool = True) -> list[Token]:
    """Return the elements of a beat that count, in order, and its packet's end behind them."""
    beat = payload.shape()
    width = beat.element_width
    tokens = [
        Token(passes & payload.keep[k], Cat(Value.cast(payload.data[k]), Const(0, 1)))
        for k in range(beat.lanes)
    ]
    if ends:
        tokens.append(Token(passes & payload.last, Const(1 << width, width + 1)))
    return tokens


def add_track(
    proof: Proof,
    name: str,
    enters: Sequence[Token],
    leaves: Sequence[Token],
    *,
    capacity: int,
    quiet: Value,
    ends: bool = True,
) -> None:
    """State that what enters leaves: nothing lost, doubled, changed or reordered.

    Any one token that enters may be picked, and is followed by the number of tokens ahead of it.
    Since every one can be the one that is picked, what holds for it holds for all.

    Parameters
    ----------
    capacity : int
        Tokens the block can hold; more in flight is a failure too.
    quiet : 1 bit
        Nothing is offered and every output is ready: after ``DRAIN`` such cycles the block must be
        empty, if the last token that entered ended a packet (``ends``) or at all (not ``ends``).
    """
    m: Module = proof.module
    width = len(enters[0].value)
    size = range(capacity + len(enters) + len(leaves) + 1)
    word = name.replace(" ", "_")
    inside, ahead = Signal(size, name=f"{word}_inside"), Signal(size, name=f"{word}_ahead")
    armed, held = Signal(name=f"{word}_armed"), Signal(width, name=f"{word}_held")
    pick = proof.input(range(len(enters) + 1), f"{word}_pick")

    before: list[Value] = []
    count: Value = Const(0, 1)
    for token in enters:
        before.append(count)
        count = count + token.passes
    entering = Signal(range(len(enters) + 1), name=f"{word}_entering")
    m.d.comb += entering.eq(count)
    count = Const(0, 1)
    places: list[Value] = []
    for token in leaves:
        places.append(count)
        count = count + token.passes
    leaving = Signal(range(len(leaves) + 1), name=f"{word}_leaving")
    m.d.comb += leaving.eq(count)

    follows, place, value = Signal(), Signal(size), Signal(width)
    m.d.comb += [follows.eq(armed), place.eq(ahead), value.eq(held)]
    for k, token in enumerate(enters):
        with m.If(~armed & (pick == k) & token.passes):
            m.d.comb += [follows.eq(1), place.eq(inside + before[k]), value.eq(token.value)]
    wrong = Signal()
    for token, index in zip(leaves, places, strict=True):
        with m.If(follows & token.passes & (place == index) & (token.value != value)):
            m.d.comb += wrong.eq(1)
    m.d.sync += [
        inside.eq(inside + entering - leaving),
        armed.eq(follows & (place >= leaving)),
        ahead.eq(place - leaving),
        held.eq(value),
    ]
    idle, ended = Signal(range(DRAIN + 1)), Signal(init=1)
    with m.If(quiet):
        m.d.sync += idle.eq(Mux(idle == DRAIN, DRAIN, idle + 1))
    with m.Else():
        m.d.sync += idle.eq(0)
    if ends:
        with m.If(entering.any()):
            m.d.sync += ended.eq(enters[-1].passes)
    proof.forbid(f"{name}: more came out than went in", inside + entering < leaving)
    proof.forbid(f"{name}: more inside than there is room", inside > capacity)
    proof.forbid(f"{name}: changed or out of order", wrong)
    proof.forbid(f"{name}: kept for ever", (idle == DRAIN) & ended & inside.any())


def cut(proof: Proof, part: Any, name: str, *, i: str = "i") -> list[Source]:
    """Let ``part`` take beats when it likes, and give any; return the sources of these."""
    m = Module()
    m.d.comb += getattr(part, i).ready.eq(proof.input(1, f"{name}_ready"))
    sources: list[Source] = []
    for k, o in enumerate(part.o if isinstance(part.o, list) else [part.o]):
        come = stream.Signature(o.payload.shape()).create()
        sources.append(Source(proof, come, name=f"{name}_{k}", well_formed=False))
        m.d.comb += [o.valid.eq(come.valid), o.payload.eq(come.payload), come.ready.eq(o.ready)]
    part.elaborate = lambda platform: m
    return sources


def open_up(proof: Proof, pipeline: Any) -> Source:
    """Cut a pipeline, whose entries are what it takes; return what there is for its queue."""
    (queue,) = cut(proof, pipeline, "queue")
    proof.module.d.comb += [
        pipeline.entry.eq(pipeline.i.payload),
        pipeline.entry_valid.eq(pipeline.i.valid & pipeline.i.ready),
    ]
    return queue


def track_queue(proof: Proof, queue: Source, payload: Value, o: Any, name: str) -> None:
    """Prove that ``payload`` of what the queue gives leaves on ``o``."""
    add_track(
        proof,
        f"queue to {name}",
        [Token(queue.offered, payload)],
        [Token(o.valid & o.ready, Value.cast(o.payload))],
        capacity=1,
        quiet=Const(0),
        ends=False,
    )
