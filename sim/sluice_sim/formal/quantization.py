"""What is proven of quantization."""

from typing import Any

from amaranth import Cat, Signal, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track

__all__ = ["prove_block_selector", "prove_fake_quantize"]


def prove_fake_quantize(proof: Proof) -> None:
    """Prove the stream rules, and that every beat leaves once on each output, in order.

    What is computed is anything.
    """
    dut: Any = proof.dut
    make = dut.make_unit
    dut.make_unit = lambda: proof.give_anything(make(), "result")
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


def prove_block_selector(proof: Proof) -> None:
    """Prove the stream rules, and that every beat leaves once, in order, whatever is drawn.

    Elements of a beat are all from one input, or all from the other, as its block is not shorter.
    """
    dut: Any = proof.dut
    make = dut.make_unit
    dut.make_unit = lambda: proof.give_anything(make(), "drawn")
    i, q = Source(proof, dut.i), Source(proof, dut.q, name="q")
    add_rules(proof, dut.o)
    one, o = dut.i.payload, dut.o.payload
    leaves = dut.o.valid & dut.o.ready
    add_track(
        proof,
        "i to o",
        [Token(i.taken, Cat(one.keep, one.last))],
        [Token(leaves, Cat(o.keep, o.last))],
        capacity=dut.pipeline.depth,
        quiet=~(i.taken | q.taken) & dut.o.ready,
        ends=False,
    )
    proof.forbid("one input is taken alone", i.taken ^ q.taken)
    for name, value in (("zeros", 0), ("ones", (1 << dut.lanes) - 1)):
        # What both inputs have in common leaves, whichever is chosen.
        always = Signal(name=f"always_{name}", init=1)
        same = Cat(Value.cast(dut.i.payload.data) == value, Value.cast(dut.q.payload.data) == value)
        with proof.module.If(i.taken & ~same.all()):
            proof.module.d.sync += always.eq(0)
        proof.forbid(f"other elements than {name}", always & leaves & (Value.cast(o.data) != value))
