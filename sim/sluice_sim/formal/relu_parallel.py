"""What is proven of several engines that leave zeros out."""

import itertools
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Out

from sluice.stream import run_of
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track

__all__ = ["prove_relu_compress_parallel", "prove_relu_decompress_parallel"]


def prove_relu_compress_parallel(proof: Proof) -> None:
    """Prove the stream rules, and what is written of the beats that an engine gives.

    These are any that stand side by side, and so is what engines say of their blocks: how they are
    counted and packed is left to the bench, and to :func:`prove_compact`. Every element is written
    once, in its lane and in order, and every beat of bits that its block has; a packet ends the
    writes of elements and of bits once; and no other write is empty.
    """
    dut: Any = proof.dut
    comes = [free_part(proof, engine, f"engine_{e}") for e, engine in enumerate(dut.engine)]
    add_rules(proof, dut.counts, name="counts")
    for e in range(dut.engines):
        add_rules(proof, dut.o[e], name=f"o_{e}")
        add_rules(proof, dut.bitmap[e], name=f"bitmap_{e}")
    # All engines are the same.
    came, o, bitmap = comes[0], dut.o[0], dut.bitmap[0]
    beat, lanes = came.payload, dut.lanes
    word, bits = beat.packed, beat.bits
    passes, quiet = came.valid & came.ready, ~came.valid & o.ready & bitmap.ready
    suppose_packed(proof, came, lanes)
    proof.suppose(~came.valid | bits.last | bits.keep.any())

    def ends(port: Any) -> Token:
        return Token(port.valid & port.ready & port.payload.last, Const(0, 1))

    for k in range(lanes):
        comes_here = (~word.held[k] & (word.over | word.rest[k])) | (word.over & word.rest[k])
        value = word.words.word_select(k, dut.width)
        leaves = o.valid & o.ready & o.payload.keep[k]
        add_track(
            proof,
            f"lane {k}",
            [
                Token(passes & comes_here, Cat(value, Const(1, 1))),
                Token(passes & bits.last, Const(0, dut.width + 1)),
            ],
            [
                Token(leaves, Cat(Value.cast(o.payload.data[k]), Const(1, 1))),
                Token(ends(o).passes, Const(0, dut.width + 1)),
            ],
            capacity=8,
            quiet=quiet,
        )
    none = Const(0, 2 * lanes + 1)
    there, written = (Cat(Value.cast(p.data), p.keep, Const(1, 1)) for p in (bits, bitmap.payload))
    writes = bitmap.valid & bitmap.ready & bitmap.payload.keep.any()
    add_track(
        proof,
        "bits",
        [Token(passes & ~beat.raw & bits.keep.any(), there), Token(passes & bits.last, none)],
        [Token(writes, written), Token(ends(bitmap).passes, none)],
        capacity=4,
        quiet=quiet,
    )
    for name, port in (("o", o), ("bitmap", bitmap)):
        empty = port.valid & ~port.payload.last & ~port.payload.keep.any()
        proof.forbid(f"a write of {name} is empty", empty)


def prove_relu_decompress_parallel(proof: Proof) -> None:
    """Prove the stream rules, and that every engine is told which of its blocks is the last.

    Rounds leave for the prefix sums as they came, and of a packet each engine has one block that
    ends it, behind which there is none, or one in the first round that is not there. Prefix sums,
    whose rules are those of their pipeline, and what puts zeros back give anything.
    """
    dut: Any = proof.dut
    source = Source(proof, dut.counts, name="counts")
    dut.ahead = 2
    for reader in itertools.chain(*dut.readers):
        reader.ahead = 2
    proof.give_anything(dut.scan, "scan")
    for e, engine in enumerate(dut.engine):
        free_part(proof, engine, f"engine_{e}")
        for name in ("o", "at", "bits_at"):
            add_rules(proof, getattr(dut, name)[e], name=f"{name}_{e}")
    row = dut.scan.i
    goes, parts = row.valid & row.ready, row.payload.rest.parts
    came = dut.counts.payload
    entries = Cat(*(Cat(p.entry, p.there) for p in parts), row.payload.last)
    given = [Cat(Value.cast(came.data[e]), came.keep[e]) for e in range(dut.engines)]
    add_track(
        proof,
        "rounds",
        [
            Token(source.taken & ~came.last, Cat(*given, came.last)),
            Token(source.taken & came.last, Cat(*given, came.last)),
        ],
        [Token(goes, entries)],
        capacity=1,
        quiet=~dut.counts.valid & row.ready,
    )
    for e, part in enumerate(parts):
        ended = Signal(name=f"ended_{e}")
        ends = part.takes & part.ends
        with proof.module.If(goes):
            proof.module.d.sync += ended.eq(~row.payload.last & (ended | ends))
        proof.forbid(f"engine {e} has a block behind the last", goes & part.takes & ended)
        proof.forbid(f"engine {e} has no end", goes & row.payload.last & ~(ended | ends))
        proof.forbid(f"engine {e} misses a block", goes & part.there & ~part.takes)


def suppose_packed(proof: Proof, came: Any, lanes: int) -> None:
    """State that the beats of a block stand side by side, from any lane of the first one on."""
    m, word = proof.module, came.payload.packed
    start, first = Signal(range(lanes + 1)), Signal(init=1)
    held, rest = (Signal(range(lanes + 1), name=n) for n in ("held_lanes", "rest_lanes"))
    total = rest + Mux(word.over, lanes, 0)
    m.d.comb += [
        held.eq(sum((word.held[k] for k in range(1, lanes)), word.held[0])),
        rest.eq(sum((word.rest[k] for k in range(1, lanes)), word.rest[0])),
    ]
    packed = [
        word.held == run_of(held, lanes),
        word.rest == run_of(rest, lanes),
        Mux(first, held != lanes, held == start),
        (total >= held) & (total <= held + lanes),
        ~word.over | rest.any(),
        word.emits == (word.over | word.last),
        word.last | ~came.payload.bits.last,
    ]
    proof.suppose(~came.valid | Cat(packed).all())
    with m.If(came.valid & came.ready):
        m.d.sync += [start.eq(rest), first.eq(word.last)]


def free_part(proof: Proof, part: Any, name: str) -> Any:
    """Let ``part`` give any beats on ``o``, and anything else; return the stream of these beats."""
    m = Module()
    come = stream.Signature(part.o.payload.shape()).create()
    Source(proof, come, name=f"{name}_o", well_formed=False)
    m.d.comb += [
        part.o.valid.eq(come.valid),
        part.o.payload.eq(come.payload),
        come.ready.eq(part.o.ready),
    ]
    for path, member, value in part.signature.flatten(part):
        if member.flow is Out and path[0] != "o":
            output = Value.cast(value)
            given = proof.input(len(output), "_".join(map(str, (name, *path))))
            m.d.comb += output.eq(given)
    part.elaborate = lambda platform: m
    return come
