"""A sparse matrix, or its transpose, times a dense one, from one encoding."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.mac import make_mac
from sluice.block import Block, Driven
from sluice.formats import find_format
from sluice.params import Choice, Flag, Int
from sluice.sparsity.sparse_command import command_layout
from sluice.sparsity.sparse_load import Load
from sluice.sparsity.sparse_sums import Sums
from sluice.sparsity.sparse_walk import Walk
from sluice.stream import Beat, Fork

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SparseTimesDense"]

OPERANDS = ("bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "int4", "int8")
TOTALS = ("fp32", "fp16", "bf16", "int16", "int32")
INDICES = ("uint4", "uint8", "uint16", "uint32")


class SparseTimesDense(Block):
    """Multiply ``A D`` or ``Aᵀ D``, with a sparse ``A`` that is never transposed.

    A non-zero takes a row of ``D`` times its value, and adds it to a row of sums. Which rows are
    these, its row number and its column say: ``sums[row] += value * d[place]`` is ``A D``, and
    ``sums[place] += value * d[row]`` is ``Aᵀ D``. Columns are numbered among those that are not
    empty, as :class:`sluice.sparsity.SparseEncoder` does, so that no memory has room for others.

    Parameters
    ----------
    operand : format
        Of both matrices.
    total : format
        Of the sums: an integer where operands are, a float where they are.
    lanes : int, 1..64
        Elements of a row of ``D`` that are multiplied in a cycle.
    stages : int, 0..32
        Registers of a multiply-add, as far as they are of use.
    index : format
        Of columns, and the bits of all counts of a command.
    sums : int, 2..32768
        Rows of sums that are held, a power of two.
    dense : int, 2..32768
        Rows of ``D`` that are held, a power of two.
    flush : bool
        Subnormal operands and results count as zero. Floats only.

    Members
    -------
    a : In(stream.Signature(Beat(operand, 1)))
        The non-zeros, row by row: a packet is a row, which may be empty. Zeros among them are
        multiplied like others.
    place : In(stream.Signature(Beat(index, 1)))
        For each of them, in the same order, its place among the columns that are not empty. Where
        packets end is not looked at, and empty ones are dropped.
    d : In(stream.Signature(Beat(operand, lanes)))
        Rows of ``D``, each a packet of at most ``slices`` beats.
    command : In(stream.Signature(command_layout(bits of an index)))
        See :func:`sluice.sparsity.sparse_command.command_layout`.
    o : Out(stream.Signature(Beat(total, lanes)))
        Rows of sums, each a packet.
    status : Out(StructLayout({"out_of_range": 1, "count": 16}))
        Non-zeros had a row or a place beyond the command's: a sticky bit, and how many, as far as
        can be counted. They add nothing.

    Attributes
    ----------
    slices : int
        Words of a row of sums: the smallest power of two that is at least ``loop``.
    loop : int, cycles
        From a sum to the first one that may use it.
    latency : cycles
        From the last non-zero of a command of one slice to the first of its sums.
    interval : 1 cycle
        Between non-zeros of one slice, whatever their rows and places are.

    Notes
    -----
    A row of ``D`` is cut into 1, 2, 4, ... slices of ``lanes`` elements, up to ``slices``; wider
    ones are done in parts. A non-zero takes a cycle for each of them. Since ``slices`` steps
    follow each other through as many words of sums, a word is back in its memory when it is
    needed again, even if all non-zeros are in one column. Where there are fewer slices, the rest
    of the words are banks: a non-zero adds to the next bank each time, and banks are added up when
    sums leave, the first two first, then the third. Integers are exact modulo ``2**width`` of the
    total; floats are added in this order, each product fused into its sum.

    Nothing stalls while it is multiplied. Sums leave one word per cycle, of all banks, and are
    cleared on the way; a group of ``slices`` words leaves when the output queue has room for it.
    After reset all sums are cleared, which takes ``sums * slices`` cycles.

    ``a.ready`` and ``place.ready`` depend on the ``valid`` of both and on the payload of both in
    the same cycle: a row without an element takes no place. This is why they are driven here.

    Method: US12008475 (two more vectors beside the encoding of a sparse matrix).
    Golden model: :func:`sluice_sim.golden.sparse.multiply_sparse`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or formats do not go together.
    """

    a: stream.Interface
    place: stream.Interface
    d: stream.Interface
    command: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1
    same_packets = False
    driven = ("place", "command")

    PARAMETERS = (
        Choice("operand", "number format of both matrices", OPERANDS),
        Choice("total", "number format of the sums", TOTALS),
        Int("lanes", "elements that are multiplied in a cycle", 1, 64),
        Int("stages", "registers of a multiply-add", 0, 32, "cycles"),
        Choice("index", "number format of columns and counts", INDICES),
        Int("sums", "rows of sums that are held", 2, 32768, "rows", power_of_two=True),
        Int("dense", "rows of the dense matrix that are held", 2, 32768, "rows", power_of_two=True),
        Flag("flush", "take subnormals for zero"),
    )

    def __init__(
        self,
        *,
        operand: str = "int8",
        total: str = "int32",
        lanes: int = 8,
        stages: int = 4,
        index: str = "uint16",
        sums: int = 256,
        dense: int = 256,
        flush: bool = False,
    ):
        self.check(
            operand=operand,
            total=total,
            lanes=lanes,
            stages=stages,
            index=index,
            sums=sums,
            dense=dense,
            flush=flush,
        )
        self.operand: str
        self.total: str
        self.lanes: int
        self.stages: int
        self.index: str
        self.sums: int
        self.dense: int
        self.flush: bool
        number, summed = find_format(self.operand), find_format(self.total)
        places = find_format(self.index)
        self.count_bits = places.width
        for name in ("sums", "dense"):
            if getattr(self, name) >> self.count_bits:
                most = 1 << self.count_bits - 1
                raise ValueError(f"{name} must be at most {most} with index {self.index}")
        mac = make_mac(number, summed, stages=self.stages, flush=self.flush)
        self.a_beat, self.place_beat = Beat(number, 1), Beat(places, 1)
        self.d_beat, self.o_beat = Beat(number, self.lanes), Beat(summed, self.lanes)
        self.store = Sums(
            mac=mac,
            lanes=self.lanes,
            sums=self.sums,
            dense=self.dense,
            count_bits=self.count_bits,
            flush=self.flush,
        )
        self.loop, self.slices = self.store.loop, self.store.slices
        bits = {"count_bits": self.count_bits, "slices": self.slices}
        self.load = Load(beat=self.d_beat, rows=self.dense, **bits)
        self.walk = Walk(
            values=self.a_beat,
            places=self.place_beat,
            sums=self.sums,
            settle=self.loop,
            **bits,
        )
        for part in (self.store, self.load, self.walk):
            # A block that is made only to be described is no mistake.
            part._MustUse__silence = True
        # From the last non-zero: its step, the wait for its sum, the banks but for the last one,
        # and the way of a sum through the memory, the adder and the queue.
        self.latency = self.loop + 1 + self.slices * (self.slices - 1) + self.store.latency
        super().__init__(
            {
                "a": In(stream.Signature(self.a_beat)),
                "place": In(stream.Signature(self.place_beat)),
                "d": In(stream.Signature(self.d_beat)),
                "command": In(stream.Signature(command_layout(self.count_bits))),
                "o": Out(stream.Signature(self.o_beat)),
                "status": Out(data.StructLayout({"out_of_range": 1, "count": 16})),
            }
        )

    def drive(self, arrays: "Mapping[str, NDArray[np.uint64]]", texts: Mapping[str, str]) -> Driven:
        """Return what multiplies ``a``, or its transpose with ``transpose``, by ``d``.

        Both are arrays with all their elements; those of ``a`` that are zero are left out.
        """
        from sluice.sparsity.sparse_driver import drive_product

        return drive_product(self, arrays, texts)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.load, m.submodules.walk, m.submodules.store = self.load, self.walk, self.store
        load, walk, store = self.load, self.walk, self.store
        m.submodules.both = both = Fork(shape=self.command.payload.shape(), outputs=2)
        wiring.connect(m, wiring.flipped(self.command), both.i)
        wiring.connect(m, both.o[0], load.commands)
        wiring.connect(m, both.o[1], walk.commands)
        wiring.connect(m, wiring.flipped(self.d), load.i)
        wiring.connect(m, wiring.flipped(self.a), walk.a)
        wiring.connect(m, wiring.flipped(self.place), walk.place)
        wiring.connect(m, store.o, wiring.flipped(self.o))
        m.d.comb += [
            load.multiplied.eq(walk.multiplied),
            walk.full.eq(load.full),
            walk.room.eq(store.room),
            store.held.eq(load.held),
            store.now.eq(walk.now),
            store.step.eq(walk.step),
            store.d_en.eq(load.en),
            store.d_at.eq(load.at),
            store.d_data.eq(load.data),
        ]
        with m.If(store.wrong):
            m.d.sync += self.status.out_of_range.eq(1)
            with m.If(~self.status.count.all()):
                m.d.sync += self.status.count.eq(self.status.count + 1)
        return m
