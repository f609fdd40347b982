"""What is proven of optimizers."""

from typing import Any

from amaranth import Cat, Signal, Value
from amaranth.lib import stream

from sluice.optimizer.burst_reader import BurstReader
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, add_rules, open_up, track_queue

__all__ = ["prove_optimizer", "prove_streamed_optimizer"]

_SMALL = {"burst": 2, "address_bits": 1, "beat_bits": 2}


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


def prove_streamed_optimizer(proof: Proof) -> None:
    """Prove that no layer is read where another one is still to be written, and the streams' rules.

    What reads is looked at apart from the rest. What writes is beyond the solver, and so are layers
    of several beats: these are left to the bench.
    """
    dut: Any = proof.dut
    reader, writer = dut.make_reader(), dut.make_writer()
    dut.make_reader = lambda: proof.give_anything(reader, "reader")
    dut.make_writer = lambda: proof.give_anything(writer, "writer")
    # What is between them says when it likes that a layer's gradients have been.
    verdicts = stream.Signature(dut.verdict_layout).create()
    Source(proof, verdicts, name="verdicts")
    dut._sum = lambda m, frames: None
    dut._step = lambda m, *others: verdicts
    _prove_layers(proof, reader, writer)
    _prove_reader(proof)


def _prove_layers(proof: Proof, reader: Any, writer: Any) -> None:
    """Follow any one layer that writes any one address, until it is written."""
    dut: Any = proof.dut
    m = proof.module
    command = Source(proof, dut.command, name="command")
    asked: Any = dut.command.payload
    last = (asked.count - 1) >> dut.shift
    # Nobody sends a layer that is empty, or one that goes around the end of the addresses.
    for at in (asked.w, (asked.w + asked.offset)[: dut.address_bits]):
        proof.suppose(~command.taken | (at + last < 1 << dut.address_bits))
    proof.suppose(~command.taken | (asked.count != 0))
    add_rules(proof, dut.report, name="report")

    goes = reader.i.valid & reader.i.ready
    ended = writer.done.valid & writer.done.ready
    proof.forbid("one begins and the other does not", goes ^ (writer.i.valid & writer.i.ready))
    layers, ahead, follows = Signal(4), Signal(4), Signal()
    proof.suppose(~writer.done.valid | layers.any())
    m.d.sync += layers.eq(layers + goes - ended)
    proof.forbid("more layers than places", goes & (layers == 4))

    address = proof.choose(dut.address_bits, "address")
    pick = proof.input(1, "pick")
    spans = [part.i.payload for part in (reader, writer)]
    reads, writes = (_covers(span, address) for span in spans)
    with m.If(~follows & goes & pick & writes):
        m.d.sync += [follows.eq(1), ahead.eq(layers + 1 - ended)]
    with m.Elif(follows & ended):
        m.d.sync += [ahead.eq(ahead - 1), follows.eq(ahead != 1)]
    proof.forbid("what is to be written is read", follows & goes & reads)


def _covers(span: Any, address: Value) -> Value:
    at = Value.cast(span.at[0])
    return (at <= address) & (address < at + span.beats)


def _prove_reader(proof: Proof) -> None:
    """State the rules of what asks; that there is room for what comes is left to the bench."""
    part = BurstReader(arrays=2, width=1, **_SMALL)
    proof.module.submodules.reads = part
    for name in ("i", "come"):
        Source(proof, getattr(part, name), name=f"reader_{name}")
    for name, o in (("request", part.request), *((f"o_{k}", o) for k, o in enumerate(part.o))):
        proof.drive(o.ready, proof.input(1, f"reader_{name}_ready"))
        add_rules(proof, o, name=f"reader_{name}")
