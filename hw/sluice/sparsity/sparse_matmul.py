"""Products of matrices that skip every pair with a zero in it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block, Driven
from sluice.delay import delay, delay_line
from sluice.formats import FORMATS, find_format
from sluice.params import Choice, Flag, Int
from sluice.sparsity.pair_bits import bits_of, join_bits
from sluice.sparsity.pair_group import PairGroup
from sluice.sparsity.pair_load import State, load_weights
from sluice.stream import Beat, Fifo, join

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SparseMatmul"]

OPERANDS = ("int8", "int4", "fp8_e4m3", "fp8_e5m2", "bf16", "fp16")
TOTALS = ("int32", "int16", "fp32", "fp16", "bf16")


class SparseMatmul(Block):
    """Rows of ``a`` times columns of ``b``, one multiplication for each pair without a zero.

    Each processing element keeps a column of ``b``; all see the same activations, ``context``
    elements at a time, and each finds the pairs where neither is zero, ``lanes`` in a cycle.

    Parameters
    ----------
    operand : format
        Of both matrices.
    total : format
        Of the sums: integers for integers, floats for floats.
    context : int, 4 8 16 32 64
        Elements of a context.
    lanes : int, 1 2 4 8
        Multipliers of an element; at most ``context``.
    pes : int, 1..64
        Processing elements.
    together : int
        Elements that walk contexts in step, and share a queue; a divisor of ``pes``. With 1 all run
        freely, with ``pes`` they are in lock step.
    contexts : int, 2..4096
        Of a column of ``b``, at most.
    places : int, 2 4 8 16 32 64
        Contexts of activations in a queue.
    buffer : int, 1..65536
        Contexts of activations that wait for the weights.
    stages : int, 0..32
        Registers of multipliers and adders, as far as they are of use.
    a_zero, b_zero : int, -128..127
        Zero-points: what counts as zero, and is taken from each element. Integers only.
    given : bool
        Bit vectors come with the operands; otherwise they are made of them.
    count_bits : int, 1..16
        Of the number of rows of a command.
    cycle_bits : int, 4..32
        Of the count of cycles.

    Members
    -------
    a : In(stream.Signature(Beat(operand, context)))
        A row is a packet.
    b : In(stream.Signature(Beat(operand, context)))
        A column is a packet; ``pes`` of them for each command.
    a_bits, b_bits : In(stream.Signature(Beat(bit, context)))
        Only with ``given``: for every beat of ``a`` and ``b``, with the same ``keep`` and ``last``,
        which elements count.
    command : In(stream.Signature(StructLayout({"rows": count_bits, "whole": 1})))
        Load ``pes`` columns, and multiply ``rows`` rows by them. With ``whole`` the rows wait until
        all have come, or the buffer is full.
    o : Out(stream.Signature(Beat(total, pes)))
        For each row a beat, which is a packet.
    status : Out(StructLayout({"long": 1, "uneven": 1}))
        Sticky: there was a row or column of more than ``contexts``, whose rest was left out; beats
        that met had different ``keep`` or ``last``, those of the elements counted.
    cycles : Out(cycle_bits)
        Since reset, in which there were activations and place for results, or sums on the way;
        modulo ``2**cycle_bits``.

    Attributes
    ----------
    latency : cycles
        From the last beat of weights to the result of a row of one step that is waiting.
    interval : 1 cycle
        Between beats of weights. A context of activations takes no longer than its pairs do.
    slots : int
        Partial sums of a lane; 1 with integers and fp8.
    gap : int, cycles
        That an element takes for a row at least; 1 with integers and fp8.

    Notes
    -----
    An element takes ``ceil(pairs / lanes)`` cycles for a context, none where there is no pair, and
    no less than ``gap`` for a row. Contexts come one per cycle at most, and no faster than the
    slowest queue has room. Elements in step take as long as the slowest of them, context by
    context.

    Elements beyond the end of a row or a column count as zeros. A zero is skipped whatever it would
    meet: infinity or NaN times zero adds nothing. Zeros of floats are those of either sign.

    Integers are summed modulo ``2**width`` of the total. Sums of fp8 are exact and are rounded
    once, to nearest even (:class:`sluice.arith.AccumulateExact`), so that no order matters; a sum
    of zeros is +0. Those of wider floats are rounded with every product and with every addition of
    partial sums, in the order that :class:`sluice.sparsity.pair_float_sums.FloatSums` describes,
    with ``slots`` of them for each lane; and an element takes no less than ``gap`` cycles for a
    row, ``slots * lanes`` times those of an addition.

    ``b`` is taken only between products. Reset drops everything but the weights, which count as
    zeros from then on.

    Method: bit vectors of both operands combined, as in Sparse-PE (Qureshi and Munir, IEEE Access,
    2021), with operands left unpacked. Golden model:
    :func:`sluice_sim.golden.sparse_product.multiply_pairs`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or formats do not go together.
    """

    a: stream.Interface
    b: stream.Interface
    a_bits: stream.Interface
    b_bits: stream.Interface
    command: stream.Interface
    o: stream.Interface
    status: Any
    cycles: Signal
    interval = 1
    same_packets = False
    driven = ("command",)

    PARAMETERS = (
        Choice("operand", "number format of both matrices", OPERANDS),
        Choice("total", "number format of the sums", TOTALS),
        Int("context", "elements of a context", 4, 64, power_of_two=True),
        Int("lanes", "multipliers of an element", 1, 8, power_of_two=True),
        Int("pes", "processing elements", 1, 64),
        Int("together", "elements that walk contexts in step", 1, 64),
        Int("contexts", "of a column, at most", 2, 4096, "contexts"),
        Int("places", "contexts of activations in a queue", 2, 64, power_of_two=True),
        Int("buffer", "contexts that wait for the weights", 1, 65536, "contexts"),
        Int("stages", "registers of multipliers and adders", 0, 32, "cycles"),
        Int("a_zero", "zero-point of a", -128, 127),
        Int("b_zero", "zero-point of b", -128, 127),
        Flag("given", "bit vectors come with the operands"),
        Int("count_bits", "of the number of rows of a command", 1, 16, "bits"),
        Int("cycle_bits", "of the count of cycles", 4, 32, "bits"),
    )

    def __init__(
        self,
        *,
        operand: str = "int8",
        total: str = "int32",
        context: int = 16,
        lanes: int = 1,
        pes: int = 4,
        together: int = 1,
        contexts: int = 64,
        places: int = 16,
        buffer: int = 64,
        stages: int = 3,
        a_zero: int = 0,
        b_zero: int = 0,
        given: bool = False,
        count_bits: int = 16,
        cycle_bits: int = 32,
    ):
        self.check(
            operand=operand,
            total=total,
            context=context,
            lanes=lanes,
            pes=pes,
            together=together,
            contexts=contexts,
            places=places,
            buffer=buffer,
            stages=stages,
            a_zero=a_zero,
            b_zero=b_zero,
            given=given,
            count_bits=count_bits,
            cycle_bits=cycle_bits,
        )
        self.operand: str
        self.total: str
        self.context: int
        self.lanes: int
        self.pes: int
        self.together: int
        self.contexts: int
        self.places: int
        self.buffer: int
        self.stages: int
        self.a_zero: int
        self.b_zero: int
        self.given: bool
        self.count_bits: int
        self.cycle_bits: int
        if self.lanes > self.context:
            raise ValueError(f"lanes must be at most the context, {context}, not {lanes}")
        if self.pes % self.together:
            raise ValueError(f"together must be a divisor of pes, {pes}, not {together}")
        self.number, self.zeros = find_format(self.operand), (self.a_zero, self.b_zero)
        for name, zero in zip(("a_zero", "b_zero"), self.zeros, strict=True):
            if zero and not self.number.min <= zero <= self.number.max:
                raise ValueError(f"{name} must be a value of {operand}, not {zero}")
        self.groups = [
            PairGroup(
                operand=self.number,
                total=find_format(self.total),
                context=self.context,
                lanes=self.lanes,
                pes=self.together,
                places=self.places,
                contexts=self.contexts,
                zeros=self.zeros,
                stages=self.stages,
            )
            for _ in range(self.pes // self.together)
        ]
        for group in self.groups:
            group._MustUse__silence = True
        self.results, self.gap = self.groups[0].results, self.groups[0].gap
        # Partial sums of a lane; exact sums have none.
        self.slots = self.groups[0].slots
        self.latency = 1 + self.groups[0].latency
        self.beat = Beat(self.number, self.context)
        self.bits_beat = Beat(FORMATS["bit"], self.context)
        self.o_beat = Beat(find_format(self.total), self.pes)
        self.orders = data.StructLayout({"rows": self.count_bits, "whole": 1})
        self.state = Signal(State)
        # The element whose weights are loaded.
        self.column: Signal
        # Weights are written, and a context admitted, in this cycle; if one is, it ends a row.
        self.writes, self.admits, self.ends = Signal(), Signal(), Signal()
        # There is place for the sums of another row; and rows left of the command.
        self.free, self.left = Signal(init=1), Signal(self.count_bits)
        members: dict[str, Any] = {
            "a": In(stream.Signature(self.beat)),
            "b": In(stream.Signature(self.beat)),
        }
        if self.given:
            members |= {f"{name}_bits": In(stream.Signature(self.bits_beat)) for name in "ab"}
        super().__init__(
            members
            | {
                "command": In(stream.Signature(self.orders)),
                "o": Out(stream.Signature(self.o_beat)),
                "status": Out(data.StructLayout({"long": 1, "uneven": 1})),
                "cycles": Out(self.cycle_bits),
            }
        )

    def drive(self, arrays: "Mapping[str, NDArray[np.uint64]]", texts: Mapping[str, str]) -> Driven:
        """Return what multiplies ``a`` by ``b``.

        With the setting ``transpose_b``, matrix ``b`` lies the other way round.
        """
        from sluice.sparsity.pair_driver import drive_pairs

        return drive_pairs(self, arrays, texts)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for k, group in enumerate(self.groups):
            m.submodules[f"group_{k}"] = group
        a, b = join_bits(m, self, "a"), join_bits(m, self, "b")
        m.submodules.buffer = buffer = Fifo(shape=a.payload.shape(), depth=self.buffer)
        m.d.comb += [
            buffer.i.valid.eq(a.valid),
            buffer.i.payload.eq(a.payload),
            a.ready.eq(buffer.i.ready),
        ]
        m.d.comb += self.ends.eq(buffer.o.payload.word.last)
        load_weights(m, self, b)
        idle = self._results(m)
        self._control(m, b, buffer, idle)
        self._admit(m, buffer)
        return m

    def _control(self, m: Module, b: Any, buffer: Any, idle: Value) -> None:
        """Follow the commands, and count cycles."""
        whole = Signal()
        order = self.command.payload
        loaded = self.writes & b.payload.word.last & (self.column == self.pes - 1)
        # Rows that lie in the buffer with all they have.
        rows = Signal(range(self.buffer + 1))
        comes = buffer.i.valid & buffer.i.ready & buffer.i.payload.word.last
        goes = self.admits & self.ends
        with m.If(comes & ~goes):
            m.d.sync += rows.eq(rows + 1)
        with m.Elif(goes & ~comes):
            m.d.sync += rows.eq(rows - 1)
        m.d.comb += self.command.ready.eq(self.state == State.IDLE)
        with m.Switch(self.state):
            with m.Case(State.IDLE):
                m.d.sync += [self.left.eq(order.rows), whole.eq(order.whole)]
                with m.If(self.command.valid):
                    m.d.sync += self.state.eq(State.LOAD)
            with m.Case(State.LOAD), m.If(loaded):
                m.d.sync += self.state.eq(Mux(whole, State.HOLD, State.RUN))
                with m.If(self.left == 0):
                    m.d.sync += self.state.eq(State.DRAIN)
            with m.Case(State.HOLD), m.If((rows >= self.left) | ~buffer.i.ready):
                m.d.sync += self.state.eq(State.RUN)
            with m.Case(State.RUN), m.If(goes):
                m.d.sync += self.left.eq(self.left - 1)
                with m.If(self.left == 1):
                    m.d.sync += self.state.eq(State.DRAIN)
            with m.Case(State.DRAIN), m.If(idle):
                m.d.sync += self.state.eq(State.IDLE)
        waits = (self.state == State.RUN) & buffer.o.valid & self.free
        works = Cat(group.works for group in self.groups).any()
        counts = Signal()
        m.d.sync += counts.eq(waits | works)
        with m.If(counts):
            m.d.sync += self.cycles.eq(self.cycles + 1)

    def _admit(self, m: Module, buffer: Any) -> None:
        """Give a context of activations to all groups."""
        come = buffer.o.payload
        number = Signal(range(self.contexts + 1))
        rooms = Cat(group.room for group in self.groups).all()
        m.d.comb += [
            self.admits.eq((self.state == State.RUN) & buffer.o.valid & self.free & rooms),
            buffer.o.ready.eq((self.state == State.RUN) & self.free & rooms),
        ]
        with m.If(self.admits):
            with m.If(self.ends):
                m.d.sync += number.eq(0)
            with m.Elif(number != self.contexts):
                m.d.sync += number.eq(number + 1)
            with m.If(number == self.contexts):
                m.d.sync += self.status.long.eq(1)
        bits = delay(m, "a_bits", bits_of(self, come, self.a_zero), 1)
        ends = delay(m, "a_last", self.ends, 1)
        # All take it at once, and find out in the same cycle whether to keep it.
        word = delay_line(m, "a", Value.cast(come.word.data), self.groups[0].unit.front)
        for group in self.groups:
            m.d.comb += [
                group.valid.eq(self.admits),
                group.number.eq(number),
                group.bits.eq(bits),
                group.last.eq(ends),
                group.word.eq(word),
            ]

    def _results(self, m: Module) -> Value:
        """Send the sums of a row that are all there; return whether no row is on the way."""
        sums = stream.Signature(
            data.ArrayLayout(self.groups[0].o.payload.shape(), len(self.groups))
        ).create()
        join(m, dict(enumerate(group.o for group in self.groups)), sums)
        beat = Cat(Value.cast(sums.payload), Const(-1, self.pes), Const(1, 1))
        m.d.comb += [
            self.o.valid.eq(sums.valid),
            sums.ready.eq(self.o.ready),
            Value.cast(self.o.payload).eq(beat),
        ]
        rows, ends, leaves = Signal(range(self.results + 1)), Signal(), Signal()
        m.d.comb += [
            ends.eq(self.admits & self.ends),
            leaves.eq(self.o.valid & self.o.ready),
        ]
        with m.If(ends & ~leaves):
            m.d.sync += [rows.eq(rows + 1), self.free.eq(rows != self.results - 1)]
        with m.Elif(leaves & ~ends):
            m.d.sync += [rows.eq(rows - 1), self.free.eq(1)]
        return ~rows.any()
