"""The steps of a product of a sparse matrix and a dense one: which words meet, cycle by cycle."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.counts import Left
from sluice.sparsity.sparse_command import command_layout
from sluice.stream import Beat

__all__ = ["Walk", "step_layout"]


def step_layout(width: int, count_bits: int, slices: int) -> data.StructLayout:
    """Return the layout of a step.

    Members
    -------
    valid : 1
    drains : 1
        Sums leave and are cleared; otherwise a product is added to some.
    value : width
        The non-zero.
    row, place : count_bits
        Its row and its column; the row of the sums that leave.
    piece : range(slices)
        Which beat of the row of the dense matrix.
    way : range(slices)
        Which of the words of the row of sums.
    first, puts : 1
        Sums that leave are those of the first bank; and of the last one, so that they are whole.
    """
    piece = range(slices)
    return data.StructLayout(
        {
            **dict.fromkeys(("valid", "drains"), 1),
            "value": width,
            **dict.fromkeys(("row", "place"), count_bits),
            **dict.fromkeys(("piece", "way"), piece),
            **dict.fromkeys(("first", "puts"), 1),
        }
    )


class Walk(wiring.Component):
    """Give a step per cycle: first those of the non-zeros, then those of the sums.

    After reset all sums are cleared.

    Parameters
    ----------
    values, places : Beat
        Of the non-zeros.
    sums, slices : int, powers of two
        Rows of sums, and words of each.
    settle : int, cycles
        From a step to one that may read what it wrote.
    count_bits : int

    Members
    -------
    commands : In(stream.Signature(command_layout(count_bits)))
    a : In(stream.Signature(values))
        A packet is a row.
    place : In(stream.Signature(places))
        An element for each of ``a``.
    full : In(1)
        Rows of the dense matrix are there.
    room : In(1)
        There is a place for ``slices`` results.
    multiplied : Out(1)
        This is the last cycle that takes a non-zero of the command.
    now : Out(command_layout(count_bits))
        The command under way.
    step : Out(step_layout(...))
    """

    commands: stream.Interface
    a: stream.Interface
    place: stream.Interface
    full: Signal
    room: Signal
    multiplied: Signal
    now: Any
    step: Any

    def __init__(
        self,
        *,
        values: Beat,
        places: Beat,
        sums: int,
        slices: int,
        settle: int,
        count_bits: int,
    ):
        self.sums, self.slices = sums, slices
        self.settle, self.count_bits = settle, count_bits
        self.bits = slices.bit_length() - 1
        command = command_layout(count_bits)
        # To begin with.
        everything = {"o_rows": sums, "slices": self.bits}
        super().__init__(
            {
                "commands": In(stream.Signature(command)),
                "a": In(stream.Signature(values)),
                "place": In(stream.Signature(places)),
                "full": In(1),
                "room": In(1),
                "multiplied": Out(1),
                "now": Out(command, init=everything),  # pyright: ignore[reportCallIssue] (not in the stubs)
                "step": Out(step_layout(values.element_width, count_bits, slices)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        whole = self.slices - 1
        # Of the banks and of the slices, less one.
        self.banks, self.pieces = Signal(self.bits), Signal(self.bits, init=whole)
        # Nothing leaves the first time.
        self.silent, self.drained = Signal(init=1), Signal()
        self.row, self.base = Signal(self.count_bits), Signal(self.count_bits + 1)
        self.piece, self.way, self.bank = (Signal(self.bits) for _ in range(3))
        self.next_step: Any = Signal(self.step.shape())
        left = Left("rows_left", self.count_bits)
        m.d.sync += self.step.eq(self.next_step)
        wait = Signal(range(self.settle + 1))
        command = self.commands.payload
        with m.FSM(init="DRAIN"):
            with m.State("IDLE"):
                m.d.comb += self.commands.ready.eq(1)
                m.d.sync += [self.now.eq(command), *left.begin(command.a_rows)]
                m.d.sync += [self.row.eq(0), self.silent.eq(0), self.drained.eq(0)]
                m.d.sync += self.pieces.eq((1 << command.slices) - 1)
                m.d.sync += self.banks.eq(whole >> command.slices)
                with m.If(self.commands.valid):
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.sync += wait.eq(self.settle)
                with m.If(self.full):
                    self._multiply(m, left)
                with m.If(self.multiplied):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += wait.eq(wait - 1)
                m.d.sync += [self.piece.eq(0), self.bank.eq(0), self.base.eq(0)]
                with m.If(wait == 1):
                    m.next = "DRAIN"
                    with m.If(self.drained | self.now.hold):
                        m.next = "IDLE"
            with m.State("DRAIN"):
                ends = self._drain(m)
                m.d.sync += [wait.eq(self.settle), self.drained.eq(1), self.way.eq(0)]
                with m.If(ends):
                    m.next = "SETTLE"
        # A list that is empty has a beat without an element.
        with m.If(~self.place.payload.keep.any()):
            m.d.comb += self.place.ready.eq(1)
        return m

    def _multiply(self, m: Module, left: Left) -> None:
        """Take non-zeros: each meets the slices of a row, one after the other."""
        a, place, step = self.a.payload, self.place.payload, self.next_step
        takes, ends, comes = Signal(), Signal(), Signal()
        m.d.comb += [
            comes.eq(self.place.valid & place.keep[0]),
            takes.eq(self.a.valid & a.keep[0] & comes),
            ends.eq(self.piece == self.pieces),
            self.a.ready.eq(~a.keep[0] | (comes & ends)),
            self.place.ready.eq(takes & ends),
            step.valid.eq(takes),
            step.value.eq(Value.cast(a.data)),
            step.row.eq(self.row),
            step.place.eq(Value.cast(place.data)),
            step.piece.eq(self.piece),
            step.way.eq(self.way),
        ]
        with m.If(takes):
            m.d.sync += [self.piece.eq(Mux(ends, 0, self.piece + 1)), self.way.eq(self.way + 1)]
        with m.If(self.a.valid & self.a.ready & a.last):
            m.d.sync += [self.row.eq(self.row + 1), *left.step()]
            m.d.comb += self.multiplied.eq(left.last)

    def _drain(self, m: Module) -> Value:
        """Read sums: of as many at a time as a row has words, one bank after the other."""
        step, now = self.next_step, self.now
        begins, goes, ends, final = Signal(), Signal(), Signal(), Signal()
        following = Signal(self.count_bits + 1)
        piece = self.piece & self.pieces
        m.d.comb += [
            begins.eq(~self.piece.any() & ~self.bank.any()),
            goes.eq(~begins | self.room),
            ends.eq(goes & self.piece.all() & (self.bank == self.banks)),
            following.eq(self.base + self.banks + 1),
            step.valid.eq(goes),
            step.drains.eq(1),
            step.row.eq(self.base | (self.piece >> now.slices)),
            step.piece.eq(piece),
            step.way.eq(piece | (self.bank << now.slices)),
            step.first.eq(~self.bank.any()),
            step.puts.eq((self.bank == self.banks) & ~self.silent),
        ]
        # In time: it takes some cycles until the base is another.
        m.d.sync += final.eq(following >= now.o_rows)
        with m.If(goes):
            m.d.sync += self.piece.eq(self.piece + 1)
            with m.If(self.piece.all()):
                m.d.sync += self.bank.eq(Mux(self.bank == self.banks, 0, self.bank + 1))
        with m.If(ends):
            m.d.sync += self.base.eq(following)
        return ends & final
