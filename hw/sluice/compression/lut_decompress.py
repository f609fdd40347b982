"""Weights from codes, a table of exponents and a table of fractions."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.compression.lut_tables import LUT_PARAMETERS, LutFormat, Table, TableLoader
from sluice.compression.turns import lowest, several
from sluice.delay import delay
from sluice.stream import Pipeline, RegisterSlice, sample_settings

__all__ = ["LutDecompress"]

_STAGES = 4


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
        Sampled at the first beat of ``codes``: this packet waits for the next one of ``tables``,
        and it and all behind it are made with that; otherwise it is made with the tables in use.
    status : Out(StructLayout({"tables": 1, "raw": 1}))
        Sticky: a packet of ``tables`` had too few entries, of which the missing ones are those of
        two packets before, or too many, which are dropped; a packet of ``raw`` had too few weights,
        for which there are zeros, or too many, which are dropped.

    Attributes
    ----------
    latency : 8 cycles
        The input buffer, the beat whose escapes wait for their weights, the tables, the place where
        these meet, and the output queue.
    interval : 1 cycle
        One beat per cycle with up to one escape in it, which nothing could better; a beat with more
        takes a cycle for each. A change of tables costs no cycle, if they have been loaded, which
        takes a cycle per entry while others are in use.

    Notes
    -----
    ``codes.ready`` depends on ``config`` and ``raw.valid`` in the same cycle.
    ``raw.ready`` does not depend on ``raw.valid``. Reset drops what is on the way; what the tables
    hold is lost, as another packet must be the first thing that is used.

    Where the exponent is that of zero or of infinity, the fraction is zero whatever the index says:
    zeros and infinities are exact, and keep their sign. Subnormals and NaN are escapes.

    Method: US 11615301, as in ``docs/compression.md``. Golden model:
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
        self.given = data.StructLayout(
            {
                "codes": f.codes_beat,
                # The packet is the first one with its tables, and this its first beat.
                "changes": 1,
                "escapes": self.lanes,
                # There are escapes.
                "needs": 1,
            }
        )
        entry = data.StructLayout(
            {
                "codes": f.codes_beat,
                "bank": 1,
                # Which lane gets the raw weight; whether all others get theirs in this turn, and
                # whether it is the last one of the beat.
                "lane": self.lanes,
                "begins": 1,
                "more": 1,
                "word": f.number.width,
            }
        )
        self.pipeline = Pipeline(
            i_shape=entry, o_shape=f.words_beat, stages=_STAGES, read_ahead=True, chooses=True
        )
        self.latency = RegisterSlice.latency + 1 + self.pipeline.latency
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
        taken = Signal()
        f = self.format
        loader = TableLoader(m, self.tables, (f.exponents, f.fractions), taken=taken)
        m.submodules.given = given = RegisterSlice(shape=self.given)
        self._enter(m, given.i)
        self._take_turns(m, given.o, loader.full, taken)
        words = self._look_up(m, loader, taken)
        self._put_in(m, words)
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        with m.If(loader.wrong):
            m.d.sync += self.status.tables.eq(1)
        return m

    def _enter(self, m: Module, given: Any) -> None:
        """Find the escapes of a beat, and whether it changes the tables."""
        codes = self.codes
        first = Signal(init=1)
        settings = sample_settings(m, self.config, codes)
        ranks = [Value.cast(code)[self.fraction_bits : -1] for code in codes.payload.data]
        escapes = Signal(self.lanes)
        m.d.comb += [
            escapes.eq(Cat(rank.all() for rank in ranks) & codes.payload.keep),
            given.valid.eq(codes.valid),
            codes.ready.eq(given.ready),
            given.payload.codes.eq(codes.payload),
            given.payload.changes.eq(first & settings.fresh),
            given.payload.escapes.eq(escapes),
            given.payload.needs.eq(escapes.any()),
        ]
        with m.If(codes.valid & codes.ready):
            m.d.sync += first.eq(codes.payload.last)

    def _take_turns(self, m: Module, come: Any, loaded: Signal, taken: Signal) -> None:
        """Send each beat into the pipeline, once for every escape in it, with a raw weight.

        One that changes the tables waits until others are ``loaded``; when it goes they are
        ``taken``, and nothing that is not in the pipeline needs those before.
        """
        raw, pipeline = self.raw, self.pipeline
        entry = pipeline.i.payload
        beat, others, changes = Signal(self.given), Signal(self.lanes), Signal()
        lane, begins, more, ends, needs = Signal(self.lanes), Signal(), Signal(), Signal(), Signal()
        bank = Signal()
        # There is a beat, and its turn wants nothing of the raw weights, or the next one of these:
        # a weight, or, where the packet ends, the end. Or it waits for something else first.
        busy, plain, asks, waits, wants = Signal(), Signal(), Signal(), Signal(), Signal()
        # The same, where it is the last turn of the beat: so that nothing has to be put together
        # when raw weights come.
        plain_last, asks_last = Signal(), Signal()
        # The packet of raw weights has ended before that of codes; or it goes on behind it.
        closed, drops, closes, runs_on = Signal(), Signal(), Signal(), Signal()
        goes, there, ready = Signal(), Signal(), Signal()
        m.d.comb += [
            pipeline.i.valid.eq(plain | (asks & raw.valid)),
            goes.eq(pipeline.i.valid & pipeline.i.ready),
            raw.ready.eq(drops | (asks & pipeline.i.ready)),
            ready.eq(~busy | (pipeline.i.ready & (plain_last | (asks_last & raw.valid)))),
            come.ready.eq(ready),
            # If the turn goes; where there is none these are all zero but for the first.
            closes.eq((closed | (asks & raw.payload.last)) & ~ends),
            runs_on.eq(ends & asks & ~raw.payload.last),
            taken.eq(goes & changes),
            there.eq(asks & raw.payload.keep[0]),
            entry.codes.eq(beat.codes),
            entry.bank.eq(bank),
            entry.lane.eq(lane),
            entry.begins.eq(begins),
            entry.more.eq(more),
            entry.word.eq(Mux(there, Value.cast(raw.payload.data[0]), 0)),
        ]
        with m.If(goes):
            m.d.sync += closed.eq(closes)

        def go_on(bits: Value, last: Value, plain_then: Value, asks_then: Value) -> None:
            """Let it be the turn of the lowest of ``bits``."""
            turn, left = lowest(bits), several(bits)
            m.d.sync += [
                lane.eq(turn),
                others.eq(bits & ~turn),
                more.eq(left),
                ends.eq(last & ~left),
                plain.eq(plain_then),
                asks.eq(asks_then),
                plain_last.eq(plain_then & ~left),
                asks_last.eq(asks_then & ~left),
            ]

        with m.If(ready):
            # What is there goes in this cycle, and takes what is loaded if it changes the tables.
            has_to = (come.payload.changes & (~loaded | changes)) | runs_on | drops
            needed = (come.payload.needs | come.payload.codes.last) & ~closes
            go_on(
                come.payload.escapes,
                come.payload.codes.last & come.valid,
                come.valid & ~has_to & ~needed,
                come.valid & ~has_to & needed,
            )
            m.d.sync += [
                beat.eq(come.payload),
                begins.eq(1),
                needs.eq(come.payload.needs),
                changes.eq(come.valid & come.payload.changes),
                bank.eq(bank ^ (come.valid & come.payload.changes)),
                busy.eq(come.valid),
                waits.eq(come.valid & has_to),
                wants.eq(needed),
            ]
        with m.Elif(waits):
            may = (loaded | ~changes) & ~drops
            m.d.sync += [
                waits.eq(~may),
                plain.eq(may & ~wants),
                asks.eq(may & wants),
                plain_last.eq(may & ~wants & ~more),
                asks_last.eq(may & wants & ~more),
            ]
        with m.Elif(goes):
            go_on(others, beat.codes.last, closes, ~closes)
            m.d.sync += [begins.eq(0), changes.eq(0)]
        with m.If(goes & runs_on):
            m.d.sync += drops.eq(1)
        with m.Elif(raw.valid & raw.payload.last):
            m.d.sync += drops.eq(0)
        wrong = Signal()
        m.d.sync += wrong.eq(goes & ((needs ^ there) | runs_on))
        with m.If(wrong):
            m.d.sync += self.status.raw.eq(1)

    def _look_up(self, m: Module, loader: TableLoader, taken: Signal) -> list[Value]:
        """Return the weights that the codes of three cycles ago stand for."""
        f, entry = self.format, self.pipeline.entry
        codes, bank = delay(m, "codes", Value.cast(entry.codes), 1), delay(m, "bank", entry.bank, 1)
        # Where the next tables are loaded; the first are in the other bank than what reset leaves.
        loads = Signal(init=1)
        m.d.sync += loads.eq(loads ^ taken)
        wide, narrow = f.number.exponent_bits, f.number.fraction_bits
        given = loader.word[:wide]
        special = (given == 0) | given.all()
        exponent = delay(m, "exponent", Cat(given, special), 1)
        fraction = delay(m, "fraction", loader.word[:narrow], 1)
        place = delay(m, "place", loader.at, 1)
        of_exponents, of_fractions = (
            delay(m, f"writes_{k}", writes, 1, reset=True) for k, writes in enumerate(loader.writes)
        )
        words: list[Value] = []
        for k in range(f.lanes):
            code = codes.word_select(k, f.code_width)
            index, rank = code[: f.fraction_bits], code[f.fraction_bits : -1]

            def read(name: str, at: Value, writes: Value, word: Value, k: int = k) -> Value:
                ports = Table(m, f"{name}_{k}", width=len(word), bits=len(at))
                ports.write(writes, loads, place, word)
                return ports.read(bank, at)

            found = read("exponents", rank, of_exponents, exponent)
            part = read("fractions", index, of_fractions, fraction)
            sign = delay(m, f"sign_{k}", code[-1], 2)
            words.append(Cat(Mux(found[-1], 0, part), found[:-1], sign))
        return words

    def _put_in(self, m: Module, words: list[Value]) -> None:
        """Put each beat together, in as many turns as it has."""
        f, pipeline = self.format, self.pipeline
        entry = pipeline.entry
        # Turns of a beat but for the last one leave nothing.
        m.d.comb += pipeline.gives.eq(~entry.more)
        # What is no beat must not change what earlier turns left.
        lane = delay(m, "lane", entry.lane & pipeline.entry_valid.replicate(f.lanes), 3)
        begins = delay(m, "begins", entry.begins & pipeline.entry_valid, 3)
        word = delay(m, "word", entry.word, 3)
        made: list[Value] = []
        for k in range(f.lanes):
            kept = Signal(f.number.width, name=f"made_{k}", reset_less=True)
            with m.If(begins | lane[k]):
                m.d.sync += kept.eq(Mux(lane[k], word, words[k]))
            made.append(kept)
        ends = Cat(entry.codes.keep, entry.codes.last)
        m.d.comb += Value.cast(pipeline.result).eq(Cat(*made, delay(m, "ends", ends, 4)))
