"""Add a compact gradient to the rows of the weights that it belongs to."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith import MultiplyAddUnit
from sluice.arith.floats import FLOATS, find_floats
from sluice.block import Block
from sluice.delay import delay, delay_line
from sluice.formats import find_format
from sluice.params import Choice, Int
from sluice.store import Store
from sluice.stream import Beat, Pipeline, SkidBuffer, sample_settings

__all__ = ["SparseUpdate"]

# From a beat's address at the memory to its word in the register behind.
_FETCH = 2


class SparseUpdate(Block):
    """Keep rows of weights in a memory, and add a multiple of a gradient to those that are named.

    Parameters
    ----------
    element : format
        Floating-point format of weights, gradient and rate.
    lanes : int, 1..64
        Elements per beat.
    rows : int, 2..65536
        Of weights, a power of two.
    beats : int, 1..256
        Of a row, a power of two.
    index : format
        Of the numbers of rows.
    stages : int, 0..18
        Registers in the multiply-add.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
        A row is a packet, of at most ``beats`` beats.
    row : In(stream.Signature(Beat(index, 1)))
        Which row of the weights each packet of ``i`` is; where these packets end does not matter.
    o : Out(stream.Signature(Beat(element, lanes)))
        The row as it is then.
    config : In(StructLayout({"store": 1, "rate": element}))
        Sampled at the first beat of a packet of ``i``. With ``store`` the packet becomes the row;
        without, the row becomes ``row + rate * packet``, rounded once, to nearest even. What
        descends along a gradient has a negative rate.
    status : Out(StructLayout({"out_of_range": 1}))
        Sticky: there is no such row. ``o`` has what its number modulo ``rows`` would become.

    Attributes
    ----------
    latency : cycles
        From a beat on ``i``, if its row is named, to the same beat on ``o``.
    interval : 1 cycle
        Between beats, of which none is for a place of the memory that one of the last ``loop``
        beats is for; otherwise so many cycles go by between these two.
    loop : int, cycles
        From reading a word of weights to writing it.

    Notes
    -----
    The rows of a compact gradient are those of the columns that are not empty, each once
    (:class:`sluice.sparsity.SparseEncoder`), and then nothing ever waits. All packets of a row have
    as many elements; lanes that the last beat of a row does not have are anything, and so are rows
    that were never stored. A gradient of zeros reads a row. Reset leaves the weights alone, but for
    beats on the way.

    Method: US12008475 (parameters are addressed by the vector of the columns that are not empty).
    Golden model: :func:`sluice_sim.golden.sparse.update_row`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    row: stream.Interface
    o: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("element", "format of weights, gradient and rate", FLOATS),
        Int("lanes", "elements per beat", 1, 64),
        Int("rows", "rows of weights, a power of two", 2, 65536, "rows", power_of_two=True),
        Int("beats", "beats of a row, a power of two", 1, 256, "beats", power_of_two=True),
        Choice("index", "number format of rows", ("uint4", "uint8", "uint16", "uint32")),
        Int("stages", "registers in the multiply-add", 0, 18, "cycles"),
    )

    def __init__(
        self,
        *,
        element: str = "bf16",
        lanes: int = 8,
        rows: int = 512,
        beats: int = 4,
        index: str = "uint16",
        stages: int = 18,
    ):
        self.check(element=element, lanes=lanes, rows=rows, beats=beats, index=index, stages=stages)
        self.element: str
        self.lanes: int
        self.rows: int
        self.beats: int
        self.stages: int
        self.number, _ = find_floats(self.element, self.element)
        self.index_number = find_format(index)
        self.beat, self.row_beat = Beat(self.number, self.lanes), Beat(self.index_number, 1)
        self.units = [
            MultiplyAddUnit(source=self.number, target=self.number, stages=self.stages)
            for _ in range(self.lanes)
        ]
        for unit in self.units:
            unit._MustUse__silence = True  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
        self.loop = _FETCH + self.units[0].latency
        settings = data.StructLayout({"store": 1, "rate": self.number.width})
        self.places = self.rows * self.beats
        entry = data.StructLayout(
            {"i": self.beat, "settings": settings, "at": range(self.places), "fits": 1}
        )
        # A word of weights is written in this cycle.
        self.writes, self.writes_at = Signal(), Signal(range(self.places))
        self.front = SkidBuffer(shape=entry)
        self.pipeline = Pipeline(i_shape=entry, o_shape=self.beat, stages=self.loop)
        self.latency = self.front.latency + self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.beat)),
                "row": In(stream.Signature(self.row_beat)),
                "o": Out(stream.Signature(self.beat)),
                "config": In(settings),
                "status": Out(data.StructLayout({"out_of_range": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.front, m.submodules.pipeline = front, pipeline = self.front, self.pipeline
        self._join(m)

        # Places of the beats whose words are not written yet. Those that reset drops stay here for
        # as long, and hold up at most a beat that is for the same place.
        come: Any = front.o.payload
        comes = pipeline.entry_valid
        at = Value.cast(come.at)
        there: list[Value] = [comes]
        ages: list[Value] = [at]
        for age in range(1, self.loop + 1):
            ages.append(delay(m, f"at_{age}", ages[-1], 1))
            there.append(delay(m, f"there_{age}", there[-1], 1))
        waits = Cat(there[k] & (ages[k] == at) for k in range(1, self.loop + 1)).any()
        m.d.comb += [
            pipeline.i.valid.eq(front.o.valid & ~waits),
            front.o.ready.eq(pipeline.i.ready & ~waits),
            pipeline.i.payload.eq(come),
        ]
        with m.If(comes & ~come.fits):
            m.d.sync += self.status.out_of_range.eq(1)

        width = self.number.width
        store = Store(m, "weights", shape=width * self.lanes, depth=self.places)
        m.d.comb += store.at.eq(pipeline.entry.at)
        word = delay(m, "word", store.o, 1)
        given = pipeline.entry
        beat = delay(m, "beat", Cat(Value.cast(given.i), given.settings), _FETCH)
        words, rate = beat[: self.beat.data_bits], beat[-width:]
        late = delay_line(m, "late", beat[:-width], self.units[0].latency)
        found: list[Value] = []
        for k, unit in enumerate(self.units):
            m.submodules[f"lane_{k}"] = unit
            m.d.comb += [
                unit.a.eq(words.word_select(k, width)),
                unit.b.eq(rate),
                unit.c.eq(word.word_select(k, width)),
            ]
            found.append(Mux(late[-1], late.word_select(k, width), unit.o))
        made = Cat(*found)
        m.d.comb += Value.cast(pipeline.result).eq(Cat(made, late[self.beat.data_bits : -1]))
        fits = delay_line(m, "fits", comes & given.fits, self.loop)
        m.d.comb += [
            self.writes.eq(pipeline.result_valid & fits),
            self.writes_at.eq(ages[-1]),
            store.write.en.eq(self.writes),
            store.write.addr.eq(self.writes_at),
            store.write.data.eq(made),
        ]
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        return m

    def _join(self, m: Module) -> None:
        """Give every beat its place: the row that its packet has the number of, and which beat."""
        i, row, front = self.i, self.row, self.front
        settings = sample_settings(m, self.config, i)
        first, place = Signal(init=1), Signal(range(max(2, self.beats)))
        held = Signal(self.index_number.width, reset_less=True)
        number = Mux(first, Value.cast(row.payload.data), held)
        named = ~first | (row.valid & row.payload.keep[0])
        takes = Signal()
        m.d.comb += [
            front.i.valid.eq(i.valid & named),
            i.ready.eq(front.i.ready & named),
            takes.eq(i.valid & named & front.i.ready),
            # One without an element, which an empty list has, names no row.
            row.ready.eq((takes & first) | (row.valid & ~row.payload.keep[0])),
        ]
        with m.If(takes):
            m.d.sync += [
                first.eq(i.payload.last),
                place.eq(Mux(i.payload.last, 0, place + 1)),
                held.eq(number),
            ]
        low, high = self.beats.bit_length() - 1, self.rows.bit_length() - 1
        entry: Any = front.i.payload
        m.d.comb += [
            entry.i.eq(i.payload),
            entry.settings.eq(settings),
            Value.cast(entry.at).eq(Cat(place[:low], number[:high])),
            entry.fits.eq(~number[high:].any()),
        ]
