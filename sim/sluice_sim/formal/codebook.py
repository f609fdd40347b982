"""What is proven of product quantization."""

from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track, open_up, track_queue

__all__ = ["prove_product_decode", "prove_product_encode"]

# Cycles from an entry to the codewords.
READ = 3


class Shelf:
    """Two codebooks, as those of a block must be: one in use, and the other one loaded.

    Attributes
    ----------
    banks : list of list of Signal
        All codewords.
    used : 1 bit
        The bank that a beat that is taken in this cycle is made with,
    words : list of Value
        and what is in there, a cycle later.
    """

    def __init__(self, proof: Proof, i: Source):
        dut: Any = proof.dut
        m = proof.module
        source = Source(proof, dut.codebook, name="codebook")
        count, width = dut.count, dut.beat.data_bits
        settings = i.settings(proof, dut.config)
        self.settings = settings
        fresh = i.first & settings.fresh
        bank, place, loaded = Signal(), Signal(range(count + 1)), Signal()
        self.banks = banks = [
            [Signal(width, name=f"shelf_{b}_{c}", reset_less=True) for c in range(count)]
            for b in range(2)
        ]
        payload = dut.codebook.payload
        # Reset drops the codewords that were taken in the two cycles before.
        enters = source.taken & payload.keep.all() & (place != count)
        writes = delay(m, "shelf_writes", enters, 2, reset=True)
        word = delay(m, "shelf_word", Value.cast(payload.data), 2)
        at = delay(m, "shelf_at", place, 2)
        for b in range(2):
            for c in range(count):
                with m.If(writes & (bank != b) & (at == c)):
                    m.d.sync += banks[b][c].eq(word)
        with m.If(source.taken):
            with m.If(enters):
                m.d.sync += place.eq(place + 1)
            with m.If(payload.last):
                m.d.sync += [place.eq(0), loaded.eq(1)]
        with m.If(i.taken & fresh):
            m.d.sync += [bank.eq(~bank), loaded.eq(0)]
        proof.forbid("a packet has no codebook", i.taken & fresh & ~loaded)
        proof.forbid("a codebook is loaded over another", source.taken & loaded)
        self.used = used = bank ^ fresh
        used = delay(m, "shelf_used", used, 1)
        self.words = [Mux(used, banks[1][c], banks[0][c]) for c in range(count)]


def prove_product_decode(proof: Proof) -> None:
    """Prove that every index becomes its codeword, and what of that is kept.

    Codebooks change where that is asked for, when one has come, and hold what they must even where
    it was too short or too long. The handshake of the output is that of the pipeline, whose rules
    are those of its queue.
    """
    dut: Any = proof.dut
    pipeline = dut.pipeline
    queue = open_up(proof, pipeline)
    i = Source(proof, dut.i)
    shelf = Shelf(proof, i)
    given, settings = dut.i.payload, shelf.settings
    m = proof.module
    found = Array(shelf.words)[delay(m, "proof_at", Value.cast(given.data), 1)]
    found = delay(m, "proof_found", found, pipeline.stages - 1)
    keep = Cat(
        given.keep & ~(given.last & (settings.spare >= dut.lanes - k)) for k in range(dut.lanes)
    )
    taken = delay(m, "proof_taken", i.taken, pipeline.stages, reset=True)
    ends = delay(m, "proof_ends", Cat(keep, given.last), pipeline.stages)
    wanted = Cat(found, ends)
    result = Value.cast(pipeline.result)
    proof.forbid("another codeword, or another part of it", taken & (result != wanted))
    enters = pipeline.i.valid & pipeline.i.ready
    proof.forbid("what is taken does not enter", i.taken ^ enters)
    add_rules(proof, dut.o)
    track_queue(proof, queue, Value.cast(pipeline.o.payload), dut.o, "o")


