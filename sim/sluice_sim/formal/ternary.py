"""What is proven of compressed ternary weights."""

from typing import Any

from amaranth import Cat, Const, Module, Value

from sluice.delay import delay
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track, cut, tokens_of
from sluice_sim.formal.sparsity import short_circuit

__all__ = ["prove_ternary_compress", "prove_ternary_decompress", "prove_ternary_dot"]


def value_of(first: Value, second: Value) -> Value:
    """Return the value of a pair of weights, each as two's complement of two bits."""

    def digit(weight: Value) -> Value:
        return Cat(weight[0] & ~weight[1], weight[1])

    return (digit(first) + 3 * digit(second) - 1)[:3]


def prove_ternary_compress(proof: Proof) -> None:
    """Prove the stream rules, and: flags and values are those of the weights, in order.

    A weight with an illegal code counts as zero. No lane of the values is wasted, and the input
    never waits while both outputs are ready, and were in the cycle before. In place of the
    pipeline, whose rules are those of its queue, there are wires. The codes are the natural ones.
    """
    dut: Any = proof.dut
    short_circuit(dut.pipeline)
    source = Source(proof, dut.i)
    i, flags, values = dut.i.payload, dut.flags, dut.values
    weights = [Value.cast(code).as_unsigned() for code in i.data]
    weights = [code & (i.keep[k] & (code != 0b10)).replicate(2) for k, code in enumerate(weights)]
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    there = Cat(Cat(a, b).any() for a, b in pairs)
    keep = Cat(i.keep[k] for k in range(0, dut.lanes, 2))
    for name, port in (("flags", flags), ("values", values)):
        add_rules(proof, port, name=name)
    quiet = ~dut.i.valid & flags.ready & values.ready
    bits = Value.cast(flags.payload.data) & flags.payload.keep
    add_track(
        proof,
        "i to flags",
        [Token(source.taken, Cat(there, keep, i.last))],
        [Token(flags.valid & flags.ready, Cat(bits, flags.payload.keep, flags.payload.last))],
        capacity=2,
        quiet=quiet,
        ends=False,
    )
    entering = [
        Token(source.taken & there[k], Cat(value_of(*pair), Const(0, 1)))
        for k, pair in enumerate(pairs)
    ]
    entering.append(Token(source.taken & i.last, Const(8, 4)))
    add_track(
        proof,
        "i to values",
        entering,
        tokens_of(values.payload, values.valid & values.ready),
        capacity=3 * (dut.pairs + 1) + dut.pairs,
        quiet=quiet,
    )
    wasted = values.valid & ~values.payload.last & ~values.payload.keep.all()
    proof.forbid("a lane is wasted", wasted)
    went = delay(proof.module, "went", flags.ready & values.ready, 1, reset=True)
    held = dut.i.valid & ~dut.i.ready & flags.ready & values.ready & went
    proof.forbid("the input waits while no output does", held)


def prove_ternary_decompress(proof: Proof) -> None:
    """Prove the stream rules, and, as long as packets have as many values as flags are set: all.

    Whatever they have, the first beat of flags takes one of values. Pairs come out zero or not as
    their flags say, in beats as theirs, with the second weight of the last one or without it as the
    setting says; those that are not zero are those of the values, in their order; and nothing waits
    where there are values and the output is ready. In place of pipelines, queue and buffers, whose
    rules are proven of these, there are wires. The codes are the natural ones.
    """
    dut: Any = proof.dut
    short_circuit(dut.expand.places)
    short_circuit(dut.expand.elements)
    wire(dut.expand.buffer)
    wire(dut.odds)
    wire(dut.output)
    source = Source(proof, dut.flags, name="flags")
    Source(proof, dut.values, name="values")
    odd = source.settings(proof, dut.config).odd
    add_rules(proof, dut.o)
    flags, values, o = dut.flags.payload, dut.values, dut.o
    alone = source.taken & source.first & ~(values.valid & values.ready)
    proof.forbid("a packet begins without values", alone)
    proof.suppose(~(dut.expand.moves & dut.expand.wrong.any()))
    came, went = values.valid & values.ready, o.valid & o.ready
    weights = [Value.cast(code).as_unsigned() for code in o.payload.data]
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    there = [Cat(a, b).any() for a, b in pairs]
    firsts = [went & o.payload.keep[2 * k] for k in range(dut.pairs)]
    # A beat is one token, and its end says whether a weight is missing.
    bits = Value.cast(flags.data) & flags.keep
    single = odd & flags.last & flags.keep[0]
    keep = Cat(o.payload.keep[2 * k] for k in range(dut.pairs))
    missing = o.payload.keep.xor()
    add_track(
        proof,
        "flags to o",
        [Token(source.taken, Cat(bits, flags.keep, flags.last, single))],
        [Token(went, Cat(Cat(there) & keep, keep, o.payload.last, missing))],
        capacity=0,
        quiet=~dut.flags.valid & o.ready,
        ends=False,
    )
    add_track(
        proof,
        "values to o",
        [
            Token(came & values.payload.keep[k], Value.cast(values.payload.data[k]))
            for k in range(dut.pairs)
        ],
        [
            Token(first & flag, value_of(*pair))
            for first, flag, pair in zip(firsts, there, pairs, strict=True)
        ],
        capacity=dut.pairs,
        quiet=Const(0),
    )
    held = dut.flags.valid & ~dut.flags.ready & values.valid & o.ready
    proof.forbid("flags wait while nothing else does", held)


def prove_ternary_dot(proof: Proof) -> None:
    """Prove the stream rules, and that every packet of weights gives one packet of one element.

    Weights that come from where they are expanded are any, and so is what is computed: both are
    left to the bench, and how pairs go to flags to :func:`prove_ternary_decompress`.
    """
    dut: Any = proof.dut
    came: Any = cut(proof, dut.expand, "expand", i="flags")[0].stream
    make = dut.make_unit
    dut.make_unit = lambda: proof.give_anything(make(), "result")
    Source(proof, dut.i)
    add_rules(proof, dut.o)
    o, taken = dut.o.payload, came.valid & came.ready
    add_track(
        proof,
        "weights to o",
        [Token(taken & came.payload.last, Const(1, 1))],
        [Token(dut.o.valid & dut.o.ready, o.last & o.keep.all())],
        capacity=dut.pipeline.depth,
        quiet=~taken & dut.o.ready,
        ends=False,
    )
    proof.forbid("a beat meets none", taken != (dut.i.valid & dut.i.ready))


def wire(queue: Any) -> None:
    """Put wires in the place of a queue or a buffer."""
    m = Module()
    m.d.comb += [
        queue.o.valid.eq(queue.i.valid),
        queue.o.payload.eq(queue.i.payload),
        queue.i.ready.eq(queue.o.ready),
    ]
    queue.elaborate = lambda platform: m
