"""Weights to codes, with tables that are made of the weights themselves."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.compression.exponent_ranks import ExponentRanks
from sluice.compression.lut_tables import LUT_PARAMETERS, LutFormat, TableLoader
from sluice.compression.nearest import Nearest
from sluice.compression.turns import RawWriter, Turns, first_turn, turn_layout
from sluice.delay import delay, delay_line
from sluice.store import Store
from sluice.stream import Fifo, Pipeline, SkidBuffer, sample_settings

__all__ = ["LutCompress"]


class LutCompress(Block):
    """Split weights into sign, exponent and fraction, and name the two by entries of tables.

    Parameters
    ----------
    element, lanes, exponent_bits, fraction_bits
        As of :class:`LutDecompress`.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
        Every tensor twice: a packet that is scanned, and one that is compressed. Others may follow
        that are compressed with the same tables.
    fractions : In(stream.Signature(Beat(uintT, 1)))
        A packet for each that is scanned: all ``2**fraction_bits`` centroids, ascending.
    tables : Out(stream.Signature(Beat(uintT, 1)))
        After each packet that was scanned one of what :class:`LutDecompress` needs: the exponents
        that were there, zero first, then the largest ones downwards, as many as have an entry;
        zeros for those that are not used; and the centroids.
    codes : Out(stream.Signature(Beat(uintC, lanes)))
        For every beat that is compressed one of codes; an escape has no other bit set.
    raw : Out(stream.Signature(Beat(element, 1)))
        For every packet of ``codes`` one of the weights that its escapes stand for.
    config : In(StructLayout({"scan": 1}))
        Sampled at the first beat of ``i``: this packet is scanned. It waits until the centroids
        have come, and the tables of the one before have left.
    status : Out(StructLayout({"fractions": 1}))
        Sticky: a packet of ``fractions`` had too few entries or too many, or they did not ascend;
        what is near then is undefined.

    Attributes
    ----------
    latency : 2 * fraction_bits + 8 cycles
        From a beat to its codes: two for each bit of the search, the way in and out of it, the
        output queue, where escapes are taken out, and the output buffer.
    interval : 1 cycle
        One beat per cycle with up to one escape in it, which nothing could better; a beat with more
        takes a cycle for each. Behind a scan a packet waits ``2**exponent`` cycles for the ranks of
        the exponents, and one for each entry, ``exponent`` being the bits of that field.

    Notes
    -----
    ``i.ready`` depends on ``config`` in the same cycle. Reset drops what is on the way; the block
    takes nothing then for as many cycles as there are exponents.

    An exponent has an entry if a number has it that is not a subnormal or NaN, as these are always
    escapes. Nothing is clipped: what has no entry is an escape. Each lane has a memory of ranks by
    exponent, in which a scan leaves a mark; a walk over all exponents reads the marks and writes
    the ranks. The nearest centroid is found bit by bit, with a memory of middles for each; of two
    as near it is the lower one. Method: US 11615301, as in ``docs/compression.md``. Golden models:
    :func:`sluice_sim.golden.lut.lut_compress` and ``exponent_table``.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or an index has more bits than what
        it stands for.
    """

    i: stream.Interface
    fractions: stream.Interface
    tables: stream.Interface
    codes: stream.Interface
    raw: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = LUT_PARAMETERS

    def __init__(
        self,
        *,
        element: str = "bf16",
        lanes: int = 8,
        exponent_bits: int = 5,
        fraction_bits: int = 4,
    ):
        self.check(
            element=element,
            lanes=lanes,
            exponent_bits=exponent_bits,
            fraction_bits=fraction_bits,
        )
        self.element: str
        self.lanes: int
        self.exponent_bits: int
        self.fraction_bits: int
        self.format = LutFormat(self.element, self.lanes, self.exponent_bits, self.fraction_bits)
        f = self.format
        entry = data.StructLayout({"i": f.words_beat, "scan": 1, "bank": 1})
        self.found = data.StructLayout(
            {"codes": f.codes_beat, "words": f.words_beat.data_bits, "turn": turn_layout(f.lanes)}
        )
        # One into the search, two for each of its bits, one for the code and one for the turns.
        self.pipeline = Pipeline(
            i_shape=entry,
            o_shape=self.found,
            stages=2 * f.fraction_bits + 3,
            read_ahead=True,
            chooses=True,
        )
        self.latency = self.pipeline.latency + 1 + SkidBuffer.latency
        self.waiting = Fifo(shape=f.entries_beat, depth=f.exponents + 1 + f.fractions)
        super().__init__(
            {
                "i": In(stream.Signature(f.words_beat)),
                "fractions": In(stream.Signature(f.entries_beat)),
                "tables": Out(stream.Signature(f.entries_beat)),
                "codes": Out(stream.Signature(f.codes_beat)),
                "raw": Out(stream.Signature(f.raw_beat)),
                "config": In(data.StructLayout({"scan": 1})),
                "status": Out(data.StructLayout({"fractions": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = self.pipeline
        m.submodules.waiting = waiting = self.waiting
        wiring.connect(m, waiting.o, wiring.flipped(self.tables))
        f, number = self.format, self.format.number
        walks, taken, bank = Signal(), Signal(), Signal()
        loader = TableLoader(m, self.fractions, (f.fractions,), taken=taken)
        ranks = ExponentRanks(
            m, lanes=f.lanes, width=number.exponent_bits, bits=f.exponent_bits, walks=walks
        )
        # The centroids of this scan are in use; those before may be overwritten when it has ended.
        using = Signal()
        free = loader.full & ~using & (waiting.level == 0)
        self._enter(m, free & ~ranks.busy, ranks.busy, bank, walks, using)
        self._look_up(m, loader, ranks, bank)
        self._write_tables(m, loader, ranks, bank, taken)
        with m.If(taken):
            m.d.sync += using.eq(0)
        self._leave(m)
        return m

    def _enter(
        self, m: Module, free: Value, busy: Signal, bank: Signal, walks: Signal, using: Signal
    ) -> None:
        """Let beats in, a scan only if all is ``free`` that it needs."""
        i, pipeline = self.i, self.pipeline
        first, waits = Signal(init=1), Signal()
        settings = sample_settings(m, self.config, i)
        begins = first & settings.scan
        m.d.comb += [
            waits.eq(busy | (begins & ~free)),
            pipeline.i.valid.eq(i.valid & ~waits),
            i.ready.eq(pipeline.i.ready & ~waits),
            pipeline.i.payload.i.eq(i.payload),
            pipeline.i.payload.scan.eq(settings.scan),
            pipeline.i.payload.bank.eq(bank),
            pipeline.gives.eq(~pipeline.entry.scan),
            walks.eq(pipeline.entry_valid & settings.scan & i.payload.last),
        ]
        with m.If(pipeline.entry_valid):
            m.d.sync += first.eq(i.payload.last)
            with m.If(begins):
                m.d.sync += [bank.eq(~bank), using.eq(1)]

    def _look_up(self, m: Module, loader: TableLoader, ranks: ExponentRanks, bank: Signal) -> None:
        """Make codes of weights, or leave marks."""
        f, number, entry = self.format, self.format.number, self.pipeline.entry
        cycles = 2 * f.fraction_bits
        near = Nearest(m, lanes=f.lanes, bits=f.fraction_bits, width=number.fraction_bits)
        given = loader.word[: number.fraction_bits]
        unsorted = near.write(loader.writes[0], ~bank, loader.at, given)
        with m.If(unsorted | loader.wrong):
            m.d.sync += self.status.fractions.eq(1)
        scans = self.pipeline.entry_valid & entry.scan
        late = delay(m, "bank_late", entry.bank, 1)
        codes: list[Value] = []
        escapes: list[Value] = []
        for k in range(f.lanes):
            word = entry.i.data[k]
            special = (word.exponent == 0) | word.exponent.all()
            raw = special & word.fraction.any()
            marks = scans & entry.i.keep[k] & ~raw
            known = delay(m, f"rank_{k}", ranks.look_up(k, word.exponent, marks), cycles - 1)
            index = near.search(k, delay(m, f"fraction_{k}", word.fraction, 1), late)
            sign, raw = (
                delay(m, f"{name}_{k}", bit, cycles + 1)
                for name, bit in (("sign", word.sign), ("is_raw", raw))
            )
            escape = raw | ~known[0]
            code = Mux(
                escape,
                Const(f.exponents << f.fraction_bits, f.code_width),
                Cat(index, known[1:], sign),
            )
            codes.append(delay(m, f"code_{k}", code, 2))
            escapes.append(escape)
        words = delay_line(m, "words", entry.i.data, cycles + 3)
        ends = delay(m, "ends", Cat(entry.i.keep, entry.i.last), cycles + 1)
        mask = delay(m, "mask", Cat(escapes) & ends[:-1], 1)
        turn = delay(m, "turn", first_turn(mask), 1)
        result = Cat(*codes, delay(m, "ends_late", ends, 2), words, turn)
        m.d.comb += Value.cast(self.pipeline.result).eq(result)

    def _write_tables(
        self, m: Module, loader: TableLoader, ranks: ExponentRanks, bank: Signal, taken: Signal
    ) -> None:
        """Send the exponents as they are found, zeros, and the centroids."""
        f, number, o = self.format, self.format.number, self.waiting.i
        store = Store(m, "centroids", shape=number.fraction_bits, depth=2 * f.fractions)
        at = Signal(range(f.fractions))
        m.d.comb += [
            store.write.en.eq(loader.writes[0]),
            store.write.addr.eq(Cat(loader.at[: f.fraction_bits], ~bank)),
            store.write.data.eq(loader.word[: number.fraction_bits]),
            store.at.eq(Cat(at, bank)),
        ]
        sent = Signal(range(f.exponents + 1))
        fills, reads = Signal(), Signal()
        there = delay(m, "centroid_there", reads, 1, reset=True)
        last = delay(m, "centroid_last", at == f.fractions - 1, 1)
        pads = fills & (sent != f.exponents)
        m.d.comb += [
            o.valid.eq(ranks.found | pads | there),
            Value.cast(o.payload.data).eq(Mux(there, store.o, Mux(ranks.found, ranks.at, 0))),
            o.payload.keep.eq(1),
            o.payload.last.eq(there & last),
            taken.eq(there & last),
        ]
        with m.If(ranks.found | pads):
            m.d.sync += sent.eq(sent + 1)
        with m.If(ranks.done & ~ranks.forgets):
            m.d.sync += fills.eq(1)
        with m.If(fills & (sent == f.exponents)):
            m.d.sync += [fills.eq(0), reads.eq(1), at.eq(0), sent.eq(0)]
        with m.If(reads):
            m.d.sync += at.eq(at + 1)
            with m.If(at == f.fractions - 1):
                m.d.sync += reads.eq(0)

    def _leave(self, m: Module) -> None:
        """Send codes, and take the escapes out, one per cycle."""
        f, come = self.format, self.pipeline.o
        m.submodules.codes_out = codes = SkidBuffer(shape=f.codes_beat)
        m.submodules.raw_out = raw = SkidBuffer(shape=f.raw_beat)
        wiring.connect(m, codes.o, wiring.flipped(self.codes))
        wiring.connect(m, raw.o, wiring.flipped(self.raw))
        turns = Turns(m, come, goes_if=codes.i.ready & raw.i.ready)
        beat, turn = turns.beat, turns.beat.turn
        width = f.number.width
        picked = [
            beat.words.word_select(k, width) & turn.lane[k].replicate(width) for k in range(f.lanes)
        ]
        while len(picked) > 1:
            picked = [a | b for a, b in zip(picked[::2], [*picked[1::2], 0], strict=False)]
        m.d.comb += [
            codes.i.valid.eq(turns.goes & ~turn.more),
            codes.i.payload.eq(beat.codes),
        ]
        RawWriter(
            m,
            raw.i,
            goes=turns.goes,
            comes=turn.needs,
            ends=beat.codes.last & ~turn.more,
            word=Value.cast(picked[0]),
        )
