"""Weights from codes, a table of exponents and a table of fractions."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.compression.lut_tables import LUT_PARAMETERS, LutFormat, Table, TableLoader
from sluice.compression.turns import first_turn, next_turn, turn_layout
from sluice.delay import delay
from sluice.stream import Pipeline, sample_settings

__all__ = ["LutDecompress"]

_STAGES = 4


def _begin(flags: tuple[Signal, ...], given: Any, may: Value, free: Value) -> list[Any]:
    """Return how flags are set for the first turn of ``given``, which ``may`` go at once."""
    plain, asks, free_last, asks_last, asks_more = flags
    return [
        plain.eq(may & ~given.asks),
        asks.eq(may & given.asks),
        free_last.eq(free),
        asks_last.eq(may & given.asks & ~given.turn.more),
        asks_more.eq(may & given.asks & given.turn.more),
    ]


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
    latency : 9 cycles
        Finding escapes and their order, the beat whose escapes wait for their weights, the tables,
        the place where these meet, and the output queue.
    interval : 1 cycle
        One beat per cycle with up to one escape in it, which nothing could better; a beat with more
        takes a cycle for each. A change of tables costs no cycle, if they have been loaded, which
        takes a cycle per entry while others are in use.

    Notes
    -----
    Reset drops what is on the way; what the tables hold is lost, as another packet must be the
    first thing that is used.

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
        # Where ``changes`` is set, the packet is the first one with its tables, and this its first
        # beat.
        given = {"codes": f.codes_beat, "changes": 1}
        self.found = data.StructLayout({**given, "escapes": self.lanes})
        # Each turn asks for a raw weight or, where the packet ends without one, for the end.
        self.ordered = data.StructLayout({**given, "turn": turn_layout(self.lanes), "asks": 1})
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
            i_shape=entry,
            o_shape=f.words_beat,
            stages=_STAGES,
            read_ahead=True,
            wide=True,
            chooses=True,
        )
        self.latency = 3 + self.pipeline.latency
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
        self._take_turns(m, loader.full, taken)
        words = self._look_up(m, loader, taken)
        self._put_in(m, words)
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        with m.If(loader.wrong):
            m.d.sync += self.status.tables.eq(1)
        return m

    def _find(self, m: Module, advance: Signal) -> tuple[Any, Signal]:
        """Find the escapes of a beat, then the first turn that it has; return it, if there is one.

        All stages advance together: one in front of another's gap would need an enable of its own,
        and enables of so many registers are late.
        """
        codes = self.codes
        first, settings = Signal(init=1), sample_settings(m, self.config, codes)
        found: Any = Signal(self.found, reset_less=True)
        come: Any = Signal(self.ordered, reset_less=True)
        is_found, is_come = Signal(), Signal()
        ranks = [Value.cast(code)[self.fraction_bits : -1] for code in codes.payload.data]
        m.d.comb += codes.ready.eq(advance)
        with m.If(codes.valid & advance):
            m.d.sync += first.eq(codes.payload.last)
        with m.If(advance):
            m.d.sync += [
                is_found.eq(codes.valid),
                found.codes.eq(codes.payload),
                found.changes.eq(first & settings.fresh),
                found.escapes.eq(Cat(rank.all() for rank in ranks) & codes.payload.keep),
                is_come.eq(is_found),
                come.codes.eq(found.codes),
                come.changes.eq(found.changes),
                Value.cast(come.turn).eq(first_turn(found.escapes)),
                come.asks.eq(found.escapes.any() | found.codes.last),
            ]
        return come, is_come

    def _take_turns(self, m: Module, loaded: Signal, taken: Signal) -> None:
        """Send each beat into the pipeline, once for every escape in it, with a raw weight.

        One that changes the tables waits until others are ``loaded``; when it goes they are
        ``taken``, and nothing that is not in the pipeline needs those before.
        """
        pipeline = self.pipeline
        entry = pipeline.i.payload
        advance = Signal()
        come, is_come = self._find(m, advance)
        beat: Any = Signal(self.ordered, reset_less=True)
        raw: Any = Signal(self.format.raw_beat, reset_less=True)
        # There is a turn that wants nothing, or a weight, or that waits for its tables.
        plain, asks, waits = Signal(), Signal(), Signal()
        # It is the last one of its beat, or there is none; or there are more.
        free_last, asks_last, asks_more = Signal(init=1), Signal(), Signal()
        flags = (plain, asks, free_last, asks_last, asks_more)
        changes, bank, begins, ends = Signal(), Signal(), Signal(), Signal()
        raw_valid, goes, there = Signal(), Signal(), Signal()
        turn = beat.turn
        m.d.comb += [
            advance.eq(pipeline.i.ready & (free_last | (asks_last & raw_valid))),
            pipeline.i.valid.eq(plain | (asks & raw_valid)),
            goes.eq(pipeline.i.valid & pipeline.i.ready),
            taken.eq(goes & changes),
            there.eq(asks & raw.keep[0]),
            entry.codes.eq(beat.codes),
            entry.bank.eq(bank),
            entry.lane.eq(turn.lane),
            entry.begins.eq(begins),
            entry.more.eq(turn.more),
            entry.word.eq(Mux(there, Value.cast(raw.data[0]), 0)),
        ]

        with m.If(advance):
            # What is there goes in this cycle, and takes what is loaded if it changes the tables.
            may = is_come & ~(come.changes & (~loaded | changes))
            m.d.sync += [
                beat.eq(come),
                begins.eq(1),
                changes.eq(is_come & come.changes),
                bank.eq(bank ^ (is_come & come.changes)),
                ends.eq(come.codes.last & ~come.turn.more),
                waits.eq(is_come & ~may),
                *_begin(flags, come, may, ~is_come | (may & ~come.asks)),
            ]
        with m.Elif(pipeline.i.ready & asks_more & raw_valid):
            lane, others, left = next_turn(turn.others)
            m.d.sync += [
                begins.eq(0),
                changes.eq(0),
                ends.eq(beat.codes.last & ~left),
                turn.lane.eq(lane),
                turn.others.eq(others),
                turn.more.eq(left),
                asks_last.eq(~left),
                asks_more.eq(left),
            ]
        with m.Elif(waits):
            m.d.sync += [waits.eq(~loaded), *_begin(flags, beat, loaded, loaded & ~beat.asks)]
        runs_on = self._fetch(m, raw, raw_valid, asks & pipeline.i.ready, ends)
        lacks, longer = Signal(), Signal()
        m.d.sync += [lacks.eq(goes & (turn.needs ^ there)), longer.eq(runs_on)]
        with m.If(lacks | longer):
            m.d.sync += self.status.raw.eq(1)

    def _fetch(self, m: Module, raw: Any, raw_valid: Signal, asks: Value, ends: Signal) -> Value:
        """Have the next raw weight ready; return whether its packet goes on behind that of codes.

        Where the packet ends before that of codes, an empty end of it stays until that is there.
        """
        drops, goes_on, takes = Signal(), Signal(), Signal()
        m.d.comb += [
            takes.eq(raw_valid & asks),
            goes_on.eq(takes & ends & ~raw.last),
            self.raw.ready.eq(~raw_valid | (asks & (ends | ~raw.last))),
        ]
        with m.If(self.raw.ready):
            m.d.sync += [
                raw.eq(self.raw.payload),
                raw_valid.eq(self.raw.valid & ~drops & ~goes_on),
                drops.eq((drops | goes_on) & ~(self.raw.valid & self.raw.payload.last)),
            ]
        with m.Elif(takes):
            m.d.sync += raw.keep.eq(0)
        return goes_on

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
