"""What is proven of optimizers."""

from typing import Any

from amaranth import Cat, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, add_rules, open_up, track_queue

__all__ = ["prove_optimizer"]


def prove_optimizer(proof: Proof) -> None:
    """Prove that streams are taken together, with settings that hold, and each output's rules.

    What is computed is anything, and the pipeline takes and gives beats when it likes.
    """
    dut: Any = proof.dut
    make = dut.make_unit
    dut.make_unit = lambda: proof.give_anything(make(), "result")
    pipeline = dut.pipeline
    queue = open_up(proof, pipeline)
    first, *others = (Source(proof, getattr(dut, n), name=n) for n in dut.operands)
    settings = Value.cast(first.settings(proof, dut.config))
    for name, other in zip(dut.operands[1:], others, strict=True):
        proof.forbid(f"{name} is taken without g, or left", other.taken ^ first.taken)
        entered = Value.cast(pipeline.entry[name])
        payload = Value.cast(getattr(dut, name).payload)
        proof.forbid(f"another beat of {name}", first.taken & (entered != payload))
    proof.forbid("a beat comes from nowhere", pipeline.entry_valid ^ first.taken)
    entered = Value.cast(pipeline.entry.settings)
    proof.forbid("other settings", first.taken & (entered != settings))
    come: Any = pipeline.o.payload
    for name in dut.outputs:
        o = getattr(dut, name)
        add_rules(proof, o, name=name)
        track_queue(proof, queue, Cat(come[name], come.keep, come.last), o, name)
