"""What the two blocks of the codec with tables have in common: formats, and the tables."""

from dataclasses import dataclass
from typing import Any

from amaranth import Module, Signal, Value

from sluice.formats import FORMATS, Float, find_format, unsigned_format
from sluice.params import Choice, Int
from sluice.stream import Beat

__all__ = ["LUT_PARAMETERS", "LutFormat", "TableLoader"]

ELEMENTS = ("bf16", "fp16", "tf32", "fp32")
LUT_PARAMETERS = (
    Choice("element", "number format of the weights", ELEMENTS),
    Int("lanes", "weights per beat", 1, 32),
    Int("exponent_bits", "bits of an index of an exponent", 1, 8, "bits"),
    Int("fraction_bits", "bits of an index of a fraction", 1, 8, "bits"),
)


@dataclass(frozen=True)
class LutFormat:
    """Formats of the streams.

    Attributes
    ----------
    number : Float
        Of the weights.
    exponents, fractions : int
        Entries of the tables; the exponents' index of all ones is the escape.
    """

    element: str
    lanes: int
    exponent_bits: int
    fraction_bits: int

    def __post_init__(self) -> None:
        for field, most in (
            ("exponent_bits", self.number.exponent_bits),
            ("fraction_bits", self.number.fraction_bits),
        ):
            if getattr(self, field) > most:
                raise ValueError(
                    f"{field} must be at most {most}, those of {self.element}, "
                    f"not {getattr(self, field)}"
                )

    @property
    def number(self) -> Float:
        number = find_format(self.element)
        assert isinstance(number, Float)
        return number

    @property
    def exponents(self) -> int:
        return (1 << self.exponent_bits) - 1

    @property
    def fractions(self) -> int:
        return 1 << self.fraction_bits

    @property
    def code_width(self) -> int:
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def words_beat(self) -> Beat:
        return Beat(self.number, self.lanes)

    @property
    def codes_beat(self) -> Beat:
        return Beat(unsigned_format(self.code_width), self.lanes)

    @property
    def raw_beat(self) -> Beat:
        return Beat(self.number, 1)

    @property
    def entry_width(self) -> int:
        """Bits of a word that carries an entry of either table."""
        return max(self.number.exponent_bits, self.number.fraction_bits)

    @property
    def entries_beat(self) -> Beat:
        return Beat(unsigned_format(self.entry_width), 1)


class TableLoader:
    """Takes a packet of entries, one per beat, for memories of two banks.

    Parameters
    ----------
    m : Module
    i : stream of Beat(entry, 1)
    counts : tuple of int
        How many entries of each table a packet has, one table behind the other.
    taken : 1 bit
        What was loaded is in use, and another packet may overwrite what was in use before.

    Attributes
    ----------
    full : Signal
        A packet has been loaded, and not been taken.
    wrong : Signal
        A packet ended too soon or too late, some cycle ago.
    word : Signal
        An entry,
    writes : list of Signal
        which goes into this table in this cycle,
    at : Signal
        at this place.
    """

    def __init__(self, m: Module, i: Any, counts: tuple[int, ...], *, taken: Any):
        place, table = Signal(range(max(2, *counts))), Signal(range(len(counts) + 1))
        self.full, self.wrong = Signal(name="loaded"), Signal(name="load_wrong")
        self.word = Signal(len(Value.cast(i.payload.data[0])), name="entry", reset_less=True)
        self.at = Signal.like(place, name="entry_at", reset_less=True)
        self.writes = [Signal(name=f"entry_of_{k}") for k in range(len(counts))]
        done, moves, ends, whole = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            i.ready.eq(~done),
            moves.eq(i.valid & ~done & i.payload.keep[0]),
            ends.eq(i.valid & ~done & i.payload.last),
        ]
        m.d.sync += [
            self.word.eq(Value.cast(i.payload.data[0])),
            self.at.eq(place),
            # An entry is written a cycle after it was taken.
            self.full.eq(done & ~Value.cast(taken)),
            self.wrong.eq((ends & ~whole) | (moves & (table == len(counts)))),
            *(writes.eq(moves & (table == k)) for k, writes in enumerate(self.writes)),
        ]
        with m.If(moves):
            m.d.sync += place.eq(place + 1)
        for k, count in enumerate(counts):
            with m.If(moves & (table == k) & (place == count - 1)):
                m.d.sync += [place.eq(0), table.eq(k + 1)]
                if k == len(counts) - 1:
                    m.d.comb += whole.eq(1)
        with m.If(ends):
            m.d.sync += [place.eq(0), table.eq(0), done.eq(1)]
        with m.If(taken):
            m.d.sync += done.eq(0)
