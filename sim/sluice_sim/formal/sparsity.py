"""What is proven of the blocks that leave out what is zero."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track, cut, tokens_of

__all__ = [
    "prove_compact",
    "prove_expand",
    "prove_histogram",
    "prove_mask_memory",
    "prove_prune",
    "prove_relu_compress",
    "prove_relu_decompress",
]


def prove_compact(proof: Proof) -> None:
    """Prove the stream rules, and: what has a flag comes out, in order, and nothing else.

    Every packet ends where it did, no lane is wasted, and the input never waits while the output
    is ready, and was in the cycle before. In place of the pipeline, whose rules are those of its
    queue, there are wires.
    """
    dut: Any = proof.dut
    short_circuit(dut.pipeline)
    Source(proof, dut.i)
    Source(proof, dut.flags, name="flags")
    taken = dut.i.valid & dut.i.ready
    i, flags = dut.i.payload, dut.flags.payload
    width = i.shape().element_width
    entering = [
        Token(taken & i.keep[k] & flags.data[k], Cat(Value.cast(i.data[k]), Const(0, 1)))
        for k in range(dut.lanes)
    ]
    entering.append(Token(taken & i.last, Const(1 << width, width + 1)))
    o = dut.o
    add_rules(proof, o)
    proof.forbid("a lane is wasted", o.valid & ~o.payload.last & ~o.payload.keep.all())
    both = dut.i.valid & dut.flags.valid
    add_track(
        proof,
        "i to o",
        entering,
        tokens_of(o.payload, o.valid & o.ready),
        capacity=3 * (dut.lanes + 1) + dut.lanes,
        quiet=~both & o.ready,
    )
    went = Signal()
    proof.module.d.sync += went.eq(o.ready)
    held = both & ~dut.i.ready & o.ready & went
    proof.forbid("the input waits while the output does not", held)


def prove_expand(proof: Proof) -> None:
    """Prove the stream rules, and, as long as packets have as many elements as flags are set: all.

    Flags come out as elements that are not zero, in beats as theirs, and these are those that went
    in, in their order; and nothing waits where there are elements and the output is ready. In
    place of the pipelines, whose rules are those of their queues, there are wires.
    """
    dut: Any = proof.dut
    short_circuit(dut.places)
    short_circuit(dut.elements)
    Source(proof, dut.flags, name="flags")
    Source(proof, dut.i)
    add_rules(proof, dut.o)
    flags, i, o = dut.flags, dut.i, dut.o
    proof.suppose(~(dut.moves & dut.wrong.any()))
    lanes = range(dut.lanes)

    def words(stream: Any) -> list[Value]:
        return [Value.cast(word).as_unsigned() for word in stream.payload.data]

    def ends(stream: Any) -> Token:
        return Token(passes(stream) & stream.payload.last, Const(2, 2))

    def passes(stream: Any) -> Value:
        return stream.valid & stream.ready

    # So that a flag can be told from what comes out.
    zeros = Cat(i.payload.keep[k] & ~word.any() for k, word in enumerate(words(i)))
    proof.suppose(~(i.valid & zeros.any()))
    # Elements that are dropped are left to the bench.
    beyond = Value.cast(flags.payload.data) & ~flags.payload.keep
    proof.suppose(~(flags.valid & beyond.any()))
    kept = [passes(flags) & flags.payload.keep[k] for k in lanes]
    entering = [Token(kept[k], flags.payload.data[k]) for k in lanes]
    found = [passes(o) & o.payload.keep[k] for k in lanes]
    leaving = [Token(found[k], word.any()) for k, word in enumerate(words(o))]
    add_track(
        proof,
        "flags to o",
        [*(Token(t.passes, Cat(t.value, Const(0, 1))) for t in entering), ends(flags)],
        [*leaving, ends(o)],
        capacity=0,
        quiet=~flags.valid & o.ready,
    )
    add_track(
        proof,
        "i to o",
        [Token(passes(i) & i.payload.keep[k], word) for k, word in enumerate(words(i))],
        [Token(found[k] & word.any(), word) for k, word in enumerate(words(o))],
        capacity=dut.lanes,
        quiet=Const(0),
    )
    held = flags.valid & ~flags.ready & i.valid & o.ready
    proof.forbid("flags wait while nothing else does", held)


def prove_prune(proof: Proof) -> None:
    """Prove the stream rules, and that every beat leaves once on each output, in order."""
    track_beats(proof)


def track_beats(proof: Proof) -> None:
    """Prove the same of any block whose pipeline feeds ``o`` and ``bits`` with a beat for each."""
    dut: Any = proof.dut
    source = Source(proof, dut.i)
    i = dut.i.payload
    for name in ("o", "bits"):
        port = getattr(dut, name)
        add_rules(proof, port, name=name)
        o = port.payload
        add_track(
            proof,
            f"i to {name}",
            [Token(source.taken, Cat(i.keep, i.last))],
            [Token(port.valid & port.ready, Cat(o.keep, o.last))],
            capacity=dut.pipeline.depth,
            quiet=~source.taken & dut.o.ready & dut.bits.ready,
            ends=False,
        )


def prove_histogram(proof: Proof) -> None:
    """Prove that all bins are read for each packet, between it and the next one, and one threshold.

    What is read of the memories is anything, and the pipeline lets a bin in when it likes; ``o`` is
    its output, whose rules are those of its queue.
    """
    dut: Any = proof.dut
    m = proof.module
    dut._count = lambda m, k: proof.input(dut.width, f"word_{k}")
    walk = proof.give_anything(dut.pipeline, "pipeline")
    source = Source(proof, dut.i)
    threshold = dut.threshold
    reads = walk.entry_valid
    proof.suppose(~reads | walk.i.valid)
    come = delay(m, "come", reads, walk.stages, reset=True)
    proof.suppose(walk.result_valid == come)
    add_rules(proof, threshold, name="threshold")
    # The packet has ended, and its bins from this one on are to be read.
    ended, bin_ = Signal(), Signal(range(dut.bins))
    with m.If(source.taken & dut.i.payload.last):
        m.d.sync += ended.eq(1)
    with m.If(reads):
        m.d.sync += bin_.eq(bin_ + 1)
        with m.If(bin_ == dut.bins - 1):
            m.d.sync += ended.eq(0)
    proof.forbid("a beat comes before the bins are read", source.taken & ended)
    proof.forbid("bins are read without a packet", walk.i.valid & ~ended)
    proof.forbid("another bin is read", walk.i.valid & (walk.i.payload != bin_))
    # Of the packets whose bins are read, or were, which have no threshold.
    lacks = Signal(2)
    begins = reads & (bin_ == 0)
    m.d.sync += lacks.eq(lacks + begins - (threshold.valid & threshold.ready))
    proof.forbid("a threshold comes without a packet", threshold.valid & (lacks == 0))
    proof.forbid("a packet has no threshold", begins & (lacks != 0))


def prove_mask_memory(proof: Proof) -> None:
    """Prove what becomes of a beat, whatever the pipeline lets in.

    What is stored leaves as it is. What is masked leaves with the bits that any one place of the
    memory got last, if it got any, and never has a bit that it did not have. The handshake is that
    of the pipeline, whose rules are those of its queue.
    """
    dut: Any = proof.dut
    m = proof.module
    pipeline = proof.give_anything(dut.pipeline, "pipeline")
    given, comes = pipeline.entry, pipeline.entry_valid
    width, lanes = dut.beat.element_width, dut.lanes
    # Where a beat's bits are; the place that is followed; and what it got.
    at, first = Signal(range(dut.beats)), Signal(init=1)
    here = Signal.like(at)
    m.d.comb += here.eq(Mux(first, given.settings.at, at))
    with m.If(comes):
        m.d.sync += [at.eq(here + 1), first.eq(given.i.last)]
    followed = proof.choose(range(dut.beats), "followed")
    known, bits = Signal(), Signal(lanes)
    words = [Value.cast(given.i.data[k])[:width] for k in range(lanes)]
    with m.If(comes & given.settings.store & (here == followed)):
        there = Cat(word.any() for word in words)
        m.d.sync += [known.eq(1), bits.eq(there & given.i.keep)]
    masks = comes & ~given.settings.store
    seen = masks & known & (here == followed)
    late: Any = Cat(*words, bits, Value.cast(given.i)[-lanes - 1 :], masks, comes, seen)
    late = delay(m, "late", late, pipeline.stages, reset=True)
    went, got = late[: width * lanes], late[width * lanes :]
    masked, came, seen = got[-3], got[-2], got[-1]
    result = Value.cast(pipeline.result)
    found = result[: width * lanes]
    mask = Cat(got[k].replicate(width) for k in range(lanes))
    proof.forbid("a beat ends elsewhere", came & (result[width * lanes :] != got[lanes:-3]))
    proof.forbid("what is stored is changed", came & ~masked & (found != went))
    proof.forbid("a bit is set", came & (found & ~went).any())
    proof.forbid("the mask is another", seen & (found != went & mask))


def prove_relu_compress(proof: Proof) -> None:
    """Prove the stream rules, and the bitmap.

    Beats that come from memory are any: what they were is left to the bench, and how they are
    packed to :func:`prove_compact`. The bits of those whose block has some come out in order, and
    every packet ends with its last bits, or has none and one empty beat.
    """
    dut: Any = proof.dut
    Source(proof, dut.i)
    came: Any = cut(proof, dut.engine, "engine")[0].stream
    for name in ("o", "bitmap", "counts"):
        add_rules(proof, getattr(dut, name), name=name)
    bits, passes = came.payload.bits, came.valid & came.ready
    has = passes & ~came.payload.raw
    inside = Signal()
    with proof.module.If(passes):
        proof.module.d.sync += inside.eq(~bits.last)
    run = ~(bits.keep & ~Cat(1, bits.keep[:-1])).any()
    whole = Mux(bits.last, run & (bits.keep[0] | ~inside), bits.keep.all())
    proof.suppose(~came.valid | whole)
    o, leaves = dut.bitmap.payload, dut.bitmap.valid & dut.bitmap.ready

    def tokens(beat: Any, passes: Value, has: Value) -> list[Token]:
        """Return a beat as one token, which is far easier to follow than its lanes."""
        there = Cat(Value.cast(beat.data) & beat.keep, beat.keep, Const(0, 1))
        return [
            Token(has, there),
            Token(passes & beat.last, Const(1 << len(there) - 1, len(there))),
        ]

    add_track(
        proof,
        "bits",
        tokens(bits, passes, has & bits.keep[0]),
        tokens(o, leaves, leaves & o.keep[0]),
        capacity=8,
        quiet=~came.valid & dut.bitmap.ready,
    )
    proof.forbid("a lane of the bitmap is wasted", dut.bitmap.valid & ~o.last & ~o.keep.all())
    open_packet = Signal()
    with proof.module.If(leaves):
        proof.module.d.sync += open_packet.eq(~o.last)
    empty = dut.bitmap.valid & ~o.keep.any()
    proof.forbid("an empty beat ends bits", empty & open_packet)


def prove_relu_decompress(proof: Proof) -> None:
    """Prove the stream rules, and that packets stay together, whatever is in them.

    A packet of the table gives one of flags, and takes one of the bitmap, whose rest is dropped
    before the next one begins; and the result has the packets that come from between, but for the
    beats that only skip.
    """
    dut: Any = proof.dut
    Source(proof, dut.counts, name="counts")
    Source(proof, dut.bitmap, name="bitmap")
    came: Any = cut(proof, dut.expand, "expand", i="flags")[0].stream
    flags = dut.expand.flags
    add_rules(proof, flags, name="flags")
    add_rules(proof, dut.o)

    def ends(stream: Any) -> Value:
        return stream.valid & stream.ready & stream.payload.last

    leaving = ends(flags)
    for name, entering, late in (("counts", dut.counts, 0), ("bitmap", dut.bitmap, 1)):
        ahead = Signal(4, name=f"{name}_ahead", init=late)
        proof.module.d.sync += ahead.eq(ahead + ends(entering) - leaving)
        proof.forbid(f"flags end before {name}", leaving & ~ahead.any())
        proof.forbid(f"{name} runs ahead", ahead > 8)
    keep = came.payload.keep
    proof.suppose(~(came.valid & (keep & ~Cat(1, keep[:-1])).any()))
    add_track(
        proof,
        "o",
        tokens_of(came.payload, came.valid & came.ready),
        tokens_of(dut.o.payload, dut.o.valid & dut.o.ready),
        capacity=2 * (dut.lanes + 1),
        quiet=~came.valid & dut.o.ready,
    )


def short_circuit(pipeline: Any) -> None:
    """Put wires in the place of a pipeline without stages."""
    assert not pipeline.stages
    m = Module()
    m.d.comb += [
        pipeline.i.ready.eq(pipeline.o.ready),
        pipeline.entry.eq(pipeline.i.payload),
        pipeline.entry_valid.eq(pipeline.i.valid & pipeline.o.ready),
        pipeline.o.valid.eq(pipeline.i.valid),
        pipeline.o.payload.eq(pipeline.result),
        pipeline.result_valid.eq(pipeline.entry_valid),
    ]
    pipeline.elaborate = lambda platform: m
