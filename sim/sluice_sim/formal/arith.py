"""What is proven of elementwise arithmetic."""

from typing import Any

from amaranth import Cat, Const, Elaboratable, Module, Signal

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track

__all__ = [
    "prove_accumulate",
    "prove_elementwise",
    "prove_mx_dequantize",
    "prove_mx_quantize",
]


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


class _AnyElement(Elaboratable):
    """Stands for what converts an element; its result is anything."""

    def __init__(self, proof: Proof):
        dut: Any = proof.dut
        self.a, self.scale = Signal(dut.i_beat.element_width), Signal(8)
        self.o = proof.input(dut.o_beat.element_width, "result")

    def elaborate(self, platform: Any) -> Module:
        return Module()


class _AnyScale(Elaboratable):
    """Stands for what finds the scale of a block, which is anything."""

    def __init__(self, proof: Proof):
        dut: Any = proof.dut
        self.a, self.keep = Signal(dut.i_beat.data_bits), Signal(dut.lanes)
        self.valid, self.ends = Signal(), Signal()
        self.o, self.some = proof.input(8, "scale"), proof.input(1, "some")

    def elaborate(self, platform: Any) -> Module:
        return Module()


def prove_mx_dequantize(proof: Proof) -> None:
    """Every beat leaves once, in order, with its packet's end, whatever is computed."""
    dut: Any = proof.dut
    dut.make_unit = lambda: _AnyElement(proof)
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
    dut.make_unit = lambda: _AnyElement(proof)
    dut.make_scan = lambda: _AnyScale(proof)
    Source(proof, dut.i)
    add_rules(proof, dut.o)
    add_rules(proof, dut.o_scale, name="o_scale")
