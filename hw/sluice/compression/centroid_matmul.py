"""Products of matrices, of which one is indices into a table, without their being looked up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.feed import below
from sluice.array.scratchpad import Scratchpad
from sluice.block import Block, Driven
from sluice.compression.centroid_dot import SOURCES, SUMS, CentroidDot
from sluice.compression.gather_load import MatrixLoad, Vectors
from sluice.compression.gather_walk import GatherWalk, command_layout
from sluice.delay import delay
from sluice.params import Choice, Int
from sluice.stream import Fifo, Fork, Pipeline, SkidBuffer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CentroidMatmul"]

# Of the vectors' memory, which is read sooner than the scratchpad.
_READ = 2


class CentroidMatmul(Block):
    """Multiply ``X W`` or ``X Wᵀ``, where ``W`` is a matrix of indices into a table.

    The matrix is loaded as it is, and lies in a scratchpad of which rows and columns are read
    alike, so that a layer's output and the gradient of its input come from the same indices and
    the same table. Sums are those of :class:`CentroidDot`: as many multiplications for an element
    of the result as there are centroids among its weights.

    Parameters
    ----------
    element : format
        Of ``x``: an integer.
    weight : format
        Of the centroids: a signed integer.
    lanes : int, 2 4 8 16 32
        Elements per beat.
    index_bits : int, 1..8
        Bits of an index; the table has ``2**index_bits`` centroids.
    sum_bits : int, 8..32
        Bits of a lane's sum of the elements with one index.
    sums : {"bins", "trees"}
        As in :class:`CentroidDot`.
    blocks : int, 8..4096, a power of two
        Blocks of ``lanes`` rows by ``lanes`` columns that a matrix may have. There is room for
        two matrices.
    beats : int, 8..1024, a power of two
        Beats that a vector may have. There is room for two vectors.
    count_bits : int, 6..16
        Of the rows, columns and vectors of a command.

    Members
    -------
    x : In(stream.Signature(Beat(element, lanes)))
        Vectors, each a packet: rows of ``X``. Each is multiplied with the whole matrix before the
        next one.
    indices : In(stream.Signature(Beat(uintB, lanes)))
        Rows of the matrix, each a packet; ``B = index_bits``.
    table : In(stream.Signature(Beat(weight, 1)))
        A packet of all centroids for each matrix.
    command : In(stream.Signature(command_layout(count_bits)))
        See :func:`sluice.compression.gather_walk.command_layout`.
    o : Out(stream.Signature(Beat(int32, 1)))
        Rows of the result, each a packet, an element per beat.
    status : Out(StructLayout({"uneven": 1, "table": 1, "overflow": 1}))
        Sticky: a packet of ``x`` or ``indices`` had not as many elements as the command said,
        which counted; a packet of ``table`` was too short or too long; a sum did not fit into
        ``sum_bits``.

    Attributes
    ----------
    latency : int, cycles
        From the last beat of a vector to the first element of its row, where nothing before it is
        under way, the vector has one beat, and the line that it meets one centroid. One more for
        each other beat and each other centroid.
    interval : 1 cycle
        Between beats of the sums, which nothing could better: a vector of ``B`` beats takes ``B``
        cycles for each element of its row, if ``B`` is no less than the centroids of the element
        before, and ``gap`` more.
    gap : int, beats
        That of :class:`CentroidDot`.

    Notes
    -----
    The next matrix and the next table are loaded while a product is computed, and are used from
    the same product on, the first one with ``fresh``: no sum ever has some of each. A command is
    taken when the one before it begins, so that only the matrix of the next one is loaded ahead.
    Two cycles pass between the last beat of a command and the first one of the next.

    A matrix with more blocks than there are overwrites itself, and a vector with more beats is cut;
    results are then anything, and as many as there should be.

    What overflows, what is cleared after reset, and the method are those of :class:`CentroidDot`.
    ``ready`` of ``command`` depends on the command in the same cycle, no other output on an input.

    Golden model: :func:`sluice_sim.golden.gather.centroid_matmul`.

    Raises
    ------
    TypeError, ValueError
        As for :class:`CentroidDot`.
    """

    x: stream.Interface
    indices: stream.Interface
    table: stream.Interface
    command: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1
    same_packets = False
    driven = ("command",)

    PARAMETERS = (
        Choice("element", "number format of the vectors", SOURCES),
        Choice("weight", "number format of the centroids", ("int8", "int4", "int16")),
        Int("lanes", "elements per beat", 2, 32, power_of_two=True),
        Int("index_bits", "bits of an index", 1, 8, "bits"),
        Int("sum_bits", "bits of a lane's sum", 8, 32, "bits"),
        Choice("sums", "where sums are", tuple(SUMS)),
        Int("blocks", "blocks that a matrix may have", 8, 4096, "blocks", power_of_two=True),
        Int("beats", "beats that a vector may have", 8, 1024, "beats", power_of_two=True),
        Int("count_bits", "bits of counts in a command", 6, 16, "bits"),
    )

    def __init__(
        self,
        *,
        element: str = "int8",
        weight: str = "int8",
        lanes: int = 8,
        index_bits: int = 4,
        sum_bits: int = 18,
        sums: str = "bins",
        blocks: int = 256,
        beats: int = 32,
        count_bits: int = 16,
    ):
        dot: dict[str, Any] = {
            "element": element,
            "weight": weight,
            "lanes": lanes,
            "index_bits": index_bits,
            "sum_bits": sum_bits,
            "sums": sums,
        }
        self.check(**dot, blocks=blocks, beats=beats, count_bits=count_bits)
        self.lanes: int
        self.index_bits: int
        self.blocks: int
        self.beats: int
        self.count_bits: int
        self.dot = CentroidDot(**dot)
        self.gap = self.dot.gap
        self.x_beat, self.indices_beat = self.dot.i_beat, self.dot.indices_beat
        self.table_beat = self.dot.table_beat
        self.pad = Scratchpad(width=self.index_bits, size=self.lanes, blocks=2 * self.blocks)
        self.vectors = Vectors(beat=self.x_beat, beats=self.beats)
        self.load = MatrixLoad(
            beat=self.indices_beat, blocks=self.blocks, count_bits=self.count_bits
        )
        self.walk = GatherWalk(
            size=self.lanes, blocks=self.blocks, beats=self.beats, count_bits=self.count_bits
        )
        sides = {"x": self.x_beat, "indices": self.indices_beat, "fresh": 1, "ends": 1}
        self.pipeline = Pipeline(
            i_shape=data.StructLayout({}),
            o_shape=data.StructLayout(sides),
            stages=self.pad.latency,
            read_ahead=True,
        )
        # Whether the sums take a beat is known late in a cycle.
        self.skid = SkidBuffer(shape=self.pipeline.o_shape)
        # The sums have no more room than that for packets, and results come later than that.
        self.ends = Fifo(shape=1, depth=4, always_ready=True)
        self.parts = ("dot", "pad", "vectors", "load", "walk", "pipeline", "skid", "ends")
        for name in self.parts:
            # A block that is made only to be described is no mistake.
            getattr(self, name)._MustUse__silence = True
        self.latency = 1 + self.pipeline.latency + self.skid.latency + self.dot.latency
        super().__init__(
            {
                "x": In(stream.Signature(self.x_beat)),
                "indices": In(stream.Signature(self.indices_beat)),
                "table": In(stream.Signature(self.table_beat)),
                "command": In(stream.Signature(command_layout(self.count_bits))),
                "o": Out(stream.Signature(self.dot.o.payload.shape())),
                "status": Out(self.dot.status.shape()),
            }
        )

    def drive(self, arrays: "Mapping[str, NDArray[np.uint64]]", texts: Mapping[str, str]) -> Driven:
        """Return what multiplies ``x`` by the matrix of indices, or its transpose.

        The setting is ``transpose``. The table has a row; centroids that it lacks are zero.
        """
        from sluice.compression.gather_driver import drive_product

        return drive_product(self, arrays, texts)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name in self.parts:
            m.submodules[name] = getattr(self, name)
        walk, load, pad, vectors = self.walk, self.load, self.pad, self.vectors
        m.submodules.both = both = Fork(shape=self.command.payload.shape(), outputs=2)
        wiring.connect(m, wiring.flipped(self.command), both.i)
        wiring.connect(m, both.o[0], load.commands)
        wiring.connect(m, both.o[1], walk.commands)
        wiring.connect(m, wiring.flipped(self.x), vectors.i)
        wiring.connect(m, wiring.flipped(self.indices), load.i)
        wiring.connect(m, wiring.flipped(self.table), self.dot.table)
        m.d.comb += [
            walk.loaded.eq(load.loaded),
            walk.there.eq(vectors.there),
            walk.room.eq(self.pipeline.i.ready),
            load.takes.eq(walk.takes),
            vectors.at.eq(walk.word),
            vectors.leaves.eq(walk.leaves),
            pad.en.eq(load.en),
            pad.to_block.eq(load.to_block),
            pad.to_row.eq(load.to_row),
            Value.cast(pad.row).eq(load.row),
            pad.block.eq(Cat(walk.block, load.half)),
            pad.index.eq(walk.index),
            pad.across.eq(walk.across),
        ]
        self._read(m)
        self._sum(m)
        with m.If(load.uneven | self.dot.status.uneven):
            m.d.sync += self.status.uneven.eq(1)
        m.d.comb += [
            self.status.table.eq(self.dot.status.table),
            self.status.overflow.eq(self.dot.status.overflow),
        ]
        return m

    def _read(self, m: Module) -> None:
        """Put a beat of the vector and one of the line it meets side by side."""
        walk, result, stages = self.walk, self.pipeline.result, self.pad.latency
        side = delay(m, "side", Cat(walk.last, walk.last_lane, walk.fresh, walk.ends), stages)
        last, last_lane = side[0], side[1:-2]
        m.d.comb += [
            self.pipeline.i.valid.eq(walk.offers),
            Value.cast(result.x).eq(delay(m, "x_read", Value.cast(self.vectors.o), stages - _READ)),
            Value.cast(result.indices.data).eq(Value.cast(self.pad.o)),
            result.indices.keep.eq(below(last, last_lane, self.lanes)),
            result.indices.last.eq(last),
            Cat(result.fresh, result.ends).eq(side[-2:]),
        ]

    def _sum(self, m: Module) -> None:
        """Give lines to the sums, and make packets of as many results as a vector has lines."""
        dot, ends, beat = self.dot, self.ends, self.skid.o.payload
        wiring.connect(m, self.pipeline.o, self.skid.i)
        m.d.comb += [
            dot.i.valid.eq(self.skid.o.valid),
            dot.indices.valid.eq(self.skid.o.valid),
            self.skid.o.ready.eq(dot.i.ready),
            dot.config.fresh.eq(beat.fresh),
            # What the command says counts; where a vector says another thing they are uneven.
            dot.i.payload.data.eq(beat.x.data),
            dot.i.payload.keep.eq(beat.indices.keep),
            dot.i.payload.last.eq(beat.indices.last),
            dot.indices.payload.data.eq(beat.indices.data),
            dot.indices.payload.keep.eq(beat.x.keep),
            dot.indices.payload.last.eq(beat.x.last),
            ends.i.valid.eq(dot.i.valid & dot.i.ready & beat.indices.last),
            ends.i.payload.eq(beat.ends),
            ends.o.ready.eq(self.o.valid & self.o.ready),
            self.o.valid.eq(dot.o.valid),
            dot.o.ready.eq(self.o.ready),
            self.o.payload.data.eq(dot.o.payload.data),
            self.o.payload.keep.eq(1),
            self.o.payload.last.eq(ends.o.payload),
        ]
