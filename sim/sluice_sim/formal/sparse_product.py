"""What is proven of the blocks that find pairs without a zero in them."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value

from sluice.arith.flow import Flow
from sluice.sparsity.ranks import POSITION_STEPS, add_positions, add_ranks, groups_of, rank_steps
from sluice.stream import Pipeline
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track

__all__ = ["prove_sparse_matmul", "prove_sparsity_decoder"]


def prove_sparsity_decoder(proof: Proof) -> None:
    """Prove that positions are those of the set bits, and of contexts of 4 the stream rules.

    Of any vector, the positions of every step are the next ones that are set, lane by lane, and
    there are as many steps as it takes. Every step that is taken leaves once, in order, and ends
    its packet if it did.
    """
    dut: Any = proof.dut
    if dut.context > 4:
        _forbid_wrong_positions(proof, dut.context, dut.lanes)
        return
    Source(proof, dut.a, name="a")
    Source(proof, dut.b, name="b")
    # In place of the unit, what keeps its step until it may go, and finds its positions at once.
    unit, o, m = dut.unit, dut.o, Module()
    dut.pipeline = Pipeline(i_shape=dut.pipeline.i_shape, o_shape=dut.step, stages=0)
    last = proof.input(1, "last")
    taken = unit.offers & unit.go
    m.d.sync += unit.offers.eq(proof.input(1, "step") | (unit.offers & ~unit.go))
    m.d.comb += [
        unit.room.eq(proof.input(1, "room")),
        Cat(unit.o.valid, unit.o.last).eq(Cat(taken, last)),
    ]
    unit.elaborate = lambda platform: m
    add_rules(proof, o)
    add_track(
        proof,
        "steps to o",
        [Token(taken, last)],
        [Token(o.valid & o.ready, o.payload.last)],
        capacity=dut.pipeline.depth,
        quiet=~taken & o.ready,
        ends=False,
    )


def _forbid_wrong_positions(proof: Proof, context: int, lanes: int) -> None:
    """State that in any step of any vector, lanes have the positions of the bits of their ranks."""
    m = proof.module
    ranks: Any = Flow(m, steps=rank_steps(context, 1), stages=0)
    bits = proof.input(context, "vector")
    add_ranks(ranks, bits, context=context, lanes=lanes, vectors=1)
    digits = (lanes - 1).bit_length()
    step = proof.input(max(1, (context - 1).bit_length() - digits), "step")
    flow: Any = Flow(m, steps=POSITION_STEPS, stages=0)
    below = [
        getattr(ranks, f"below_0_{g}") if g else Const(0, 1) for g in range(groups_of(context))
    ]
    add_positions(flow, bits, below, step, lanes=lanes, vectors=1)
    counts: list[Value] = [Const(0, 1)]
    for k in range(context):
        counts.append((counts[-1] + bits[k])[: (k + 1).bit_length()])
    width = (context - 1).bit_length()
    for lane in range(lanes):
        wanted = Cat(Const(lane, digits), step)
        hits = [bits[k] & (counts[k] == wanted) for k in range(context)]
        at = flow.positions[lane * width : (lane + 1) * width]
        wrong = [hit & (at != k) for k, hit in enumerate(hits)]
        proof.forbid(f"lane {lane}: another position", Cat(wrong).any())
        proof.forbid(f"lane {lane}: not as found", flow.found[lane] != Cat(hits).any())
    most = Cat(ranks.most_0, Const(0, 1))
    more = (most + 1 << digits) < counts[-1]
    proof.forbid("too few steps", more)
    proof.forbid("too many steps", bits.any() & ((most << digits) >= counts[-1]))
    proof.forbid("nothing there", ranks.any_0 != bits.any())


def prove_sparse_matmul(proof: Proof) -> None:
    """Prove the stream rules, and what keeps one product from another, whatever groups do.

    Groups are replaced by anything that holds its sums, and gives none that it was not asked for.
    Weights are written only while no row is on the way, and for the right element; a context is
    given only where every group has room; and no more rows are on the way than sums have places.
    """
    dut: Any = proof.dut
    m = proof.module
    for name, input_stream in (("a", dut.a), ("b", dut.b), ("command", dut.command)):
        Source(proof, input_stream, name=name)
    rows = Signal(range(dut.results + 2))
    ends = Signal()
    for k, group in enumerate(dut.groups):
        proof.give_anything(group, f"group_{k}")
        o = group.o
        # Rows that this group has been given, and whose sums it has not.
        asked, waiting = Signal(range(dut.results + 2), name=f"asked_{k}"), Signal(name=f"kept_{k}")
        held = Signal(len(Value.cast(o.payload)), name=f"held_{k}")
        m.d.sync += [waiting.eq(o.valid & ~o.ready), held.eq(Value.cast(o.payload))]
        proof.suppose(~waiting | (o.valid & (Value.cast(o.payload) == held)))
        proof.suppose(~o.valid | asked.any())
        m.d.sync += asked.eq(asked + ends - (o.valid & o.ready))
        proof.forbid(f"group {k}: given without room", group.valid & ~group.room)
        proof.forbid(f"group {k}: weights written while it works", group.load.any() & asked.any())
        proof.forbid(f"group {k}: too many rows", asked > dut.results)
    m.d.comb += ends.eq(dut.admits & dut.ends)
    left = dut.o.valid & dut.o.ready
    m.d.sync += rows.eq(rows + ends - left)
    proof.forbid("weights written while rows are on the way", dut.writes & rows.any())
    proof.forbid("weights of two elements", (dut.writes & dut.admits))
    add_rules(proof, dut.o)
