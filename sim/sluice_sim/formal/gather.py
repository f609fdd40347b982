"""What is proven of sums of products whose weights are indices into a table."""

from typing import Any

from amaranth import Cat, Const, Signal

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, add_rules

__all__ = ["prove_centroid_dot"]


def prove_centroid_dot(proof: Proof) -> None:
    """Prove the stream rules of the output, and what the block lets in.

    No packet that has no place for its result, and none with another table before one has come; and
    no result comes without a packet. Numbers are left to the bench, and are zero here.
    """
    dut: Any = proof.dut
    m = proof.module
    dut._multiply = lambda *_: Const(0, 32)
    # With all the cycles of a product there would be too much on its way to be proven.
    dut._sums_late = lambda _: 0
    i = Source(proof, dut.i)
    Source(proof, dut.indices, name="indices")
    table = Source(proof, dut.table, name="table")
    add_rules(proof, dut.o)
    results = Signal(4)
    ends = i.taken & dut.i.payload.last
    left = dut.o.valid & dut.o.ready
    m.d.sync += results.eq(results + ends - left)
    # Tables that have come, and were not asked for.
    tables = Signal(3)
    settings = i.settings(proof, dut.config)
    asks = i.taken & i.first & settings.fresh
    comes = table.taken & dut.table.payload.last
    m.d.sync += tables.eq(tables + comes - asks)
    proof.forbid("a packet has no table", asks & ~tables.any())
    proof.forbid("a result comes without a packet", left & ~results.any())
    proof.forbid("more packets than there is room for", results > 4)
    proof.forbid("another shape", dut.o.valid & ~Cat(dut.o.payload.keep, dut.o.payload.last).all())
