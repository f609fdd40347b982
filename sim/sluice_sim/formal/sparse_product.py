"""What is proven of the blocks that find pairs without a zero in them."""

from typing import Any

from amaranth import Cat, Const, Module, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_track

__all__ = ["prove_sparsity_decoder"]


def prove_sparsity_decoder(proof: Proof) -> None:
    """Prove the stream rules, and: positions that come out are those of the pairs, in order.

    None is lost, doubled or changed, and every packet ends where it did. In place of the pipeline,
    whose rules are those of its queue, there are wires: steps go whenever they may, and come out
    as they are found.
    """
    dut: Any = proof.dut
    _let_go(proof, dut)
    Source(proof, dut.a, name="a")
    Source(proof, dut.b, name="b")
    a, b, o = dut.a, dut.b, dut.o
    taken = a.valid & a.ready
    bits = Value.cast(a.payload.data) & Value.cast(b.payload.data)
    bits = bits & a.payload.keep & b.payload.keep
    width = (dut.context - 1).bit_length()
    end = Const(1 << width, width + 1)
    entering = [Token(taken & bits[k], Const(k, width + 1)) for k in range(dut.context)]
    passes = o.valid
    leaving = [
        Token(passes & o.payload.found[k], Cat(o.payload.positions[k], Const(0, 1)))
        for k in range(dut.lanes)
    ]
    add_track(
        proof,
        "pairs to steps",
        [*entering, Token(taken & a.payload.last, end)],
        [*leaving, Token(passes & o.payload.last, end)],
        capacity=(dut.context + 1) * (dut.places + dut.unit.lag),
        quiet=Const(0),
    )
    found = o.payload.found
    proof.forbid("a lane is left out", o.valid & (found & ~Cat(Const(1, 1), found)).any())
    proof.forbid("a step in vain", o.valid & ~found.any() & ~o.payload.last)
    proof.forbid("a step is not full", o.valid & ~found.all() & ~o.payload.done)


def _let_go(proof: Proof, dut: Any) -> None:
    """Put in the place of the decoder's pipeline what takes steps at any time."""
    pipeline, m = dut.pipeline, Module()
    m.d.comb += [
        pipeline.i.ready.eq(proof.input(1, "go")),
        pipeline.o.valid.eq(dut.unit.o.valid),
        pipeline.o.payload.eq(pipeline.result),
    ]
    pipeline.elaborate = lambda platform: m
