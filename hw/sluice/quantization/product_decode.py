"""Blocks of numbers from indices of codewords."""

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay
from sluice.formats import FORMATS, find_format, unsigned_format
from sluice.params import Choice, Int
from sluice.quantization.codebook import Codebook, codebook_settings
from sluice.stream import Beat, Pipeline

__all__ = ["ProductDecode"]

_STAGES = 3


class ProductDecode(Block):
    """Give ``codebook[i]``: for each index a block of numbers, its codeword.

    Parameters
    ----------
    element : format
        Of the numbers, which pass as they are.
    lanes : int, 1..32
        Elements of a codeword.
    index_bits : int, 1..8
        Bits of an index; the codebook has ``2**index_bits`` codewords.

    Members
    -------
    i : In(stream.Signature(Beat(uintB, 1)))
        Indices; ``B = index_bits``.
    codebook : In(stream.Signature(Beat(element, lanes)))
        A packet of all codewords, one per beat. It is loaded, a codeword per cycle, when a packet
        of ``i`` has begun that took the one before.
    o : Out(stream.Signature(Beat(element, lanes)))
        For every index a beat with its codeword; for an empty packet an empty one.
    config : In(StructLayout({"fresh": 1, "spare": range(lanes)}))
        Sampled at the first beat of a packet of ``i``.

        - ``fresh``: this packet waits for the next one of ``codebook``, and it and all behind it
          are made with that; otherwise it is made with the codebook in use.
        - ``spare``: elements that the packet's last block has too many, where rows are no multiple
          of a block long: so many less are kept in the last beat.
    status : Out(StructLayout({"codebook": 1}))
        Sticky: a packet of ``codebook`` had too few codewords, of which the missing ones are those
        of two packets before, or too many, which are dropped. A codeword of which not all is kept
        is none.

    Attributes
    ----------
    latency : 5 cycles
        The memories, and the output queue.
    interval : 1 cycle
        One block per cycle, which nothing could better. A change of the codebook costs no cycle, if
        the packet before it that changed it began as many cycles ago as there are codewords, and 2.

    Notes
    -----
    ``i.ready`` depends on ``config`` in the same cycle. Reset drops what is on the way; what the
    memories hold is lost, as another codebook must be the first thing that is used.

    For fewer codewords, repeat one of them. The field ``spare`` has at least one bit; with as many
    as ``lanes`` or more nothing is kept of the last block.

    ``sluice run`` sends an empty packet ahead that takes the codebook, unless it is told
    ``--config fresh=each``: then there is a codebook for each packet.

    Method: A. Fan et al., Training with Quantization Noise for Extreme Model Compression, 2020.
    Golden model: :func:`sluice_sim.golden.codebook.product_decode`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    codebook: stream.Interface
    o: stream.Interface
    config: Any
    status: Any
    interval = 1
    # Cycles that a change of the codebook takes besides one for each codeword.
    gap = 2

    PARAMETERS = (
        Choice("element", "number format of the elements", tuple(FORMATS)),
        Int("lanes", "elements of a codeword", 1, 32),
        Int("index_bits", "bits of an index", 1, 8, "bits"),
    )

    def __init__(self, *, element: str = "bf16", lanes: int = 8, index_bits: int = 8):
        self.check(element=element, lanes=lanes, index_bits=index_bits)
        self.element: str
        self.lanes: int
        self.index_bits: int
        self.count = 1 << self.index_bits
        self.i_beat = Beat(unsigned_format(self.index_bits), 1)
        self.beat = Beat(find_format(self.element), self.lanes)
        settings = data.StructLayout({"fresh": 1, "spare": range(max(2, self.lanes))})
        entry = data.StructLayout({"i": self.i_beat, "spare": settings["spare"].shape, "bank": 1})
        self.pipeline = Pipeline(i_shape=entry, o_shape=self.beat, stages=_STAGES, read_ahead=True)
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "codebook": In(stream.Signature(self.beat)),
                "o": Out(stream.Signature(self.beat)),
                "config": In(settings),
                "status": Out(data.StructLayout({"codebook": 1})),
            }
        )

    def read_settings(self, texts: Mapping[str, str], *, packets: int) -> list[dict[str, int]]:
        return codebook_settings(texts)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        book = Codebook(m, self.codebook, i=self.i, config=self.config, bits=self.index_bits)
        m.d.comb += [
            pipeline.i.valid.eq(self.i.valid & ~book.waits),
            self.i.ready.eq(pipeline.i.ready & ~book.waits),
            pipeline.i.payload.i.eq(self.i.payload),
            pipeline.i.payload.spare.eq(book.settings.spare),
            pipeline.i.payload.bank.eq(book.bank ^ book.changes),
        ]
        entry = pipeline.entry
        at = delay(m, "at", Value.cast(entry.i.data), 1)
        (word,) = book.read(delay(m, "at_bank", entry.bank, 1), at)
        spare, beat = delay(m, "spare", entry.spare, 1), entry.i
        last, some = delay(m, "last", beat.last, 1), delay(m, "some", beat.keep, 1)
        keep = Cat(some & ~(last & (spare >= self.lanes - k)) for k in range(self.lanes))
        ends = delay(m, "ends", Cat(keep, last), _STAGES - 1)
        m.d.comb += Value.cast(pipeline.result).eq(Cat(word, ends))
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        with m.If(book.wrong):
            m.d.sync += self.status.codebook.eq(1)
        return m
