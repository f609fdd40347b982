"""What is proven of elementwise arithmetic."""

from typing import Any

from amaranth import Cat, Const

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track

__all__ = ["prove_elementwise"]


def prove_elementwise(proof: Proof) -> None:
    """Every element and every end of a packet leaves once, in order; values are for the bench."""
    dut: Any = proof.dut
    first, *others = (Source(proof, getattr(dut, name)) for name in dut.operands)
    add_rules(proof, dut.o)
    beat = getattr(dut, next(iter(dut.operands)))

    def tokens(payload: Any, passes: Any) -> list[Token]:
        lanes = [Token(passes & payload.keep[k], Const(k, 8)) for k in range(dut.lanes)]
        return [*lanes, Token(passes & payload.last, Const(1 << 7, 8))]

    add_track(
        proof,
        "a to o",
        tokens(beat.payload, first.taken),
        tokens(dut.o.payload, dut.o.valid & dut.o.ready),
        capacity=dut.pipeline.depth * (dut.lanes + 1),
        quiet=~Cat(first.taken, *(o.taken for o in others)).any() & dut.o.ready,
    )
