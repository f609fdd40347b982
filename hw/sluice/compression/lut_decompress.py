"""Weights from codes, a table of exponents and a table of fractions."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.compression.lut_tables import LUT_PARAMETERS, LutFormat, TableLoader
from sluice.delay import delay
from sluice.store import Store
from sluice.stream import Pipeline, SkidBuffer, sample_settings

__all__ = ["LutDecompress"]

_STAGES = 3


class LutDecompress(Block):
    """Undo :class:`LutCompress`: a weight is its sign, an entry of each of two tables, or raw.

    Parameters
    ----------
    element : format
        Of the weights: ``bf16``, ``fp16``, ``tf32`` or ``fp32``.
    lanes : int, 1..32
        Weights per beat.
    exponent_bits : int, 1..8
        Bits of an index into the table of exponents, which has ``2**exponent_bits - 1`` entries.
    fraction_bits : int, 1..8
        Bits of an index into the table of fractions, which has ``2**fraction_bits`` entries.

    Members
    -------
    codes : In(stream.Signature(Beat(uintC, lanes)))
        ``C = 1 + exponent_bits + fraction_bits``; from the low bits up the index of the fraction,
        that of the exponent, and the sign. An exponent's index of all ones is an escape, whose
        other bits are not looked at.
    raw : In(stream.Signature(Beat(element, 1)))
        For every packet of ``codes`` one of the weights that its escapes stand for.
    tables : In(stream.Signature(Beat(uintT, 1)))
        A packet of all exponents, and behind them all fractions; ``T`` is the wider of the two.
    o : Out(stream.Signature(Beat(element, lanes)))
        For every beat of ``codes`` one of weights.
    config : In(StructLayout({"fresh": 1}))
        Sampled at the first beat of ``codes``: this packet waits for the next one of ``tables``, and
        it and all behind it are made with that; otherwise it is made with the tables in use.
    status : Out(StructLayout({"tables": 1, "raw": 1}))
        Sticky: a packet of ``tables`` had too few entries, of which the missing ones are those of
        two packets before, or too many, which are dropped; a packet of ``raw`` had too few weights,
        for which there are zeros, or too many, which are dropped.

    Attributes
    ----------
    latency : 8 cycles
        The tables, the output queue of their pipeline, where escapes are put in, and the output
        buffer.
    interval : 1 cycle
        One beat per cycle with up to one escape in it, which nothing could better; a beat with more
        takes a cycle for each. A change of tables costs no cycle, if they have been loaded, which
        takes a cycle per entry while others are in use.

    Notes
    -----
    ``codes.ready`` depends on ``codes`` and ``config`` in the same cycle, and on registers.
    ``raw.ready`` does not depend on ``raw.valid``. Reset drops what is on the way; what the tables
    hold is lost, as another packet must be the first thing that is used.

    Where the exponent is that of zero or of infinity, the fraction is zero whatever the index says:
    zeros and infinities are exact, and keep their sign. Subnormals and NaN are escapes.

    Method: publication M1, as in ``docs/compression.md``. Golden model:
    :func:`sluice_sim.golden.lut.lut_decompress`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or an index has more bits than what
        it stands for.
    """

    codes: stream.Interface
    raw: stream.Interface
    tables: stream.Interface
    o: stream.Interface
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
        entry = data.StructLayout({"codes": f.codes_beat, "bank": 1})
        self.found = data.StructLayout(
            {
                "o": f.words_beat,
                # The first lane that is an escape, and the others; whether there are any.
                "lane": self.lanes,
                "others": self.lanes,
                "needs": 1,
                "more": 1,
            }
        )
        self.pipeline = Pipeline(
            i_shape=entry, o_shape=self.found, stages=_STAGES, read_ahead=True
        )
        self.latency = self.pipeline.latency + 2 + SkidBuffer.latency
        super().__init__(
            {
                "codes": In(stream.Signature(f.codes_beat)),
                "raw": In(stream.Signature(f.raw_beat)),
                "tables": In(stream.Signature(f.entries_beat)),
                "o": Out(stream.Signature(f.words_beat)),
                "config": In(data.StructLayout({"fresh": 1})),
                "status": Out(data.StructLayout({"tables": 1, "raw": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        bank, taken = Signal(), Signal()
        f = self.format
        loader = TableLoader(m, self.tables, (f.exponents, f.fractions), taken=taken)
        self._enter(m, loader, bank, taken)
        self._look_up(m, loader, bank)
        self._put_in(m)
        with m.If(loader.wrong):
            m.d.sync += self.status.tables.eq(1)
        return m

    def _enter(self, m: Module, loader: TableLoader, bank: Signal, taken: Signal) -> None:
        """Let beats in; the first one of a packet may wait for tables, and changes the bank."""
        codes, pipeline = self.codes, self.pipeline
        first, waits = Signal(init=1), Signal()
        settings = sample_settings(m, self.config, codes)
        changes = first & settings.fresh
        m.d.comb += [
            waits.eq(changes & ~loader.full),
            pipeline.i.valid.eq(codes.valid & ~waits),
            codes.ready.eq(pipeline.i.ready & ~waits),
            pipeline.i.payload.codes.eq(codes.payload),
            pipeline.i.payload.bank.eq(bank ^ changes),
            taken.eq(pipeline.entry_valid & changes),
        ]
        with m.If(pipeline.entry_valid):
            m.d.sync += [first.eq(codes.payload.last), bank.eq(bank ^ changes)]

    def _look_up(self, m: Module, loader: TableLoader, bank: Signal) -> None:
        """Make weights of codes, and say which are escapes."""
        f, entry = self.format, self.pipeline.entry
        wide, narrow = f.number.exponent_bits, f.number.fraction_bits
        exponent, fraction = loader.word[:wide], loader.word[:narrow]
        special = (exponent == 0) | exponent.all()
        now = self.pipeline.i_shape(delay(m, "code", Value.cast(entry), 1))
        words: list[Value] = []
        escapes: list[Value] = []
        for k in range(f.lanes):
            code = Value.cast(now.codes.data[k])
            index, rank = code[: f.fraction_bits], code[f.fraction_bits : -1]
            fractions = Store(m, f"fractions_{k}", shape=narrow, depth=2 * f.fractions)
            exponents = Store(m, f"exponents_{k}", shape=wide + 1, depth=2 * (f.exponents + 1))
            for store, at, writes, word in (
                (exponents, rank, loader.writes[0], Cat(exponent, special)),
                (fractions, index, loader.writes[1], fraction),
            ):
                m.d.comb += [
                    store.at.eq(Cat(at, now.bank)),
                    store.write.en.eq(writes),
                    store.write.addr.eq(Cat(loader.at[: len(at)], ~bank)),
                    store.write.data.eq(word),
                ]
            found = delay(m, f"found_{k}", Cat(fractions.o, exponents.o), 1)
            sign = delay(m, f"sign_{k}", code[-1], 2)
            is_zero = found[-1]
            words.append(Cat(Mux(is_zero, 0, found[:narrow]), found[narrow:-1], sign))
            escapes.append(rank.all() & now.codes.keep[k])
        keep = delay(m, "keep", Cat(now.codes.keep, now.codes.last), 2)
        mask = delay(m, "escapes", Cat(escapes), 1)
        lane = lowest(mask)
        others = mask & ~lane
        turns = delay(m, "turns", Cat(lane, others, mask.any(), others.any()), 1)
        m.d.comb += Value.cast(self.pipeline.result).eq(Cat(*words, keep, turns))

    def _put_in(self, m: Module) -> None:
        """Put raw weights in place of escapes, one per cycle."""
        f, come, raw = self.format, self.pipeline.o, self.raw
        m.submodules.output = output = SkidBuffer(shape=f.words_beat)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        made, full = output.i.payload, output.i.valid
        # A beat with what it lacks: which lane gets a raw weight, and whether that is the first
        # turn, in which all others get theirs, and whether it is the last.
        beat, valid = Signal(self.found), Signal()
        begins = Signal()
        # The packet of raw weights has ended before that of codes; or it goes on behind it.
        closed, drops = Signal(), Signal()
        ends, wants, free, goes = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            ends.eq(beat.o.last & ~beat.more),
            wants.eq((beat.needs | ends) & ~closed),
            free.eq(valid & ~drops & (~full | output.i.ready)),
            goes.eq(free & (~wants | raw.valid)),
            raw.ready.eq(drops | (free & wants)),
            come.ready.eq(~valid | (goes & ~beat.more)),
        ]
        with m.If(come.ready):
            m.d.sync += [valid.eq(come.valid), beat.eq(come.payload), begins.eq(1)]
        with m.Elif(goes):
            lane = lowest(beat.others)
            rest = beat.others & ~lane
            m.d.sync += [
                beat.lane.eq(lane),
                beat.others.eq(rest),
                beat.more.eq(rest.any()),
                begins.eq(0),
            ]
        there = wants & raw.payload.keep[0]
        word = Mux(there, Value.cast(raw.payload.data[0]), 0)
        for k in range(f.lanes):
            with m.If(goes & (begins | beat.lane[k])):
                m.d.sync += made.data[k].eq(Mux(beat.lane[k], word, Value.cast(beat.o.data[k])))
        with m.If(goes):
            m.d.sync += [
                made.keep.eq(beat.o.keep),
                made.last.eq(beat.o.last),
                full.eq(~beat.more),
                closed.eq((closed | (wants & raw.payload.last)) & ~ends),
                drops.eq(ends & wants & ~raw.payload.last),
            ]
        with m.Elif(output.i.ready):
            m.d.sync += full.eq(0)
        with m.If(drops & raw.valid & raw.payload.last):
            m.d.sync += drops.eq(0)
        wrong = Signal()
        m.d.sync += wrong.eq(goes & ((beat.needs ^ there) | (ends & wants & ~raw.payload.last)))
        with m.If(wrong):
            m.d.sync += self.status.raw.eq(1)


def lowest(bits: Value) -> Value:
    """Return the lowest bit that is set, alone."""
    return Cat(bits[k] & ~bits[:k].any() if k else bits[0] for k in range(len(bits)))
