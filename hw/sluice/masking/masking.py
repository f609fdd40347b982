"""The masking circuit."""

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS, find_format
from sluice.masking.external import MaskAligner
from sluice.masking.generator import Generator
from sluice.masking.output import add_marked_output
from sluice.masking.settings import (
    Alternative,
    Kind,
    Kinds,
    Operation,
    masking_layout,
    read_masking,
)
from sluice.params import Choice, Flag, Int
from sluice.stream import Beat

__all__ = ["Masking"]


class Masking(Block):
    """Replace the elements of a matrix that a mask does not pass by an alternative value.

    A packet is one row; a matrix is ``config.rows`` packets. The mask of row ``r`` is made from
    indices, or read from a stream of bits, or both: the terms are worked off from the first to
    the last, ``mask = mask op term``. An element passes where the mask is one.

    Parameters
    ----------
    element : format
        Of the data. Elements are not looked at, so NaN and infinity neither pass nor spread
        where they are masked.
    lanes : int, 1..64
        Elements per beat.
    terms : int, 1..4
        Generators that can be joined.
    index_bits : int, 4..24
        Bits of a row or column index.
    kinds : words with commas between
        Generators to build: ``lower``, ``upper``, ``band``, ``columns``, ``rows``. A kind that is
        not built passes nothing; ``none`` and ``all`` are always there.
    segments : int, 0..32
        Segment lengths that the settings hold; none leaves the block-diagonal generator out.
    external : bool
        With a stream of mask bits.
    mask_ratio : int, 1..32
        ``lanes * mask_ratio`` bits arrive per beat of that stream.
    mask_output : bool
        With a stream that carries the mask, for the backward pass.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    i_mask : In(stream.Signature(Beat(bit, lanes * mask_ratio)))
        If ``external``. A packet holds the bits of whole rows without gaps; see
        :class:`MaskAligner`.
    o : Out(stream.Signature(Beat(element, lanes)))
    o_mask : Out(stream.Signature(Beat(bit, lanes)))
        If ``mask_output``: the mask of every beat of ``o``, with the same ``keep`` and ``last``.
    config : In(masking_layout(...))
        Sampled when the first beat of a row is taken; ``rows`` (zero means 2**index_bits) only at
        the first row of a matrix. Segment lengths must stay the same for a matrix.
    status : Out(StructLayout({"mask_short": 1, "too_long": 1, "empty_row": 1}))
        Sticky: a mask packet ended inside a row (its missing bits are zero); a row was longer than
        2**index_bits columns (only told if a generator counts them); a row had no element that
        passes (all of it is the alternative, of which a softmax makes equal shares, or NaN for
        minus infinity).

    Attributes
    ----------
    latency : 3 cycles
    interval : 1 cycle
        One cycle more where a packet of mask bits ends inside a beat's share.

    Notes
    -----
    ``i.ready`` depends on ``o.ready`` in the same cycle; ``o.payload`` is two tables behind
    registers, the end of the mask and the multiplexer. In formats without infinity the alternative
    ``minus_infinity`` is the lowest finite value. Reset drops what is on the way and begins a
    matrix.

    Method: WO2023229679A1 and US12346277 (masking multiplexer, mask selection, generated masks).
    Golden model: :func:`sluice_sim.golden.masking.mask_rows`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    i_mask: stream.Interface
    o: stream.Interface
    o_mask: stream.Interface
    o_mask: stream.Interface
    config: Any
    status: Any
    latency = 3
    interval = 1

    PARAMETERS = (
        Choice("element", "number format of the data", tuple(n for n in FORMATS if n != "bit")),
        Int("lanes", "elements per beat", 1, 64),
        Int("terms", "generators that can be joined", 1, 4),
        Int("index_bits", "bits of a row or column index", 4, 24, "bits"),
        Kinds("kinds", "generators to build"),
        Int("segments", "segment lengths in the settings", 0, 32),
        Flag("external", "with a stream of mask bits"),
        Int("mask_ratio", "mask bits per beat, in units of lanes", 1, 32),
        Flag("mask_output", "with a stream that carries the mask"),
    )

    def __init__(
        self,
        *,
        element: str = "bf16",
        lanes: int = 8,
        terms: int = 2,
        index_bits: int = 16,
        kinds: str = "lower,upper,band,columns,rows",
        segments: int = 0,
        external: bool = False,
        mask_ratio: int = 4,
        mask_output: bool = False,
    ):
        self.check(
            element=element,
            lanes=lanes,
            terms=terms,
            index_bits=index_bits,
            kinds=kinds,
            segments=segments,
            external=external,
            mask_ratio=mask_ratio,
            mask_output=mask_output,
        )
        self.element: str
        self.lanes: int
        self.terms: int
        self.index_bits: int
        self.kinds: str
        self.segments: int
        self.external: bool
        self.mask_ratio: int
        self.mask_output: bool
        self.built = {Kind[word.upper()] for word in self.kinds.split(",") if word}
        if self.segments:
            self.built.add(Kind.SEGMENTS)
        self.indexed = bool(self.built)
        self.built |= {Kind.NONE, Kind.ALL}
        if self.external:
            self.built.add(Kind.EXTERNAL)
        self.number = find_format(self.element)
        self.beat = Beat(self.number, self.lanes)
        bit = FORMATS["bit"]
        layout = masking_layout(
            self.number, terms=self.terms, segments=self.segments, index_bits=self.index_bits
        )
        members: dict[str, Any] = {"i": In(stream.Signature(self.beat))}
        if self.external:
            wide = Beat(bit, self.lanes * self.mask_ratio)
            members["i_mask"] = In(stream.Signature(wide))
        members["o"] = Out(stream.Signature(self.beat))
        if self.mask_output:
            members["o_mask"] = Out(stream.Signature(Beat(bit, self.lanes)))
        members["config"] = In(layout)
        members["status"] = Out(data.StructLayout({"mask_short": 1, "too_long": 1, "empty_row": 1}))
        super().__init__(members)

    def read_settings(self, texts: Mapping[str, str], *, packets: int) -> list[dict[str, int]]:
        """Return the settings; the words that :func:`read_masking` knows stand for several."""
        return [read_masking(texts, self, packets=packets)]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        go, accept, supplied = Signal(), Signal(), Signal(init=1)
        ready, valid_2 = Signal(), Signal()
        beat, config = self.i.payload, self.config
        m.d.comb += [self.i.ready.eq(go & supplied), accept.eq(self.i.valid & self.i.ready)]

        # Every enable hangs on whether the last stage moves. So that no second gate stands behind
        # that one, each has registers of its own: one for where the last stage is empty, and one
        # for where its beat goes.
        def enable(following: Any, name: str, *, init: int = 0) -> tuple[Signal, Signal]:
            """Return ``following`` as of the first stage, and whether it holds and all move on."""
            held, alone = (Signal(name=f"{name}_{n}", init=init) for n in ("1", "alone"))
            enabled = Signal(name=f"{name}_go")
            with m.If(go):
                m.d.sync += [held.eq(following), alone.eq(following & ~valid_2)]
            m.d.comb += enabled.eq(alone | (held & ready))
            return held, enabled

        # Not `accept`: that `go` holds is known there.
        offered, begins = Signal(), Signal()
        fresh, load = enable(begins, "fresh", init=1)
        valid_1, beat_go = enable(offered, "valid")
        ends_row_1, row_go = enable(offered & beat.last, "ends_row")
        _, index_go = enable(offered | begins, "index", init=1)
        m.d.comb += [
            offered.eq(self.i.valid & supplied),
            begins.eq(Mux(offered, beat.last, fresh)),
        ]
        external = self.add_external(m, accept, supplied, fresh) if self.external else None

        # Stage 1: per term, the index and the offset whose sum is a bound.
        beat_1 = Signal(self.beat, reset_less=True)
        extra_1 = Signal(self.lanes, reset_less=True)
        alternative_1 = Signal(self.number.width, reset_less=True)
        flags = data.StructLayout(dict.fromkeys(("external", "segments", "turn", "flip"), 1))
        flags_1 = [Signal(flags, name=f"flags_{k}_1") for k in range(self.terms)]
        with m.If(go):
            m.d.sync += beat_1.eq(beat)
            if external is not None:
                m.d.sync += extra_1.eq(external)
        # OR is AND between inversions: those that meet between two terms are one, known from the
        # settings.
        inverted_1 = Signal(reset_less=True)
        # A single term has nothing ahead of it: it is joined to a one.
        or_before: Value = config.terms[0].invert if self.terms > 1 else Const(0)
        with m.If(load):
            m.d.sync += alternative_1.eq(self.alternative(config.alternative, config.value))
            for k, flag in enumerate(flags_1):
                term = config.terms[k]
                is_or = or_before if k == 0 else term.operation == Operation.OR
                m.d.sync += [
                    flag.external.eq(term.kind == Kind.EXTERNAL),
                    flag.segments.eq(term.kind == Kind.SEGMENTS),
                    flag.turn.eq(or_before ^ is_or),
                    flag.flip.eq(term.invert ^ is_or),
                ]
                or_before = is_or
            m.d.sync += inverted_1.eq(or_before)
        step = Signal()
        generator = Generator(
            m,
            config=config,
            lanes=self.lanes,
            index_bits=self.index_bits,
            segments=self.segments,
            kinds=self.built,
            go=step,
            fresh=fresh,
            load=load,
        )
        if self.indexed:
            generator.count(beat_go=beat_go, row_go=row_go, index_go=index_go, ends_row=ends_row_1)
            with m.If(beat_go & generator.too_long):
                m.d.sync += self.status.too_long.eq(1)

        # Stage 2: per lane and term, which bounds let it pass.
        beat_2 = Signal(self.beat, reset_less=True)
        extra_2 = Signal(self.lanes, reset_less=True)
        alternative_2 = Signal(self.number.width, reset_less=True)
        inverted_2 = Signal(reset_less=True)
        with m.If(go):
            m.d.sync += [
                inverted_2.eq(inverted_1),
                valid_2.eq(valid_1),
                beat_2.eq(beat_1),
                extra_2.eq(extra_1),
                alternative_2.eq(alternative_1),
            ]
        terms = []
        for k in range(self.terms):
            interval = generator.add_term(config.terms[k], name=f"term_{k}")
            flag = Signal(flags, name=f"flags_{k}_2", reset_less=True)
            with m.If(go):
                m.d.sync += flag.eq(flags_1[k])
            terms.append((interval, flag))

        # Stage 3: what the terms let pass, all but the last of them joined. The last AND and the
        # masking multiplexer stand behind the registers.
        joined, last = Signal(self.lanes), Signal(self.lanes)
        for k in range(self.lanes):
            mask: Any = Const(1)
            for n, (interval, flag) in enumerate(terms):
                passes = interval.holds(k)
                if self.external:
                    passes = passes & (extra_2[k] | ~flag.external)
                if self.segments:
                    passes = passes & (generator.segment.holds(k) | ~flag.segments)
                if n + 1 == len(terms):
                    m.d.comb += [joined[k].eq(mask), last[k].eq(passes)]
                else:
                    mask = passes if n == 0 else (mask ^ flag.turn) & (passes ^ flag.flip)
        valid_3, beat_3 = Signal(), Signal(self.beat, reset_less=True)
        joined_3, last_3 = Signal.like(joined, reset_less=True), Signal.like(last, reset_less=True)
        flag_3 = Signal(flags, reset_less=True)
        alternative_3 = Signal(self.number.width, reset_less=True)
        inverted_3 = Signal(reset_less=True)
        # The generator has a register and a gate of its own.
        empty_3 = Signal(init=1)
        with m.If(go):
            m.d.sync += [
                valid_3.eq(valid_2),
                empty_3.eq(~valid_2),
                beat_3.eq(beat_2),
                joined_3.eq(joined),
                last_3.eq(last),
                flag_3.eq(terms[-1][1]),
                alternative_3.eq(alternative_2),
                inverted_3.eq(inverted_2),
            ]
        passing = Signal(self.lanes)
        for k in range(self.lanes):
            both = (joined_3[k] ^ flag_3.turn) & (last_3[k] ^ flag_3.flip)
            m.d.comb += passing[k].eq(both ^ inverted_3)
        masked = Signal(self.beat)
        m.d.comb += [masked.keep.eq(beat_3.keep), masked.last.eq(beat_3.last)]
        for k in range(self.lanes):
            element = Value.cast(beat_3.data[k])
            m.d.comb += Value.cast(masked.data[k]).eq(Mux(passing[k], element, alternative_3))
        if self.mask_output:
            taken = add_marked_output(m, valid_3, masked, passing, o=self.o, o_mark=self.o_mask)
        else:
            m.d.comb += [self.o.valid.eq(valid_3), self.o.payload.eq(masked)]
            taken = self.o.ready
        m.d.comb += [
            ready.eq(taken),
            go.eq(~valid_3 | ready),
            step.eq(empty_3 | ready),
        ]
        self.watch_rows(m, valid_3 & go, beat_3, passing)
        return m

    def alternative(self, choice: Any, value: Value) -> Value:
        """Return the bits that stand for a masked element."""
        lowest = self.number.lowest_bits
        infinity = self.number.minus_infinity_bits
        finite = Mux(choice == Alternative.LOWEST, lowest, 0)
        infinite = Mux(
            choice == Alternative.MINUS_INFINITY, lowest if infinity is None else infinity, finite
        )
        return Mux(choice == Alternative.VALUE, value, infinite)

    def add_external(self, m: Module, accept: Value, supplied: Signal, fresh: Value) -> Value:
        """Add the mask stream; return its bits for the beat on ``i``."""
        m.submodules.aligner = aligner = MaskAligner(lanes=self.lanes, ratio=self.mask_ratio)
        beat = self.i.payload
        uses, held, wanted = Signal(), Signal(), Signal()
        kinds = [self.config.terms[k].kind == Kind.EXTERNAL for k in range(self.terms)]
        with m.If(accept):
            m.d.sync += held.eq(uses)
        count: Any = 0
        for k in range(self.lanes):
            count = Mux(beat.keep[k], k + 1, count)
        m.d.comb += [
            uses.eq(Mux(fresh, Cat(kinds).any(), held)),
            wanted.eq(uses & beat.keep[0]),
            supplied.eq(~wanted | aligner.available),
            aligner.i.valid.eq(self.i_mask.valid),
            aligner.i.payload.eq(self.i_mask.payload),
            self.i_mask.ready.eq(aligner.i.ready),
            aligner.count.eq(count),
            aligner.take.eq(accept & wanted),
        ]
        with m.If(aligner.take & aligner.short):
            m.d.sync += self.status.mask_short.eq(1)
        return aligner.bits

    def watch_rows(self, m: Module, moves: Value, beat: Any, mask: Value) -> None:
        """Set ``empty_row`` behind a row of which nothing passed."""
        # Looked at a cycle later, since the mask of a whole beat is a lot to look at.
        moved, last, seen, some = Signal(), Signal(), Signal(self.lanes), Signal()
        hit = seen.any()
        m.d.sync += [
            moved.eq(moves),
            last.eq(beat.last),
            seen.eq(mask & beat.keep),
            some.eq(beat.keep[0]),
        ]
        passed, elements = Signal(), Signal()
        with m.If(moved):
            m.d.sync += [
                passed.eq(~last & (passed | hit)),
                elements.eq(~last & (elements | some)),
            ]
            with m.If(last & (elements | some) & ~(passed | hit)):
                m.d.sync += self.status.empty_row.eq(1)
