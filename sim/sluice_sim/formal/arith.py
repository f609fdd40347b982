"""What is proven of elementwise arithmetic."""

from typing import Any

from amaranth import Cat, Const, Elaboratable, Module, Signal

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track

__all__ = ["prove_accumulate", "prove_elementwise"]


class _AnyResult(Elaboratable):
    """Stands for the unit of a lane; its result is anything."""

    def __init__(self, proof: Proof):
        dut: Any = proof.dut
        for name, beat in dut.beats.items():
            setattr(self, name, Signal(beat.element_width))
        self.o = proof.input(dut.o_beat.element_width, "result")
        self.random, self.random_lead = Signal(getattr(dut, "random_bits", 0)), 0

    def elaborate(self, platform: Any) -> Module:
        return Module()


def prove_elementwise(proof: Proof) -> None:
    """Every beat leaves once, in order, with its packet's end, whatever is computed."""
    dut: Any = proof.dut
    dut.make_unit = lambda: _AnyResult(proof)
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


class _AnySum(Elaboratable):
    """Stands for the datapath of exact accumulation; its result is anything."""

    def __init__(self, proof: Proof):
        dut: Any = proof.dut
        for name, beat in dut.beats.items():
            setattr(self, name, Signal(beat.data_bits))
        self.keep, self.valid, self.last = Signal(dut.lanes), Signal(), Signal()
        self.o = proof.input(dut.o_beat.element_width, "result")
        self.overflow = Signal()

    def elaborate(self, platform: Any) -> Module:
        return Module()


def prove_accumulate(proof: Proof) -> None:
    """Every packet gives one packet of one element, whatever is computed."""
    dut: Any = proof.dut
    dut.make_unit = lambda: _AnySum(proof)
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
