"""What is proven of the masking circuit."""

from typing import Any

from amaranth import Cat, Const, Mux, Signal, Value

from sluice.masking import Alternative, Kind
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import add_rules, add_track, tokens_of

__all__ = ["prove_masking"]

# Elements that the mask stream may be ahead of the data, plus those inside the circuit.
ROOM = 15


def prove_masking(proof: Proof) -> None:
    """Nothing is lost, changed or reordered, and every bit meets the element it belongs to.

    Without a mask stream, a mask that passes everything must give what went in. With one, rows of
    any one length enter on both streams, each stalled at will, and any one bit may be picked: the
    element with the same number must come out if the bit is set, and as zero if it is not.
    """
    dut: Any = proof.dut
    kind = Kind.EXTERNAL if dut.external else Kind.ALL
    term = {"kind": kind.value, "operation": 0, "invert": 0, "a": 0, "b": 0}
    config = {
        "rows": 0,
        "alternative": Alternative.ZERO.value,
        "value": 0,
        "terms": [term] * dut.terms,
    }
    proof.drive(dut.config, dut.config.shape().const(config))
    outputs = [dut.o, dut.o_mask] if dut.mask_output else [dut.o]
    for k, stream in enumerate(outputs):
        add_rules(proof, stream, name=("o", "o_mask")[k])
    if dut.external:
        _follow_bit(proof, dut)
        return
    columns = _any_length(proof)
    _row_source(proof, dut.i, columns, "data")
    taken, moves = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
    add_track(
        proof,
        "i to o",
        tokens_of(dut.i.payload, taken),
        tokens_of(dut.o.payload, moves),
        capacity=3 * (dut.lanes + 1),
        quiet=~dut.i.valid & Cat(o.ready for o in outputs).all(),
    )


def _any_length(proof: Proof) -> Value:
    """Return a row length that may be anything, and stays what it was in the first cycle."""
    m = proof.module
    free = proof.input(2, "columns")
    start, fixed, columns = Signal(init=1), Signal(3), Signal(3)
    m.d.sync += [start.eq(0), fixed.eq(columns)]
    m.d.comb += columns.eq(Mux(start, free + 1, fixed))
    return columns


def _row_source(proof: Proof, stream: Any, columns: Value, name: str) -> Value:
    """Drive a stream with rows of ``columns`` elements; return how many enter in this cycle."""
    m = proof.module
    beat = stream.payload.shape()
    width = len(columns)
    waiting, held = Signal(name=f"{name}_waiting"), Signal(beat.data_bits, name=f"{name}_held")
    done = Signal(width, name=f"{name}_done")
    valid = proof.input(1, f"{name}_valid")
    # One free bit per element is enough to tell one from another, and makes the proof small.
    bits = proof.input(beat.lanes, f"{name}_data")
    data = Cat(Cat(bits[k], Const(0, beat.element_width - 1)) for k in range(beat.lanes))
    left, count = Signal(width + 1), Signal(width + 1)
    last = Signal()
    m.d.comb += [
        left.eq(columns - done),
        last.eq(left <= beat.lanes),
        count.eq(Mux(last, left, beat.lanes)),
    ]
    keep = Cat(count > k for k in range(beat.lanes))
    proof.drive(stream.valid, valid | waiting)
    proof.drive(stream.payload, Cat(Mux(waiting, held, data), keep, last))
    m.d.sync += [
        waiting.eq(stream.valid & ~stream.ready),
        held.eq(Cat(Value.cast(element) for element in stream.payload.data)),
    ]
    moves = stream.valid & stream.ready
    with m.If(moves):
        m.d.sync += done.eq(Mux(last, 0, done + count))
    return Mux(moves, count, 0)


def _follow_bit(proof: Proof, dut: Any) -> None:
    """Pick one bit of the mask stream, then its element where it enters, then where it leaves."""
    m = proof.module
    chosen = Signal()
    columns = _any_length(proof)
    bits = _row_source(proof, dut.i_mask, columns, "mask")
    elements = _row_source(proof, dut.i, columns, "data")

    size = range(ROOM + 1)
    ahead, inside = Signal(size), Signal(size)
    leaving = Mux(dut.o.valid & dut.o.ready, _count(dut.o.payload.keep), 0)
    m.d.sync += [
        ahead.eq(ahead + bits - elements),
        inside.eq(inside + elements - leaving),
    ]
    proof.forbid("data taken without their bits", ahead + bits < elements)
    proof.forbid("more came out than went in", inside + elements < leaving)

    pick = proof.input(range(dut.i_mask.payload.shape().lanes), "pick")
    waits, follows = Signal(), Signal()
    bit, place, value = Signal(), Signal(size), Signal(dut.number.width)
    m.d.comb += chosen.eq(~waits & ~follows & (pick < bits))
    position, mine = Signal(size), Signal()
    m.d.comb += [
        position.eq(Mux(waits, place, ahead + pick)),
        mine.eq(Mux(waits, bit, Value.cast(dut.i_mask.payload.data).bit_select(pick, 1))),
    ]
    entering = (waits | chosen) & (position < elements)
    lane = position[: max(1, (dut.lanes - 1).bit_length())]
    element = Value.cast(dut.i.payload.data).word_select(lane, dut.number.width)
    m.d.sync += [waits.eq((waits | chosen) & ~entering), bit.eq(mine)]
    with m.If(waits | chosen):
        m.d.sync += place.eq(Mux(entering, inside + position - leaving, position - elements))
    with m.If(entering):
        m.d.sync += [value.eq(Mux(mine, element, 0)), follows.eq(1)]
    with m.If(follows):
        m.d.sync += place.eq(place - leaving)
        with m.If(place < leaving):
            m.d.sync += follows.eq(0)
    for k in range(dut.lanes):
        out = Value.cast(dut.o.payload.data[k])
        here = follows & (place == k) & (leaving > k)
        proof.forbid(f"lane {k} met another bit than its own", here & (out != value))


def _count(keep: Value) -> Value:
    total: Value = Mux(keep[0], 1, 0)
    for bit in list(keep)[1:]:
        total = total + bit
    return total
