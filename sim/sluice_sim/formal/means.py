"""What is proven of the means of the values of each index."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, add_rules, open_up, track_queue

__all__ = ["prove_centroid_means"]


class Ledger:
    """Sum and count of one index, any that is chosen, of the packets that are inside."""

    def __init__(self, proof: Proof, i: Source, chosen: Signal):
        dut: Any = proof.dut
        m = proof.module
        self.bank, self.ended = Signal(), Signal(2)
        self.counts = [Signal(dut.total_bits + 1, name=f"model_count_{b}") for b in range(2)]
        self.sums = [Signal(dut.sum_bits + 1, name=f"model_sum_{b}") for b in range(2)]
        data, at = dut.i.payload.data, dut.indices.payload.data
        met = [dut.i.payload.keep[k] & (Value.cast(at[k]) == chosen) for k in range(dut.lanes)]
        most = (1 << dut.count_bits) - 1
        for b in range(2):
            begun = ~(i.first & (self.bank == b))
            with m.If(i.taken & (self.bank == b)):
                count = Mux(begun, self.counts[b], 0) + sum(met)
                total = Mux(begun, self.sums[b], 0) + sum(
                    Mux(on, Value.cast(word), 0) for on, word in zip(met, data, strict=True)
                )
                m.d.sync += [self.counts[b].eq(count), self.sums[b].eq(total)]
                with m.If(dut.i.payload.last):
                    m.d.sync += [self.ended[b].eq(1), self.bank.eq(~self.bank)]
            proof.suppose(self.counts[b] <= most)
        inside = Mux(self.bank, self.ended[1], self.ended[0])
        proof.forbid("a packet enters among the sums of another", i.taken & i.first & inside)


class Kept:
    """The centroid of one index, any that is chosen, in the tables that are inside."""

    def __init__(self, proof: Proof, chosen: Signal):
        dut: Any = proof.dut
        m = proof.module
        source = Source(proof, dut.table, name="table")
        payload = dut.table.payload
        self.loaded, self.known = Signal(2), Signal(2)
        self.words = [Signal(dut.width, name=f"model_kept_{b}") for b in range(2)]
        bank, place, first = Signal(), Signal(range(dut.count + 1)), Signal(init=1)
        for b in range(2):
            with m.If(source.taken & (bank == b)):
                hit = payload.keep[0] & (place == chosen)
                with m.If(hit):
                    m.d.sync += self.words[b].eq(Value.cast(payload.data))
                m.d.sync += self.known[b].eq(hit | (self.known[b] & ~first))
                with m.If(payload.last):
                    m.d.sync += self.loaded[b].eq(1)
        with m.If(source.taken):
            m.d.sync += first.eq(payload.last)
            with m.If(payload.last):
                m.d.sync += [bank.eq(~bank), place.eq(0)]
            with m.Elif(place != dut.count):
                m.d.sync += place.eq(place + 1)
        # The last cycle of a table that is used may be one in which the next but one comes.
        there = Mux(bank, self.loaded[1], self.loaded[0])
        proof.forbid("a table is loaded over another", source.taken & there)


def prove_centroid_means(proof: Proof) -> None:
    """Prove that the sums of every packet are divided, in order, and the division of any sums.

    They are read when the packet has ended and its table has come, before another packet is added
    to them; whenever the output stalls. Packets have no more values with one index, any one, than
    can be counted: that more of them are added up right, one behind the other, is left to the
    bench. The handshake of the output is that of the pipeline, whose rules are those of its queue.
    """
    # Values and their ones are added up by two parts that are the same but for what they add.
    proof.alike = True
    dut: Any = proof.dut
    m = proof.module
    pipeline = dut.pipeline
    queue = open_up(proof, pipeline)
    # What comes to the division, of which a centroid is a cycle later; and what is divided.
    sums, counts, kept = Signal(dut.sum_bits), Signal(dut.total_bits), Signal(dut.width)
    total, count, centroid = (
        proof.input(len(x), name)
        for x, name in ((sums, "any_sum"), (counts, "any_count"), (kept, "any_kept"))
    )
    proof.suppose(total <= count * ((1 << dut.width) - 1))
    inner = dut._divide

    def divide(inside: Module, *come: Value) -> Value:
        inside.d.comb += [x.eq(y) for x, y in zip((sums, counts, kept), come, strict=True)]
        return inner(inside, total, count, centroid)

    dut._divide = divide
    prove_division(proof, total, count, centroid)
    chosen = proof.choose(dut.index_bits, "chosen")
    i = Source(proof, dut.i)
    Source(proof, dut.indices, name="indices")
    ledger, table = Ledger(proof, i, chosen), Kept(proof, chosen)
    bank, place = Signal(), Signal(dut.index_bits)
    step = pipeline.i.valid & pipeline.i.ready & pipeline.gives
    with m.If(step):
        m.d.sync += place.eq(place + 1)
        with m.If(place.all()):
            m.d.sync += bank.eq(~bank)
            for b in range(2):
                with m.If(bank == b):
                    m.d.sync += [ledger.ended[b].eq(0), table.loaded[b].eq(0)]

    def of(words: Any) -> Value:
        return Mux(bank, words[1], words[0])

    proof.forbid("another index", step & (pipeline.i.payload != place))
    proof.forbid("means of a packet that has not ended", step & ~of(ledger.ended))
    proof.forbid("means without a table", step & ~of(table.loaded))
    late = pipeline.stages - dut.width - 1
    hit = delay(m, "model_hit", step & (place == chosen), late, reset=True)
    met = delay(m, "model_count", of(ledger.counts), late)
    value = delay(m, "model_sum", of(ledger.sums), late)
    known = delay(m, "model_known", of(table.known), late, reset=True)
    word = delay(m, "model_kept", of(table.words), late)
    proof.forbid("another sum", hit & (delay(m, "model_found", sums, 1) != value))
    proof.forbid("another count", hit & (delay(m, "model_ones", counts, 1) != met))
    proof.forbid("another centroid is kept", hit & known & (kept != word))
    steps = delay(m, "proof_step", step, pipeline.stages, reset=True)
    ends = delay(m, "proof_ends", place.all(), pipeline.stages)
    proof.forbid(
        "ends elsewhere",
        steps & (Cat(pipeline.result.keep, pipeline.result.last) != Cat(Const(1), ends)),
    )
    add_rules(proof, dut.o)
    track_queue(proof, queue, Value.cast(pipeline.o.payload), dut.o, "o")


def prove_division(proof: Proof, total: Value, count: Value, centroid: Value) -> None:
    """Prove that what is divided becomes its mean, or is kept, in every cycle."""
    dut: Any = proof.dut
    m = proof.module
    late = dut.width + 2
    mean = Value.cast(dut.pipeline.result.data)
    begun = delay(m, "divided", Const(1), late, reset=True)
    count, total = delay(m, "divided_by", count, late), delay(m, "divided_sum", total, late)
    word = delay(m, "divided_kept", centroid, late - 1)
    twice, low = 2 * total + count, 2 * count * mean
    wrong = (low > twice) | (twice >= low + 2 * count)
    proof.forbid("another mean", begun & count.any() & wrong)
    proof.forbid("another than what is kept", begun & ~count.any() & (mean != word))
