"""What is proven of the row merger."""

from typing import Any

from amaranth import Array, Cat, Const, Mux, Signal, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track
from sluice_sim.golden.row_merge import merge_order

__all__ = ["prove_row_merge"]

# Matrices that are looked at: any number of rows up to this one.
MOST = 3


def prove_row_merge(proof: Proof) -> None:
    """Prove the stream rules, and: what comes out is the prefixes, in order, with their marks.

    Packets of any length come in. Which of their elements belong to a prefix, and where a merged
    row ends, is read from tables made by the golden model, for any one number of rows up to three:
    that has every part a row can play, and the bench has every number of them. Of each element one
    bit is followed, since no circuit tells its bits apart; the stream rules are about all of them.
    """
    proof.alike = True
    dut: Any = proof.dut
    m = proof.module
    source = Source(proof, dut.i)
    most = min(MOST, (1 << dut.index_bits) - 1)
    free = proof.input(range(most), "rows")
    start, fixed, rows = Signal(init=1), Signal(range(most + 1)), Signal(range(most + 1))
    m.d.sync += [start.eq(0), fixed.eq(rows)]
    m.d.comb += rows.eq(Mux(start, Mux(free < most, free, 0) + 1, fixed))
    proof.drive(dut.config, rows)

    sizes, closings, seconds = [], [], []
    for n in range(most + 1):
        order = merge_order(max(1, n))
        flat = [(r, k, len(s)) for s in order for k, r in enumerate(s)]
        flat += [flat[-1]] * (most - len(flat))
        sizes.append(Array(r + 1 for r, _, _ in flat))
        closings.append(Array(int(k + 1 == many) for _, k, many in flat))
        seconds.append(Array(int(k == 1) for _, k, _ in flat))
    row, place = Signal(range(most + 1)), Signal(range(most + dut.lanes + 1))
    size, closes, second = Signal(range(most + 1)), Signal(), Signal()
    m.d.comb += [
        size.eq(Array(sizes)[rows][row]),
        closes.eq(Array(closings)[rows][row]),
        second.eq(Array(seconds)[rows][row]),
    ]
    beat = dut.i.payload
    behind = Signal(range(most + 2 * dut.lanes + 1))
    m.d.comb += behind.eq(place + sum((bit for bit in list(beat.keep)), Const(0, 1)))
    with m.If(source.taken):
        m.d.sync += place.eq(Mux(beat.last, 0, Mux(behind > size, size, behind)))
        with m.If(beat.last):
            m.d.sync += row.eq(Mux(row + 1 == rows, 0, row + 1))
    ends = closes & (place < size) & ((behind >= size) | beat.last)

    def entering(word: Any) -> list[Token]:
        found = [
            Token(source.taken & beat.keep[k] & (place + k < size), Cat(word(k), Const(0, 1)))
            for k in range(dut.lanes)
        ]
        return [*found, Token(source.taken & ends, Const(0b10, 2))]

    def leaving(o: Any) -> list[Token]:
        moves = o.valid & o.ready
        found = [
            Token(moves & o.payload.keep[k], Cat(Value.cast(o.payload.data[k])[0], Const(0, 1)))
            for k in range(dut.lanes)
        ]
        return [*found, Token(moves & o.payload.last, Const(0b10, 2))]

    quiet = ~dut.i.valid & dut.o.ready & dut.o_mark.ready
    for name, o, word in (
        ("o", dut.o, lambda k: Value.cast(beat.data[k])[0]),
        ("o_mark", dut.o_mark, lambda k: second),
    ):
        add_rules(proof, o, name=name)
        full = o.payload.keep.all()
        proof.forbid(f"{name}: a lane is wasted", o.valid & ~o.payload.last & ~full)
        if name == "o_mark" and dut.lanes > 1:
            # Both outputs have the same beats; to follow both takes longer than a test may.
            continue
        add_track(
            proof,
            f"i to {name}",
            entering(word),
            leaving(o),
            capacity=4 * (dut.lanes + 1),
            quiet=quiet,
        )
    proof.forbid("the input waits for the output", dut.i.valid & ~dut.i.ready & quiet_outputs(dut))


def quiet_outputs(dut: Any) -> Value:
    """Return whether every output is ready."""
    return dut.o.ready & dut.o_mark.ready
