"""What is proven of the matrix-product engine."""

from typing import Any

from amaranth import Cat, Module, Signal, Value

from sluice.array.command import Kind
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source

__all__ = ["prove_matmul"]


def prove_matmul(proof: Proof) -> None:
    """Prove that the array never works with a tile that is not the one meant.

    For commands of any sizes but none, however they come and whatever holds up the output: what
    is loaded when a vector begins a tile is the tile of that command, along and across, that the
    vector is for; and a tile that waits is not overwritten.
    """
    dut: Any = proof.dut
    m = proof.module
    for name, part in {"array": dut.array, "pipeline": dut.pipeline, **dut.pads}.items():
        proof.give_anything(part, name)
    vectors, weights = dut.vectors, dut.weights
    # A multiplication may begin at any time: the more so when its loads have ended.
    dut.dispatcher.elaborate = lambda platform: Module()
    Source(proof, dut.dispatcher.o[Kind.MULTIPLY], name="command")
    # Nothing to do is no command.
    nothing = Signal()
    counts = (vectors.commands.payload[n] for n in ("vectors", "tiles_k", "tiles_n"))
    m.d.comb += nothing.eq(~Cat(Value.cast(n).any() for n in counts).all())
    ruined = Signal()
    with m.If(vectors.commands.valid & nothing):
        m.d.sync += ruined.eq(1)
    fine = ~ruined & ~(vectors.commands.valid & nothing)

    waiting = Signal()
    read = Cat(weights.left_k.count, weights.left_n.count, weights.last_k)
    loaded = Signal(len(read))
    meant = Cat(vectors.left_k.count, vectors.left_n.count, vectors.now.last_k)
    with m.If(weights.loaded):
        m.d.sync += [waiting.eq(1), loaded.eq(read)]
    with m.Elif(vectors.takes):
        m.d.sync += waiting.eq(0)
    # Said on its own, since it makes the rest easy to prove.
    for name, part in {"a": vectors, "b": weights}.items():
        wrong = [left.last != (left.count == 1) for left in (part.left_k, part.left_n)]
        proof.forbid(f"a count of {name} is taken for one", Cat(wrong))
    proof.forbid("a tile begins before it is loaded", fine & vectors.takes & ~waiting)
    proof.forbid("a tile is used for another", fine & vectors.takes & (loaded != meant))
    overwritten = weights.begins & waiting & ~vectors.takes
    proof.forbid("a tile that waits is overwritten", fine & overwritten)
