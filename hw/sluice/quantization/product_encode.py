"""Indices of the codewords that are nearest to blocks of numbers."""

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.multiplier import Multiplier
from sluice.block import Block
from sluice.compression.gather_sums import add_up
from sluice.delay import delay, delay_line
from sluice.formats import Fixed, find_format, unsigned_format
from sluice.params import Choice, Int
from sluice.quantization.codebook import Codebook, codebook_settings
from sluice.sparsity.bitmaps import show_bits
from sluice.stream import Beat, Pipeline

__all__ = ["ProductEncode"]

SOURCES = ("int8", "int4", "int16", "uint8")
# To the codewords, to the differences, and to their squares.
_READ, _DIFFER, _SQUARE = 3, 1, 3


class ProductEncode(Block):
    """Give ``argmin(sum((i - codebook)**2))``: for each block the nearest codeword's index.

    Parameters
    ----------
    element : format
        Of the numbers: an integer.
    lanes : int, 1..32
        Elements of a block, and of a codeword.
    index_bits : int, 1..8
        Bits of an index; the codebook has ``2**index_bits`` codewords.
    engines : int, 1..256
        Codewords that a block is compared with per cycle, a power of two and not more than there
        are. Each engine has a multiplier for each lane.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
        A block per beat. Elements that are not kept do not count.
    codebook : In(stream.Signature(Beat(element, lanes)))
        A packet of all codewords, one per beat. It is loaded, a codeword per cycle, when a packet
        of ``i`` has begun that took the one before.
    o : Out(stream.Signature(Beat(uintB, 1)))
        For every block an index, the first one of those that are as near; ``B = index_bits``. For
        an empty packet an empty one.
    squares : Out(stream.Signature(Beat(uintD, 1)))
        For every index the squared distance, with as many bits as the largest one has, or 32;
        a larger one is ``2**32 - 1``.
    config : In(StructLayout({"fresh": 1}))
        Sampled at the first beat of a packet of ``i``: this packet waits for the next one of
        ``codebook``, and it and all behind it are compared with that; otherwise it is compared with
        the codebook in use.
    status : Out(StructLayout({"codebook": 1}))
        Sticky: a packet of ``codebook`` had too few codewords, of which the missing ones are those
        of two packets before, or too many, which are dropped. A codeword of which not all is kept
        is none.

    Attributes
    ----------
    latency : int, cycles
        ``2**index_bits / engines`` for the codewords, 10 more, and one for each time that the
        lanes can be halved, rounded up, and for each time that the engines can.
    interval : int, cycles
        ``2**index_bits / engines`` per block, in each of which every multiplier is busy. A change
        of the codebook costs no cycle, if the packet before it that changed it began as many cycles
        ago as there are codewords, and 2.

    Notes
    -----
    ``i.ready`` depends on ``config`` in the same cycle. Either output may take a beat before the
    other. Reset drops what is on the way; what the memories hold is lost, as another codebook must
    be the first thing that is used.

    Distances are exact. For fewer codewords, repeat one of them behind it: no copy is the first.

    ``sluice run`` sends an empty packet ahead that takes the codebook, unless it is told
    ``--config fresh=each``: then there is a codebook for each packet.

    Method: A. Fan et al., Training with Quantization Noise for Extreme Model Compression, 2020.
    Golden model: :func:`sluice_sim.golden.codebook.product_encode`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or there are more engines than
        codewords.
    """

    i: stream.Interface
    codebook: stream.Interface
    o: stream.Interface
    squares: stream.Interface
    config: Any
    status: Any
    # Cycles that a change of the codebook takes besides one for each codeword.
    gap = 2

    PARAMETERS = (
        Choice("element", "number format of the elements", SOURCES),
        Int("lanes", "elements of a block", 1, 32),
        Int("index_bits", "bits of an index", 1, 8, "bits"),
        Int("engines", "codewords compared per cycle", 1, 256, power_of_two=True),
    )

    def __init__(
        self, *, element: str = "int8", lanes: int = 8, index_bits: int = 8, engines: int = 8
    ):
        self.check(element=element, lanes=lanes, index_bits=index_bits, engines=engines)
        self.element: str
        self.lanes: int
        self.index_bits: int
        self.engines: int
        self.count = 1 << self.index_bits
        if self.engines > self.count:
            raise ValueError(f"engines must be at most {self.count}, as codewords, not {engines}")
        number = find_format(self.element)
        assert isinstance(number, Fixed)
        self.number = number
        self.rows = self.count // self.engines
        self.levels = (self.lanes - 1).bit_length()
        # Of the sum of squares of differences without their sign.
        self.exact_bits = 2 * number.width + self.levels
        self.square_bits = min(32, self.exact_bits)
        self.beat = Beat(number, self.lanes)
        self.o_beat = Beat(unsigned_format(self.index_bits), 1)
        self.squares_beat = Beat(unsigned_format(self.square_bits), 1)
        entry = data.StructLayout(
            {
                "block": self.beat,
                "bank": 1,
                "row": max(1, (self.rows - 1).bit_length()),
                # It is the block's first row, or its last one.
                "begins": 1,
                "ends": 1,
            }
        )
        found = data.StructLayout({"o": self.o_beat, "square": self.square_bits})
        self.stages = _READ + _DIFFER + _SQUARE + self.levels + self.engines.bit_length()
        self.pipeline = Pipeline(i_shape=entry, o_shape=found, stages=self.stages, chooses=True)
        self.latency = self.rows + self.pipeline.latency
        self.interval = self.rows
        super().__init__(
            {
                "i": In(stream.Signature(self.beat)),
                "codebook": In(stream.Signature(self.beat)),
                "o": Out(stream.Signature(self.o_beat)),
                "squares": Out(stream.Signature(self.squares_beat)),
                "config": In(data.StructLayout({"fresh": 1})),
                "status": Out(data.StructLayout({"codebook": 1})),
            }
        )

    def read_settings(self, texts: Mapping[str, str], *, packets: int) -> list[dict[str, int]]:
        return codebook_settings(texts)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        book = Codebook(
            m,
            self.codebook,
            i=self.i,
            config=self.config,
            bits=self.index_bits,
            engines=self.engines,
        )
        self._go_through(m, book)
        entry = pipeline.entry
        words = book.read(delay(m, "bank", entry.bank, 1), delay(m, "row", entry.row, 1))
        block = delay(m, "block", Value.cast(entry.block), _READ)
        distances = [self._measure(m, e, block, word) for e, word in enumerate(words)]
        self._choose(m, distances)
        found: Any = pipeline.o.payload
        come = stream.Signature(self.o_beat).create()
        m.d.comb += [
            come.valid.eq(pipeline.o.valid),
            pipeline.o.ready.eq(come.ready),
            come.payload.eq(found.o),
        ]
        show_bits(m, come, found.square, o=wiring.flipped(self.o), bits_o=self.squares)
        with m.If(book.wrong):
            m.d.sync += self.status.codebook.eq(1)
        return m

    def _go_through(self, m: Module, book: Codebook) -> None:
        """Hold a block while it meets all rows of codewords; take the next one with the last."""
        turn = self.pipeline.i.payload
        block = Signal(self.beat, name="held", reset_less=True)
        busy, begins, ends = Signal(), Signal(), Signal()
        row = Signal(len(turn.row))
        goes, ready = Signal(), Signal()
        m.d.comb += [
            goes.eq(busy & self.pipeline.i.ready),
            ready.eq(~busy | (self.pipeline.i.ready & ends)),
            self.i.ready.eq(ready & ~book.waits),
            self.pipeline.i.valid.eq(busy),
            turn.block.eq(block),
            turn.bank.eq(book.bank),
            turn.row.eq(row),
            turn.begins.eq(begins),
            turn.ends.eq(ends),
        ]
        with m.If(ready):
            m.d.sync += [
                block.eq(self.i.payload),
                busy.eq(self.i.valid & ~book.waits),
                begins.eq(1),
                ends.eq(self.rows == 1),
                row.eq(0),
            ]
        with m.Elif(goes):
            m.d.sync += [begins.eq(0), row.eq(row + 1), ends.eq(row == self.rows - 2)]
        m.d.comb += self.pipeline.gives.eq(self.pipeline.entry.ends)

    def _measure(self, m: Module, e: int, block: Value, word: Value) -> Value:
        """Return the squared distance of a block and a codeword."""
        width = self.number.width
        keep = block[self.beat.data_bits :]
        squares: list[Value] = []
        for k in range(self.lanes):
            a, b = (v.word_select(k, width) for v in (block, word))
            if self.number.is_signed:
                a, b = a.as_signed(), b.as_signed()
            difference = Signal((a - b).shape(), name=f"difference_{e}_{k}", reset_less=True)
            m.d.sync += difference.eq(Mux(keep[k], a - b, 0))
            bits = width + 1
            m.submodules[f"square_{e}_{k}"] = unit = Multiplier(
                a_width=bits, b_width=bits, signed=True, stages=_SQUARE
            )
            m.d.comb += [unit.a.eq(difference), unit.b.eq(difference)]
            # No square of a difference needs the bits of a sign.
            squares.append(Value.cast(unit.p)[: 2 * width])
        return add_up(m, f"distance_{e}", squares)[0][: self.exact_bits]

    def _choose(self, m: Module, distances: list[Value]) -> None:
        """Give the index of the least distance of a block's, and of equal ones the first."""
        pipeline = self.pipeline
        entry = pipeline.entry
        flags = Cat(
            pipeline.entry_valid, entry.begins, entry.block.keep.any(), entry.block.last, entry.row
        )
        flags = delay_line(m, "flags", flags, self.stages - 1)
        valid, begins, ends, row = flags[0], flags[1], flags[2:4], flags[4:]
        near = [(distance, Const(0, 0)) for distance in distances]
        level = 0
        while len(near) > 1:
            nearer: list[tuple[Value, Value]] = []
            for k, ((one, at), (other, other_at)) in enumerate(
                zip(near[::2], near[1::2], strict=True)
            ):
                less = other < one
                pair = Cat(Mux(less, other, one), Mux(less, other_at, at), less)
                found = delay(m, f"nearer_{level}_{k}", pair, 1)
                nearer.append((found[: len(one)], found[len(one) :]))
            near, level = nearer, level + 1
        ((distance, engine),) = near
        least = Signal(self.exact_bits, reset_less=True)
        best = Signal(self.index_bits, reset_less=True)
        beat = Signal(2, reset_less=True)
        with m.If(valid & (begins | (distance < least))):
            m.d.sync += [least.eq(distance), best.eq(Cat(engine, row))]
        m.d.sync += beat.eq(ends)
        result: Any = pipeline.result
        above = least[self.square_bits :].any()
        m.d.comb += [
            Value.cast(result.o).eq(Cat(best, beat)),
            result.square.eq(least[: self.square_bits] | above.replicate(self.square_bits)),
        ]
