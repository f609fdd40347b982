"""What is proven of sums of products whose weights are indices into a table."""

from typing import Any

from amaranth import Cat, Const, Mux, Signal, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, add_rules

__all__ = ["prove_centroid_dot", "prove_centroid_matmul"]


# Within as many cycles a small block gives the results of all packets that it holds.
_QUIET = 31


def prove_centroid_dot(proof: Proof) -> None:
    """Prove the stream rules of the output, and what the block lets in.

    No packet that has no place for its result, and none with another table before one has come; and
    each packet has one result, in time. Numbers are left to the bench, and are zero here.
    """
    dut: Any = proof.dut
    m = proof.module
    dut.multiply = lambda *_: Const(0, 32)
    # With all the cycles of a product there would be too much on its way to be proven, and so there
    # would be with more places for results.
    dut.sums_late = lambda _: 0
    dut.packets = 4
    proof.alike = True
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
    proof.forbid("more packets than there is room for", results > dut.packets)
    # Cycles since a beat was taken, or a result held up; both banks may have to be cleared first.
    quiet = Signal(range(_QUIET + 1))
    with m.If(i.taken | ~dut.o.ready):
        m.d.sync += quiet.eq(0)
    with m.Elif(quiet != _QUIET):
        m.d.sync += quiet.eq(quiet + 1)
    proof.forbid("a packet has no result", (quiet == _QUIET) & results.any())
    proof.forbid("another shape", dut.o.valid & ~Cat(dut.o.payload.keep, dut.o.payload.last).all())


def prove_centroid_matmul(proof: Proof) -> None:
    """Prove the stream rules of the output, and that no product is of another matrix or vector.

    A matrix is read when all its rows have come, by the command that it came with and those behind
    it, and not written meanwhile; so is a vector, as often as it has lines, and these have as many
    beats as the command says. Where a row of results ends is known before there is a result. The
    sums may do anything that theirs does, and the scratchpad and the pipeline anything at all.
    """
    dut: Any = proof.dut
    m = proof.module
    proof.alike = True
    for name in ("dot", "pad", "pipeline"):
        proof.give_anything(getattr(dut, name), name)
    x, indices = Source(proof, dut.x, name="x"), Source(proof, dut.indices, name="indices")
    Source(proof, dut.command, name="command")
    walk, load, dot = dut.walk, dut.load, dut.dot
    goes = walk.offers & walk.room

    # Rows of the matrix that are still to come, and the counts of the command that it came with.
    bits = dut.count_bits + 1
    rows, columns, to_come = (Signal(bits, name=n) for n in ("rows", "columns", "to_come"))
    given = load.commands.payload
    with m.If(load.commands.valid & load.commands.ready & given.fresh):
        m.d.sync += [
            rows.eq(given.last_row + 1),
            columns.eq(given.last_column + 1),
            to_come.eq(given.last_row + 1),
        ]
    with m.If(indices.taken & dut.indices.payload.last):
        m.d.sync += to_come.eq(to_come - 1)

    # Beats of a line and lines of a vector, by the command under way.
    said, levels = walk.commands.payload, walk.levels
    turned, length, many = Signal(), Signal(bits), Signal(bits)
    inner = Mux(said.transpose, said.last_column, said.last_row)
    with m.If(walk.commands.valid & walk.commands.ready):
        m.d.sync += [
            turned.eq(said.transpose),
            length.eq((inner >> levels) + 1),
            many.eq(Mux(said.transpose, said.last_row, said.last_column) + 1),
        ]
    another = many != Mux(turned, rows, columns)
    proof.forbid("a matrix is used too soon", walk.takes & (~load.loaded | to_come.any()))
    proof.forbid("a matrix is used by another command", walk.takes & another)
    proof.forbid("a row comes when there is a matrix", indices.taken & load.loaded)
    proof.forbid("a row is written when there is a matrix", load.en & load.loaded)
    proof.forbid("the matrix that is read is written", load.en & (load.to_block[-1] == load.half))

    # Vectors by their numbers: that of each bank, that of the next one, and the one that is read.
    come, read = Signal(2), Signal(2)
    m.d.sync += [
        come.eq(come + (x.taken & dut.x.payload.last)),
        read.eq(read + walk.leaves),
    ]
    ahead = Signal(2)
    m.d.comb += ahead.eq(come - read)
    proof.forbid("a vector is read before it is there", goes & ~ahead.any())
    proof.forbid("a vector is written that is read", x.taken & ahead[1])

    # Beats of the line, and lines of the vector, that are still to come.
    beats, lines = Signal(bits), Signal(bits)
    with m.If(goes):
        m.d.sync += beats.eq(Mux(walk.last, length, beats - 1))
        with m.If(walk.last):
            m.d.sync += lines.eq(Mux(walk.ends, many, lines - 1))
    with m.If(~walk.runs):
        m.d.sync += [beats.eq(length), lines.eq(many)]
    proof.forbid("a line of another length", goes & (walk.last != (beats == 1)))
    proof.forbid("a row of another length", goes & (walk.ends != (lines == 1)))

    # Packets of the sums whose results have not left, and those of two cycles ago.
    packets, waiting = Signal(3), Signal()
    enters = dot.i.valid & dot.i.ready & dot.i.payload.last
    left = dot.o.valid & dot.o.ready
    m.d.sync += packets.eq(packets + enters - left)
    late = [Signal(name=f"entered_{k}") for k in range(2)]
    m.d.sync += [late[0].eq(enters), late[1].eq(late[0])]
    held = Signal(len(Value.cast(dot.o.payload)))
    m.d.sync += [waiting.eq(dot.o.valid & ~dot.o.ready), held.eq(Value.cast(dot.o.payload))]
    proof.suppose(~waiting | (dot.o.valid & (Value.cast(dot.o.payload) == held)))
    proof.suppose(~enters | (packets < 4))
    proof.suppose(~dot.o.valid | (packets > late[0] + late[1]))
    add_rules(proof, dut.o)
    proof.forbid("a result has no end", dut.o.valid & ~dut.ends.o.valid)
