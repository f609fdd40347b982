"""What is proven of the codec with a table of exponents and a table of fractions."""

from typing import Any

from amaranth import Cat, Const, Mux, Signal, Value

from sluice.compression.turns import first_turn, lowest
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track, cut

__all__ = ["prove_lut_compress", "prove_lut_decompress"]


def prove_lut_decompress(proof: Proof) -> None:
    """Prove what is sent into the pipeline, whatever it lets in.

    Every beat goes in once, in order, and once more for every escape in it but one; each time with
    the lowest escape that had none yet, and with the next raw weight, as long as there are any.
    Tables change between packets, when others are loaded, and only where that is asked for. The
    handshake of the output is that of the pipeline, whose rules are those of its queue.
    """
    dut: Any = proof.dut
    m = proof.module
    pipeline = proof.give_anything(dut.pipeline, "pipeline")
    codes = Source(proof, dut.codes, name="codes")
    raw = Source(proof, dut.raw, name="raw")
    Source(proof, dut.tables, name="tables")
    settings = codes.settings(proof, dut.config)
    turn = pipeline.i.payload
    goes = pipeline.i.valid & pipeline.i.ready
    final = goes & ~turn.more
    given = dut.codes.payload
    beat = Cat(Value.cast(given), codes.first & settings.fresh)
    # Whether the tables are others than those of the beat before.
    bank, begun = Signal(), Signal(init=1)
    with m.If(goes):
        m.d.sync += bank.eq(turn.bank)
    with m.If(final):
        m.d.sync += begun.eq(turn.codes.last)
    changed = turn.bank ^ bank
    fresh = Signal()
    with m.If(goes):
        m.d.sync += fresh.eq(turn.more & (fresh | changed))
    went = Cat(Value.cast(turn.codes), fresh | changed)
    add_track(
        proof,
        "codes",
        [Token(codes.taken, beat)],
        [Token(final, went)],
        capacity=3,
        # Beats wait for tables and for raw weights.
        quiet=Const(0),
        ends=False,
    )
    proof.forbid("tables change within a packet", goes & changed & ~begun)
    served = Signal(dut.lanes)
    with m.If(goes):
        m.d.sync += served.eq((served | turn.lane).bit_select(0, dut.lanes))
    with m.If(final):
        m.d.sync += served.eq(0)
    ranks = [Value.cast(code)[dut.fraction_bits : -1] for code in turn.codes.data]
    lacks = Cat(rank.all() for rank in ranks) & turn.codes.keep & ~served
    lane = lowest(lacks)
    proof.forbid("another lane has its turn", goes & (turn.lane != lane))
    proof.forbid("a beat has too many turns, or few", goes & (turn.more != (lacks & ~lane).any()))
    proof.forbid("what has been is made again", goes & (turn.begins == served.any()))
    # A raw weight that has been taken and not gone; the packet of them has ended before that of
    # codes, or goes on behind it.
    held: Any = Signal.like(dut.raw.payload)
    full, closed, behind = Signal(), Signal(), Signal()
    ends = final & turn.codes.last
    wants = (lane.any() | (turn.codes.last & ~turn.more)) & ~closed
    uses = goes & wants
    drops = behind | (uses & ends & ~held.last)
    with m.If(goes):
        m.d.sync += closed.eq((closed | (uses & held.last)) & ~ends)
    m.d.sync += [
        behind.eq(drops & ~(raw.taken & dut.raw.payload.last)),
        full.eq(Mux(raw.taken, ~drops, full & ~uses)),
    ]
    with m.If(raw.taken):
        m.d.sync += held.eq(dut.raw.payload)
    proof.forbid("a raw weight is taken without use", raw.taken & full & ~uses)
    proof.forbid("a turn goes without its weight", uses & ~full)
    word = Value.cast(held.data[0]) & held.keep.replicate(len(turn.word))
    proof.forbid("another weight goes", uses & (turn.word != word))
    proof.forbid("a weight comes from nowhere", goes & ~wants & turn.word.any())


def prove_lut_compress(proof: Proof) -> None:
    """Prove the rules of codes and of raw weights, and what becomes of what the pipeline gives.

    That is anything, with its first turn as it must be. Every beat leaves as codes, once and in
    order; every weight that has a turn leaves on ``raw``, in order, in packets that end where those
    of the codes do.
    """
    dut: Any = proof.dut
    Source(proof, dut.i)
    Source(proof, dut.fractions, name="fractions")
    came: Any = cut(proof, dut.pipeline, "pipeline")[0].stream
    beat, width = came.payload, dut.format.number.width
    turn, keep = beat.turn, beat.codes.keep
    # The escapes are any lanes that there are.
    escapes = turn.lane | turn.others
    proof.suppose(~came.valid | (Value.cast(turn) == first_turn(escapes)))
    proof.suppose(~came.valid | ~(escapes & ~keep).any())
    for name in ("codes", "raw"):
        add_rules(proof, getattr(dut, name), name=name)
    taken = came.valid & came.ready
    leaves = dut.codes.valid & dut.codes.ready
    add_track(
        proof,
        "codes",
        [Token(taken, Value.cast(beat.codes))],
        [Token(leaves, Value.cast(dut.codes.payload))],
        capacity=3,
        quiet=~came.valid & dut.codes.ready & dut.raw.ready,
        ends=False,
    )
    # Any one bit of the weights is followed, which is quicker than all of them at once.
    which = proof.choose(range(width), "which")

    def bit(word: Value) -> Value:
        return Cat(word.bit_select(which, 1), Const(0, 1))

    words = [
        Token(taken & escapes[k], bit(beat.words.word_select(k, width))) for k in range(dut.lanes)
    ]
    raw = dut.raw.payload
    leaves = dut.raw.valid & dut.raw.ready
    add_track(
        proof,
        "raw",
        [*words, Token(taken & beat.codes.last, Const(2, 2))],
        [
            Token(leaves & raw.keep[0], bit(Value.cast(raw.data[0]))),
            Token(leaves & raw.last, Const(2, 2)),
        ],
        capacity=dut.lanes + 7,
        quiet=~came.valid & dut.codes.ready & dut.raw.ready,
    )
