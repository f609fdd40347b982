"""What is proven of what encodes sparse matrices and multiplies by them."""

from typing import Any

from amaranth import Cat, Mux, Signal, Value

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
    """Prove that the bitmap is what a plain set would be, however close marks of a word come.

    A column is picked. When its word is read, its bit is set if and only if the column came since
    its word was read last. The outputs are those of pipelines, whose rules are those of their
    queues.
    """
    dut: Any = proof.dut
    m = proof.module
    Source(proof, dut.i)
    Source(proof, dut.again, name="again")
    # What is made of the words is of no account.
    for name in ("numbers", "places"):
        proof.give_anything(getattr(dut, name), name)
    start, held = Signal(init=1), Signal(range(dut.columns))
    free = proof.input(range(dut.columns), "column")
    column, seen = Signal(range(dut.columns)), Signal()
    m.d.sync += [start.eq(0), held.eq(column)]
    m.d.comb += column.eq(Mux(start, Mux(free < dut.columns, free, 0), held))
    i = dut.i
    index = Value.cast(i.payload.data)
    comes = i.valid & i.ready & i.payload.keep[0] & (index == column)
    reads = dut.found.entry_valid & (dut.found.entry == column[dut.low :])
    with m.If(reads):
        m.d.sync += seen.eq(0)
    with m.Elif(comes):
        m.d.sync += seen.eq(1)
    proof.forbid("a column comes while the bitmap is read", comes & reads)
    # The word is in its register when it has passed the memory's.
    expected, read = seen, reads
    for k in range(2):
        expected_then, read_then = Signal(name=f"expected_{k}"), Signal(name=f"read_{k}")
        m.d.sync += [expected_then.eq(expected), read_then.eq(read)]
        expected, read = expected_then, read_then
    bit = dut.bits.bit_select(column[: dut.low], 1)
    proof.forbid("a bit is not what it must be", read & (bit != expected))
