"""What is proven of elementwise arithmetic."""

from typing import Any

from amaranth import Cat, Const

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track

__all__ = [
    "prove_accumulate",
    "prove_elementwise",
    "prove_mx_dequantize",
    "prove_mx_quantize",
]


def _compute_anything(proof: Proof, *makers: str) -> None:
    """Let what is made by methods of the block, ``make_unit`` if none is named, give anything."""
    for name in makers or ("make_unit",):
        make = getattr(proof.dut, name)
        setattr(proof.dut, name, lambda make=make: proof.give_anything(make(), "result"))


def prove_elementwise(proof: Proof) -> None:
    """Every beat leaves once, in order, with its packet's end, whatever is computed."""
    dut: Any = proof.dut
    _compute_anything(proof)
    first, *others = (Source(proof, getattr(dut, name)) for name in dut.operands)
    add_rules(proof, dut.o)
    beat = getattr(dut, next(iter(dut.operands))).payload
    add_track(
        proof,
        "a to o",
        [Token(first.taken, Cat(beat.keep, beat.last))],
        [Token(dut.o.valid & dut.o.ready, Cat(dut.o.payload.keep, dut.o.payload.last))],
        capacity=dut.pipeline.depth,
        quiet=~Cat(first.taken, *(o.taken for o in others)).any() & dut.o.ready,
        ends=False,
    )


def prove_accumulate(proof: Proof) -> None:
    """Every packet gives one packet of one element, whatever is computed."""
    dut: Any = proof.dut
    _compute_anything(proof)
    first, other = (Source(proof, getattr(dut, name)) for name in dut.operands)
    add_rules(proof, dut.o)
    o = dut.o.payload
    add_track(
        proof,
        "a to o",
        [Token(first.taken & dut.a.payload.last, Const(1, 1))],
        [Token(dut.o.valid & dut.o.ready, o.last & o.keep.all())],
        capacity=dut.pipeline.depth,
        quiet=~(first.taken | other.taken) & dut.o.ready,
        ends=False,
    )


def prove_mx_dequantize(proof: Proof) -> None:
    """Every beat leaves once, in order, with its packet's end, whatever is computed."""
    dut: Any = proof.dut
    _compute_anything(proof)
    source, scale = Source(proof, dut.i), Source(proof, dut.i_scale, name="scale")
    add_rules(proof, dut.o)
    i, o = dut.i.payload, dut.o.payload
    add_track(
        proof,
        "i to o",
        [Token(source.taken, Cat(i.keep, i.last))],
        [Token(dut.o.valid & dut.o.ready, Cat(o.keep, o.last))],
        capacity=dut.pipeline.depth,
        quiet=~(source.taken | scale.taken) & dut.o.ready,
        ends=False,
    )


def prove_mx_quantize(proof: Proof) -> None:
    """Both outputs hold what they offer; that nothing is lost on the way is left to the bench.

    Two queues and a search between input and output are beyond the solver together.
    """
    dut: Any = proof.dut
    _compute_anything(proof, "make_unit", "make_scan")
    proof.alike = True
    Source(proof, dut.i)
    add_rules(proof, dut.o)
    add_rules(proof, dut.o_scale, name="o_scale")