def prove_product_encode(proof: Proof) -> None:
    """Prove that every block meets all codewords in order, and which one of distances is chosen.

    The codewords are those of the codebook that its packet is to be compared with. Distances are
    anything; of these, the result is the least one's index, the first one's of equal ones. How they
    are computed is left to the bench, and so is the queue, whose rules are proven of itself.
    """
    dut: Any = proof.dut
    m = proof.module
    pipeline = dut.pipeline
    queue = open_up(proof, pipeline)
    words = [Signal(dut.beat.data_bits, name=f"met_{e}") for e in range(dut.engines)]
    few = 2
    distances = [proof.input(few, f"distance_{e}") for e in range(dut.engines)]
    block_met = Signal(dut.beat.size)

    def measure(inside: Module, e: int, block: Value, word: Value) -> Value:
        inside.d.comb += words[e].eq(word)
        if e == 0:
            inside.d.comb += block_met.eq(block)
        return Cat(distances[e], Const(0, dut.exact_bits - few))

    dut._measure = measure
    # From the words on there is nothing but the choice.
    chooses = dut.engines.bit_length()
    dut.stages = READ + chooses
    i = Source(proof, dut.i)
    shelf = Shelf(proof, i)
    entry, enters = pipeline.entry, pipeline.entry_valid
    row, begun = Signal.like(entry.row), Signal()
    at_last = row == dut.rows - 1
    with m.If(enters):
        m.d.sync += [row.eq(Mux(at_last, 0, row + 1)), begun.eq(~at_last)]
    add_track(
        proof,
        "i to entry",
        [Token(i.taken, Cat(Value.cast(dut.i.payload), shelf.used))],
        [Token(enters & at_last, Cat(Value.cast(entry.block), entry.bank))],
        capacity=1,
        quiet=Const(0),
        ends=False,
    )
    flags, there = Cat(entry.begins, entry.ends, entry.row), Cat(~begun, at_last, row)
    proof.forbid("another row, or it is another end", enters & (flags != there))
    given = Cat(Value.cast(entry.block), entry.bank)
    before = Signal(len(given))
    with m.If(enters):
        m.d.sync += before.eq(given)
    proof.forbid("a block is cut short", enters & begun & (given != before))
    proof.forbid("an entry leaves nothing, or too much", enters & (pipeline.gives != at_last))

    met = delay(m, "proof_enters", enters, READ, reset=True)
    for e, word in enumerate(words):
        banks = [Array(bank[e :: dut.engines])[row] for bank in shelf.banks]
        wanted = delay(m, f"proof_word_{e}", Mux(entry.bank, banks[1], banks[0]), READ)
        proof.forbid(f"engine {e} meets another codeword", met & (word != wanted))
    wanted = delay(m, "proof_block", Value.cast(entry.block), READ)
    proof.forbid("they meet another block", met & (block_met != wanted))

    # The least distance so far, looked at one by one.
    at = delay(m, "proof_row", row, READ)
    least, best = Signal(few), Signal(dut.index_bits)
    nearest, index = Value.cast(least), Value.cast(best)
    for e, distance in enumerate(distances):
        first = (at == 0) if e == 0 else Const(0)
        less = first | (distance < nearest)
        nearest = Mux(less, distance, nearest)
        index = Mux(less, (at << chooses - 1) | e, index)
    with m.If(met):
        m.d.sync += [least.eq(nearest), best.eq(index)]
    done = delay(m, "proof_done", met & (at == dut.rows - 1), chooses, reset=True)
    result = pipeline.result
    index = delay(m, "proof_best", best, chooses - 1)
    nearest = delay(m, "proof_least", least, chooses - 1)
    proof.forbid("another index", done & (Value.cast(result.o.data) != index))
    proof.forbid("another distance", done & (result.square != nearest))
    ends = Cat(entry.block.keep.any(), entry.block.last)
    ends = delay(m, "proof_ends", ends, READ + chooses)
    proof.forbid("another end", done & (Cat(result.o.keep, result.o.last) != ends))
    for name in ("o", "squares"):
        add_rules(proof, getattr(dut, name), name=name)
    queued = pipeline.o.payload
    track_queue(proof, queue, Value.cast(queued.o), dut.o, "o")
    squares = Cat(queued.square, queued.o.keep, queued.o.last)
    track_queue(proof, queue, squares, dut.squares, "squares")
