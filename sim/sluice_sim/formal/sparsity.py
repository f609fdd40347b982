"""What is proven of the blocks that leave out what is zero."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track, tokens_of

__all__ = ["prove_compact", "prove_expand"]


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
    proof.suppose(~dut.mismatch)
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
