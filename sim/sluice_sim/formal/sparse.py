"""What is proven of what encodes sparse matrices and multiplies by them."""

from typing import Any

from amaranth import Cat, Const, Mux, Signal, Value

from sluice.delay import delay
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source

__all__ = ["prove_sparse_encoder", "prove_sparse_times_dense", "prove_sparse_update"]


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
        return delay(m, name, value, cycles, reset=True)

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


def prove_sparse_update(proof: Proof) -> None:
    """Prove that no place of the weights is read while it is about to be written, and all are.

    Any one place is followed: it is written a fixed time after each beat that is for it, if there
    is such a row, and no other beat for it is let in meanwhile. The handshake of the output is that
    of the pipeline, whose rules are those of its queue, and that of the input a skid buffer's.
    """
    dut: Any = proof.dut
    m = proof.module
    Source(proof, dut.i)
    Source(proof, dut.row, name="row")
    for k, unit in enumerate(dut.units):
        proof.give_anything(unit, f"unit_{k}")
    pipeline = proof.give_anything(dut.pipeline, "pipeline")
    comes = pipeline.entry_valid
    proof.suppose(~comes | pipeline.i.valid)
    proof.suppose(Value.cast(pipeline.entry) == Value.cast(pipeline.i.payload))
    late = delay(m, "comes", comes, dut.loop, reset=True)
    proof.suppose(pipeline.result_valid == late)
    followed = proof.choose(range(dut.places), "followed")
    # Cycles until the place is written.
    left, fits = Signal(range(dut.loop + 1)), Signal()
    mine = comes & (Value.cast(pipeline.entry.at) == followed)
    with m.If(mine):
        m.d.sync += [left.eq(dut.loop), fits.eq(pipeline.entry.fits)]
    with m.Elif(left.any()):
        m.d.sync += left.eq(left - 1)
    writes = dut.writes & (dut.writes_at == followed)
    proof.forbid("a place is read before it is written", mine & left.any())
    proof.forbid("a place is not written in time", (left == 1) & fits & ~writes)
    proof.forbid("a place is written that nothing was for", writes & ~((left == 1) & fits))
