"""What is proven of the rounding unit."""

from typing import Any

from amaranth import Const

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track

__all__ = ["prove_rounding"]


def prove_rounding(proof: Proof) -> None:
    """Every element and every end of a packet leaves once, in order; values are for the bench."""
    dut: Any = proof.dut
    source = Source(proof, dut.i)
    add_rules(proof, dut.o)

    def tokens(payload: Any, passes: Any) -> list[Token]:
        # A lane's number stands for its element, so that elements cannot change lanes either.
        lanes = [Token(passes & payload.keep[k], Const(k, 8)) for k in range(dut.lanes)]
        return [*lanes, Token(passes & payload.last, Const(1 << 7, 8))]

    add_track(
        proof,
        "i to o",
        tokens(dut.i.payload, source.taken),
        tokens(dut.o.payload, dut.o.valid & dut.o.ready),
        capacity=dut.latency * (dut.lanes + 1),
        quiet=~dut.i.valid & dut.o.ready,
    )
