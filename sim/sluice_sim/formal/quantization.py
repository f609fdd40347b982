"""What is proven of quantization."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value

from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track
from sluice_sim.formal.sparsity import track_beats

__all__ = ["prove_block_selector", "prove_fake_quantize", "prove_quantizer_settings"]


def prove_fake_quantize(proof: Proof) -> None:
    """Prove the stream rules, and that every beat leaves once on each output, in order.

    What is computed is anything.
    """
    dut: Any = proof.dut
    make = dut.make_unit
    dut.make_unit = lambda: proof.give_anything(make(), "result")
    track_beats(proof)


def prove_block_selector(proof: Proof) -> None:
    """Prove the stream rules, and that every beat leaves once, in order, whatever is drawn.

    Elements of a beat are all from one input, or all from the other, as its block is not shorter.
    """
    dut: Any = proof.dut
    make = dut.make_unit
    dut.make_unit = lambda: proof.give_anything(make(), "drawn")
    i, q = Source(proof, dut.i), Source(proof, dut.q, name="q")
    add_rules(proof, dut.o)
    one, o = dut.i.payload, dut.o.payload
    leaves = dut.o.valid & dut.o.ready
    add_track(
        proof,
        "i to o",
        [Token(i.taken, Cat(one.keep, one.last))],
        [Token(leaves, Cat(o.keep, o.last))],
        capacity=dut.pipeline.depth,
        quiet=~(i.taken | q.taken) & dut.o.ready,
        ends=False,
    )
    proof.forbid("one input is taken alone", i.taken ^ q.taken)
    for name, value in (("zeros", 0), ("ones", (1 << dut.lanes) - 1)):
        # What both inputs have in common leaves, whichever is chosen.
        always = Signal(name=f"always_{name}", init=1)
        same = Cat(Value.cast(dut.i.payload.data) == value, Value.cast(dut.q.payload.data) == value)
        with proof.module.If(i.taken & ~same.all()):
            proof.module.d.sync += always.eq(0)
        proof.forbid(f"other elements than {name}", always & leaves & (Value.cast(o.data) != value))


def prove_quantizer_settings(proof: Proof) -> None:
    """Prove the stream rules, a reply per message, and that settings hold still within packets.

    In place of the CRC is anything, which changes with each byte; and one bit of the settings is
    followed, which may be any.
    """
    dut: Any = proof.dut
    m = proof.module
    make = dut.make_crc
    dut.make_crc = lambda: _check_anything(proof, make())
    i, message = Source(proof, dut.i), Source(proof, dut.message, name="message")
    add_rules(proof, dut.o)
    add_rules(proof, dut.reply, name="reply")
    proof.forbid("beats do not pass as they are", dut.o.payload != dut.i.payload)
    proof.forbid("a beat passes at one end only", i.taken ^ (dut.o.valid & dut.o.ready))
    # In the cycle before, a beat was offered that did not end a packet, or one was under way.
    settings = Value.cast(dut.settings)
    followed = proof.choose(range(len(settings)), "followed")
    bit, inside, shown = Signal(), Signal(), Signal()
    under_way = Signal()
    m.d.comb += under_way.eq(Mux(i.stream.valid, ~(i.taken & dut.i.payload.last), inside))
    m.d.comb += bit.eq(settings.bit_select(followed, 1))
    m.d.sync += [inside.eq(under_way), shown.eq(bit)]
    begun = Signal()
    m.d.sync += begun.eq(1)
    changed = begun & (bit != shown)
    proof.forbid("settings change within a packet", changed & inside)
    owed = Signal(2)
    ends = dut.reply.valid & dut.reply.ready & dut.reply.payload.last
    m.d.sync += owed.eq(owed + (message.taken & dut.message.payload.last) - ends)
    proof.forbid("a reply without a message", dut.reply.valid & (owed == 0))
    proof.forbid("a message is taken before the reply to another", message.taken & (owed != 0))
    proof.forbid("settings change without a message", changed & (owed == 0))
    # Eight bytes, of which only the last one ends the packet.
    place = Signal(3)
    with m.If(dut.reply.valid & dut.reply.ready):
        m.d.sync += place.eq(place + 1)
    proof.forbid("another length", dut.reply.valid & (dut.reply.payload.last != (place == 7)))


def _check_anything(proof: Proof, crc: Any) -> Any:
    """Let a CRC be anything, that changes only with a byte; return it."""
    m = Module()
    value, given = Signal(len(crc.crc)), proof.input(len(crc.crc), "crc_given")
    with m.If(crc.valid):
        m.d.sync += value.eq(given)
    m.d.comb += [crc.crc.eq(value), crc.match_detected.eq(proof.input(1, "crc_match"))]
    crc.elaborate = lambda platform: m
    return crc
