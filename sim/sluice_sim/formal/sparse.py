"""What is proven of what encodes sparse matrices and multiplies by them."""

from typing import Any

from amaranth import Cat, Const, Mux, Signal, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source

__all__ = ["prove_sparse_encoder", "prove_sparse_times_dense"]


def prove_sparse_times_dense(proof: Proof) -> None:
    """Prove that sums are read and written as if each step took no time, and none is lost.

    Whatever the rows and the places are, and the commands, if they have no more rows of sums than
    there are: a word of sums that a step reads is written a fixed time later, and until then no
    other step reads it. What is read is therefore what all steps before have made of it. Results
    never find the queue full, so that its rules, which are proven of it, are those of the output.
    """
    dut: Any = proof.dut
    m = proof.module
    for name in ("command", "a", "place", "d"):
        Source(proof, getattr(dut, name), name=name)
    waited = Signal()
    m.d.sync += waited.eq(dut.o.valid & ~dut.o.ready)
    proof.forbid("o: valid dropped before ready", waited & ~dut.o.valid)
    sums, command = dut.store, dut.command
    proof.give_anything(dut.load, "load")
    sums.mac.add = lambda module, **_: proof.input(sums.mac.total.width, "total")
    proof.suppose(~command.valid | (command.payload.o_rows <= dut.sums))
    pending = [
        (Signal(name=f"reads_{k}"), Signal.like(sums.reads_at, name=f"reads_{k}_at"))
        for k in range(sums.loop - 1)
    ]
    reads, at = sums.reads, sums.reads_at
    for read, was in pending:
        m.d.sync += [read.eq(reads), was.eq(at)]
        reads, at = read, was
    again = Cat(read & (was == sums.reads_at) for read, was in pending)
    proof.forbid("a sum is read before it is written", sums.reads & again.any())
    wrong = reads & ~(sums.writes & (sums.writes_at == at))
    proof.forbid("a sum that was read is not written in time", wrong)
    proof.forbid("a word is written that was not read", sums.writes & ~reads)
    full = sums.queue.level == sums.depth
    proof.forbid("a result finds the queue full", sums.queue.i.valid & full)


def prove_sparse_encoder(proof: Proof) -> None:
    """Prove that a word of the bitmap is written with the marks that were there, and a new one.

    That is so however close indices of a word come to each other: what was there is what was read,
    and what was written after that, but for a word that was read while it was written, which may
    be anything. An index is written a fixed time after it was taken, if there is such a column. The
    outputs are those of pipelines, whose rules are those of their queues.
    """
    dut: Any = proof.dut
    m = proof.module
    Source(proof, dut.i)
    Source(proof, dut.again, name="again")
    for name in ("found", "numbers", "places"):
        proof.give_anything(getattr(dut, name), name)

    def before(value: Any, cycles: int, name: str) -> Value:
        for k in range(cycles):
            later = Signal(len(value), name=f"{name}_{k}")
            m.d.sync += later.eq(value)
            value = later
        return value

    index = Value.cast(dut.i.payload.data)
    takes = dut.i.valid & dut.i.ready & dut.i.payload.keep[0] & (index < dut.columns)
    proof.forbid("an index is not written in time", before(takes, 4, "takes") != dut.writes)
    taken = before(index, 4, "taken")
    wrong_word = dut.writes_at != taken[dut.low :]
    proof.forbid("another word is written", dut.writes & wrong_word)
    marks: Value = Const(1) << taken[: dut.low]
    there = before(dut.bits, 1, "bits")
    for k in (3, 2, 1):
        same = before(dut.writes, k, f"writes_{k}") & (
            before(dut.writes_at, k, f"writes_at_{k}") == dut.writes_at
        )
        written = before(dut.marked, k, f"written_{k}")
        there = Mux(same, written if k == 3 else there | written, there)
    proof.forbid("a mark is lost or made up", dut.writes & (dut.marked != (there | marks)))
