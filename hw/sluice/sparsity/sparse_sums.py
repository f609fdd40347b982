"""The memories of a product of a sparse matrix and a dense one, and what adds."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith import AddUnit
from sluice.array.mac import Mac
from sluice.delay import delay, delay_line
from sluice.formats import Float
from sluice.sparsity.sparse_command import command_layout
from sluice.sparsity.sparse_walk import step_layout
from sluice.store import Store
from sluice.stream import Beat, Fifo, run_of

__all__ = ["Sums"]

# A word of sums is read, and is in the register behind its memory, in two cycles; the cycle after
# the one in which it is written, it can be read again.
_FETCH = 2


class Sums(wiring.Component):
    """Carry out steps: add products to sums, or let sums out.

    Parameters
    ----------
    mac : Mac
        Of the formats.
    lanes : int
    sums, dense : int, powers of two
        Rows of sums and of the dense matrix.
    count_bits : int
    flush : bool

    Members
    -------
    step : In(step_layout(...))
    now : In(command_layout(count_bits))
        The command that it belongs to.
    held : In(count_bits)
        Rows of the dense matrix that are there.
    d_en, d_at, d_data : In
        Word of the dense matrix that is written.
    room : Out(1)
        There is a place for ``slices`` results, behind all that are on the way.
    wrong : Out(1)
        A non-zero is out of range.
    o : Out(stream.Signature(Beat(total, lanes)))

    Attributes
    ----------
    loop : int, cycles
        From a step to the next one that may read what it wrote.
    slices : int
        Words of a row.
    latency : int, cycles
        From the cycle before a step that puts a sum out to that sum being offered.
    """

    step: Any
    now: Any
    held: Signal
    d_en: Signal
    d_at: Signal
    d_data: Signal
    room: Signal
    wrong: Signal
    o: stream.Interface

    def __init__(
        self, *, mac: Mac, lanes: int, sums: int, dense: int, count_bits: int, flush: bool
    ):
        self.mac, self.lanes, self.sums, self.dense = mac, lanes, sums, dense
        self.loop = _FETCH + mac.step + 1
        self.slices = 1 << (self.loop - 1).bit_length()
        self.adders: list[AddUnit] = []
        # Partial sums of the banks come round in as many cycles as a row has words: the adder and
        # a register for the choice are among them.
        self.adds = 1
        if isinstance(mac.total, Float):
            made = {"source": mac.total, "target": mac.total, "stages": self.slices - 1}
            self.adders = [AddUnit(**made, flush=flush) for _ in range(lanes)]
            for adder in self.adders:
                adder._MustUse__silence = True  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
            self.adds = self.adders[0].latency
        # From a step to the word of sums behind the memory, and to what is put into the queue.
        self.fetched = mac.lead + _FETCH
        self.way = self.fetched + self.adds
        self.latency = 1 + self.way + Fifo.latency
        # Results that the level does not count yet: on the way, or put there in these cycles.
        self.spare = self.slices + self.way + 4
        self.depth = 1 << (self.spare + 4).bit_length()
        self.o_beat = Beat(mac.total, lanes)
        self.queue = Fifo(shape=self.o_beat, depth=self.depth, always_ready=True)
        # In this cycle: a step reads a word of sums, which is known then if a product takes a stage
        # or more; and one is written.
        words = range(sums * self.slices)
        self.reads, self.reads_at = Signal(), Signal(words)
        self.writes, self.writes_at = Signal(), Signal(words)
        self.d_bits = mac.operand.width * lanes
        super().__init__(
            {
                "step": In(step_layout(mac.operand.width, count_bits, self.slices)),
                "now": In(command_layout(count_bits)),
                "held": In(count_bits),
                "d_en": In(1),
                "d_at": In(range(dense * self.slices)),
                "d_data": In(self.d_bits),
                "room": Out(1),
                "wrong": Out(1),
                "o": Out(stream.Signature(self.o_beat)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        mac, step = self.mac, self.step
        # A cycle after the step: which rows.
        turned = self.now.transpose & ~step.drains
        at_sums, at_dense = (
            Signal.like(step.row, name=name, reset_less=True) for name in ("at_sums", "at_dense")
        )
        m.d.sync += [
            at_sums.eq(Mux(turned, step.place, step.row)),
            at_dense.eq(Mux(turned, step.row, step.place)),
        ]
        piece, way = (
            delay(m, name, v, 1) for name, v in (("piece", step.piece), ("way", step.way))
        )
        valid, drains = (
            delay(m, name, v, 2, reset=True)
            for name, v in (("valid", step.valid), ("drains", step.drains))
        )
        # Two cycles after it: whether they are there. The next rows may come meanwhile.
        fits, known = Signal(reset_less=True), Signal(reset_less=True)
        held = delay(m, "held", self.held, 2)
        m.d.sync += [fits.eq(at_sums < self.now.o_rows), known.eq(at_dense < held)]
        adds = valid & ~drains & fits & known
        m.d.comb += self.wrong.eq(valid & ~drains & ~(fits & known))

        dense = Store(m, "dense", shape=self.d_bits, depth=self.dense * self.slices)
        m.d.comb += [
            dense.write.en.eq(self.d_en),
            dense.write.addr.eq(self.d_at),
            dense.write.data.eq(self.d_data),
            dense.at.eq(Cat(piece, at_dense)),
        ]
        row = delay(m, "d", dense.o, 1)
        value = delay(m, "value", step.value, 1 + _FETCH)

        width = mac.total.width
        store = Store(m, "sums", shape=width * self.lanes, depth=self.sums * self.slices)
        address = Signal.like(store.at)
        m.d.comb += address.eq(Cat(way, at_sums))
        m.d.comb += store.at.eq(delay_line(m, "sums", address, mac.lead - 1))
        above = delay(m, "above", store.o, 1)
        totals: list[Value] = []
        for k in range(self.lanes):
            m.submodules[f"lane_{k}"] = lane = Module()
            weight = row.word_select(k, mac.operand.width)
            totals.append(mac.add(lane, x=value, weight=weight, above=above.word_select(k, width)))
        # When the sum is there. What leaves is cleared a cycle or more after it was read.
        leaves = valid & drains & fits
        touches, early = Cat(adds, leaves), mac.lead - 2
        touches = delay(m, "reads", touches, max(0, early), reset=True)
        behind = _FETCH + mac.step
        writes = delay(m, "writes", touches, behind + min(0, early), reset=True)
        m.d.comb += [
            self.reads.eq(touches.any()),
            self.reads_at.eq(store.at),
            self.writes.eq(writes.any()),
            self.writes_at.eq(delay_line(m, "written", store.at, behind)),
            store.write.en.eq(self.writes),
            store.write.addr.eq(self.writes_at),
            store.write.data.eq(Mux(writes[1], 0, Cat(totals))),
        ]
        self._let_out(m, above, leaves, piece)
        return m

    def _let_out(self, m: Module, word: Value, comes: Value, piece: Value) -> None:
        """Add up the banks of each sum, and put it into the queue with the last one."""
        now, width = self.now, self.mac.total.width
        # Two cycles after the step, as `comes`.
        counts, ends = Signal(reset_less=True), Signal(reset_less=True)
        run = Signal(self.lanes, reset_less=True)
        m.d.sync += [
            counts.eq(piece <= now.beats),
            ends.eq(piece == now.beats),
            run.eq(run_of(now.lanes + 1, self.lanes)),
        ]
        puts = delay(m, "puts", self.step.puts, 2)
        put = delay(m, "put", comes & counts & puts, self.way - 2, reset=True)
        keep = Mux(ends, run, (1 << self.lanes) - 1)
        frame = delay_line(m, "frame", Cat(keep, ends), self.way - 2)

        looped = Signal(width * self.lanes, reset_less=True)
        summed: list[Value] = []
        for k in range(self.lanes):
            one, other = (v.word_select(k, width) for v in (word, looped))
            if self.adders:
                m.submodules[f"adder_{k}"] = adder = self.adders[k]
                m.d.comb += [adder.a.eq(one), adder.b.eq(other)]
                summed.append(adder.o)
            else:
                total = Signal(width, name=f"summed_{k}", reset_less=True)
                m.d.sync += total.eq(one + other)
                summed.append(total)
        # What changes no sum: a negative zero, of floats, not even that of a negative one.
        nothing = Const(1 << width - 1 if self.adders else 0, width).replicate(self.lanes)
        first = delay_line(m, "first", self.step.first, self.fetched - 1)
        again = delay_line(m, "looped", Cat(summed), self.slices - self.adds - 1)
        m.d.sync += looped.eq(Mux(first, nothing, again))

        m.submodules.queue = queue = self.queue
        m.d.comb += [
            queue.i.valid.eq(put),
            Value.cast(queue.i.payload).eq(Cat(*summed, frame)),
        ]
        m.d.sync += self.room.eq(queue.level <= self.depth - self.spare)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
