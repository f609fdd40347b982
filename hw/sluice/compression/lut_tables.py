"""What the two blocks of the codec with tables have in common: formats, and the tables."""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice.formats import Float, find_format, unsigned_format
from sluice.params import Choice, Int
from sluice.store import Store
from sluice.stream import Beat

__all__ = ["ELEMENTS", "LUT_PARAMETERS", "LutFormat", "Table", "TableLoader"]

# Tables of up to so many bits of index are in logic.
_LOGIC = 5
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


class Table:
    """One lane's copy of a table in two banks, read in two cycles.

    Few entries are in logic, a memory for each bank, so that the choice between the banks comes a
    cycle later than the word. Many are in one memory, which may be block RAM.

    Parameters
    ----------
    width : int, bits
        Of an entry.
    bits : int
        Of an address within a bank, which may be none.
    """

    def __init__(self, m: Module, name: str, *, width: int, bits: int):
        self.m, self.name, self.bits = m, name, bits
        # An address has at least one bit.
        banks = 2 if 0 < bits <= _LOGIC else 1
        self.stores = [
            Store(m, f"{name}_{k}", shape=width, depth=2 // banks << bits) for k in range(banks)
        ]

    def write(self, en: Value, bank: Value, at: Value, word: Value) -> None:
        """Write ``word`` where ``en`` is set."""
        single = len(self.stores) == 1
        for k, store in enumerate(self.stores):
            self.m.d.comb += [
                store.write.en.eq(en if single else en & (bank == k)),
                store.write.addr.eq(Cat(at[: self.bits], bank)),
                store.write.data.eq(word),
            ]

    def read(self, bank: Value, at: Value) -> Value:
        """Return the entry of two cycles ago."""
        for store in self.stores:
            self.m.d.comb += store.at.eq(Cat(at, bank))
        found = self.stores[0].o
        if len(self.stores) > 1:
            late = delay(self.m, f"{self.name}_bank", bank, 1)
            found = Mux(late, self.stores[1].o, found)
        return delay(self.m, f"{self.name}_found", found, 1)


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
        A packet has been loaded, and not been taken. Its last entry is given in the cycle before,
        and may be written in this one.
    wrong : Signal
        A packet ended too soon or too late, some cycles ago.
    word : Signal
        An entry,
    writes : list of 1 bit
        which goes into this table,
    at : Signal
        at this place.
    """

    def __init__(self, m: Module, i: Any, counts: tuple[int, ...], *, taken: Any):
        place, table = Signal(range(max(2, *counts))), Signal(range(len(counts) + 1))
        self.full, self.wrong = Signal(name="loaded"), Signal(name="load_wrong")
        done, whole = Signal(), Signal()
        ends = i.valid & ~done & i.payload.last
        moved, ended = Signal(name="entry_moved"), Signal(name="entry_ended")
        self.word = Signal(len(Value.cast(i.payload.data[0])), name="entry", reset_less=True)
        self.at = place
        self.writes = [moved & (table == k) for k in range(len(counts))]
        m.d.comb += i.ready.eq(~done)
        m.d.sync += [
            moved.eq(i.valid & ~done & i.payload.keep[0]),
            ended.eq(ends),
            self.word.eq(Value.cast(i.payload.data[0])),
            self.full.eq(done & ~Value.cast(taken)),
            self.wrong.eq((ended & ~whole) | (moved & (table == len(counts)))),
        ]
        with m.If(ends):
            m.d.sync += done.eq(1)
        with m.Elif(taken):
            m.d.sync += done.eq(0)
        # Whether this place is the table's last one is known ahead.
        at_last = Signal(init=counts[0] == 1)
        with m.If(moved):
            m.d.sync += place.eq(place + 1)
            for k, count in enumerate(counts):
                with m.If(table == k):
                    m.d.sync += at_last.eq(place == count - 2)
            with m.If(at_last):
                m.d.sync += [place.eq(0), table.eq(table + 1)]
                for k, count in enumerate(counts[1:]):
                    with m.If(table == k):
                        m.d.sync += at_last.eq(count == 1)
            m.d.comb += whole.eq(at_last & (table == len(counts) - 1))
        # What there is too much of goes nowhere.
        with m.If(moved & (table == len(counts))):
            m.d.sync += [table.eq(table), at_last.eq(0)]
        with m.If(ended):
            m.d.sync += [place.eq(0), table.eq(0), at_last.eq(counts[0] == 1)]
