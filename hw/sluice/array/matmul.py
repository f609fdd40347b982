"""The matrix-product engine."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amaranth import Module, Signal, Value
from amaranth.hdl import Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.command import Dispatcher, Kind, command_layout
from sluice.array.feed import feed_array
from sluice.array.loader import Loader
from sluice.array.mac import make_mac
from sluice.array.maps import Maps, map_layout
from sluice.array.scratchpad import Scratchpad
from sluice.array.sums import add_sums
from sluice.array.systolic import SystolicArray
from sluice.array.vectors import Vectors
from sluice.array.weights import Weights
from sluice.block import Block, Driven
from sluice.formats import Float, find_format
from sluice.params import Choice, Flag, Int
from sluice.rounding import Modes, Rounding
from sluice.stream import Beat, Fork, Pipeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Matmul"]

OPERANDS = ("bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "int4", "int8")
TOTALS = ("fp32", "fp16", "bf16", "int16", "int32")
RESULTS = ("fp32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "int32", "int16", "int8", "int4")


class Matmul(Block):
    """Products of matrices of any size, ``Y = X W``, from two scratchpads over a systolic array.

    Operands are loaded once and lie in memory as they came; either may be read transposed, so
    that a layer's output, the gradient of its input and the gradient of its weights come from the
    same three matrices. Everything is done by commands, in their order, and loads go on beside
    products.

    Parameters
    ----------
    operand : format
        Of both matrices.
    total : format
        What products are summed in.
    result : format
        That the sums are rounded to; ``total`` leaves them as they are.
    size : int, 2 4 8 16 32
        Rows of the array, and lanes of ``a`` and ``b``.
    columns : int, size times 1 2 4
        Columns of the array, and lanes of ``o``.
    stages : int, 0..32
        Registers of an element, as far as they are of use.
    group : int, 1 2 4 8 16
        With two or more, products can be sparse: each row of the array takes one of that many
        elements of ``a`` in each column.
    a_blocks, b_blocks : int, 1..65536
        Blocks in the scratchpads: of ``size`` rows by ``size * group`` columns for ``a``, and of
        ``size`` by ``size`` for ``b``.
    maps : int, 1..65536
        Passes of sparse products whose maps are held.
    sums : int, 2..65536
        Vectors of ``columns`` sums that are kept between tiles of the inner dimension.
    count_bits : int, 2..32
        Of counts and block addresses in a command.
    modes : words with commas between
        Rounding modes, see :class:`sluice.rounding.Rounding`.
    flush : bool
        Subnormal operands and results count as zero. Floats only.
    gating : bool
        Zeros do not reach the multipliers, whose operands stay as they were, and rows of the array
        beyond the matrix are still. Results are the same.

    Members
    -------
    a : In(stream.Signature(Beat(operand, size * group)))
    b : In(stream.Signature(Beat(operand, size)))
        Rows of matrices, each a packet. With a group, elements of ``b`` are a ``value`` and a
        ``tag``: its row within the group. Where there is no weight, integers have a zero with any
        tag, and floats ``-0`` and the tag ``group``.
    map : In(stream.Signature(map_layout(size, count_bits)))
        Only with a group: which groups the rows of the array work on, pass by pass.
    command : In(stream.Signature(command_layout(count_bits)))
    o : Out(stream.Signature(Beat(result, columns)))
        Of every tile of ``columns`` columns in turn, row after row. A beat is a packet.
    status : Out(StructLayout({"overflow": 1, "invalid": 1}))
        Sticky; only where sums are rounded.

    Attributes
    ----------
    latency : cycles
        From the last beat that is loaded for a product of one tile to the first of its results:
        10 and ``ceil(columns / 4)``, one for every three levels of rotation (``log2(size)``), those
        of the array and of the rounding unit.
    interval : 1 cycle
        Between beats that are loaded. A product takes ``vectors`` cycles for each tile of ``b``,
        and no less than ``columns``, which is what loading a tile takes.
    loop : int, cycles
        From a vector to the first one that may add to its sums.

    Notes
    -----
    Tiles follow each other without a gap: one is loaded while the one before it computes. The
    first is not, and the last results have the array's latency behind them. Nothing in the array
    stalls: a vector enters when its tile is there, the sums that it adds to are back, and its
    result has a place in the output queue. Sums are back in time when ``vectors`` times the tiles
    across is no less than ``loop``.

    A sparse product takes as many passes as there are rows in the constrained matrices of ``b``
    (:func:`sluice.array.sparse.compress`), by ``size``, in place of tiles. What it skips it skips
    altogether: infinity times a zero that is not there is no NaN.

    Elements beyond a matrix count as ``0`` in ``a`` and as ``-0`` in ``b``, whatever lies there,
    so that they leave every sum as it is.

    Golden model: :func:`sluice_sim.golden.array.multiply_matrices`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or formats do not go together.
    """

    a: stream.Interface
    b: stream.Interface
    map: stream.Interface
    command: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1
    same_packets = False
    PARAMETERS = (
        Choice("operand", "number format of both matrices", OPERANDS),
        Choice("total", "number format of the sums", TOTALS),
        Choice("result", "number format that goes out", RESULTS),
        Int("size", "rows of the array", 2, 32, power_of_two=True),
        Int("columns", "columns of the array", 2, 128),
        Int("stages", "registers of an element", 0, 32, "cycles"),
        Int("group", "elements of a for each row of the array", 1, 16, power_of_two=True),
        Int("a_blocks", "blocks that the scratchpad of a holds", 1, 65536, "blocks"),
        Int("b_blocks", "blocks that the scratchpad of b holds", 1, 65536, "blocks"),
        Int("maps", "passes of sparse products whose maps are held", 1, 65536, "passes"),
        Int("sums", "vectors of sums that are kept", 2, 65536, "vectors"),
        Int("count_bits", "bits of counts and block addresses", 2, 32, "bits"),
        Modes("modes", "rounding modes to build"),
        Flag("flush", "take subnormals for zero"),
        Flag("gating", "keep zeros from the multipliers"),
    )

    def __init__(
        self,
        *,
        operand: str = "int8",
        total: str = "int32",
        result: str = "int32",
        size: int = 4,
        columns: int = 4,
        stages: int = 4,
        group: int = 1,
        a_blocks: int = 64,
        b_blocks: int = 64,
        maps: int = 64,
        sums: int = 256,
        count_bits: int = 16,
        modes: str = "nearest_even",
        flush: bool = False,
        gating: bool = False,
    ):
        self.check(
            operand=operand,
            total=total,
            result=result,
            size=size,
            columns=columns,
            stages=stages,
            group=group,
            a_blocks=a_blocks,
            b_blocks=b_blocks,
            maps=maps,
            sums=sums,
            count_bits=count_bits,
            modes=modes,
            flush=flush,
            gating=gating,
        )
        self.operand: str
        self.total: str
        self.result: str
        self.size: int
        self.columns: int
        self.stages: int
        self.group: int
        self.a_blocks: int
        self.b_blocks: int
        self.maps: int
        self.sums: int
        self.count_bits: int
        self.modes: str
        self.flush: bool
        self.gating: bool
        if self.columns not in (self.size, 2 * self.size, 4 * self.size):
            sizes = " ".join(str(self.size * k) for k in (1, 2, 4))
            raise ValueError(f"columns must be one of {sizes}, not {self.columns}")
        if self.sums < self.size:
            raise ValueError(f"sums must be at least the size, {self.size}, not {self.sums}")
        if self.b_blocks < self.columns // self.size:
            least = self.columns // self.size
            raise ValueError(f"b_blocks must be at least {least}, not {self.b_blocks}")
        number, summed = find_format(self.operand), find_format(self.total)
        # What a zero may have set, and has where it stands for nothing: its sign.
        self.sign = 1 << number.width - 1 if isinstance(number, Float) else 0
        mac = make_mac(number, summed, stages=self.stages, flush=self.flush)
        # Where there is no weight is one of zero; but infinity times that is no number, so that
        # floats have one element more to choose, which is zero as well.
        self.tags = self.group + (self.group > 1 and isinstance(number, Float))
        self.nothing = self.sign | (self.tags - 1 if self.tags > self.group else 0) << number.width
        self.array = SystolicArray(
            rows=self.size, columns=self.columns, mac=mac, group=self.tags, gating=self.gating
        )
        self.rounding = None
        if self.result != self.total:
            if find_format(self.result).width >= summed.width:
                raise ValueError(
                    f"result must be {self.total} or a narrower format, not {self.result}"
                )
            self.rounding = Rounding(
                source=self.total, target=self.result, lanes=self.columns, modes=self.modes
            )
        # Settings of the rounding unit that go with a command.
        self.settings: tuple[str, ...] = ()
        if self.rounding and "config" in self.rounding.signature.members:
            fields = self.rounding.config.shape().members
            self.settings = tuple(name for name in ("mode", "saturate") if name in fields)
        weight: Any = number
        if self.group > 1:
            weight = data.StructLayout({"value": number.width, "tag": range(self.tags)})
        self.beats = {"a": Beat(number, self.size * self.group), "b": Beat(weight, self.size)}
        self.pads = {
            name: Scratchpad(
                width=beat.data_bits // self.size,
                size=self.size,
                blocks=getattr(self, f"{name}_blocks"),
                chosen=name == "a" and self.group > 1,
            )
            for name, beat in self.beats.items()
        }
        commands = command_layout(self.count_bits)
        settings = {name: Shape.cast(commands.members[name]).width for name in self.settings}
        # Elements that do not count are cleared in a register of their own.
        self.fetch = self.pads["a"].latency + 1
        self.pipeline = Pipeline(
            i_shape=data.StructLayout({}),
            o_shape=data.StructLayout({"beat": Beat(summed, self.columns), **settings}),
            stages=1 + self.fetch + self.array.latency,
        )
        # Sums are written when the array gives them, and read three cycles before it takes them;
        # that they are back is known two cycles before it is of use.
        self.back = self.array.latency - self.array.p_lag + 1
        self.loop = self.back + 3
        behind = self.rounding.latency if self.rounding else 0
        self.latency = 4 + self.array.w_lead + self.pipeline.latency + behind
        self.o_beat = Beat(find_format(self.result), self.columns)
        bits = {"count_bits": self.count_bits}
        block_bits = {name: len(pad.block) for name, pad in self.pads.items()}
        # What is needed of a command where its vectors are.
        carries = {"last_n": (self.columns - 1).bit_length(), **settings}
        if self.group == 1:
            carries["last_k"] = (self.size - 1).bit_length()
        self.vectors = Vectors(
            size=self.size,
            group=self.group,
            in_flight=self.back + 1,
            block_bits=block_bits["a"],
            map_bits=(self.maps - 1).bit_length(),
            carries=carries,
            **bits,
        )
        self.weights = Weights(
            size=self.size,
            columns=self.columns,
            lead=self.array.w_lead,
            group=self.group,
            block_bits=block_bits["b"],
            **bits,
        )
        self.dispatcher = Dispatcher(**bits)
        parts = (self.array, *self.pads.values(), self.vectors, self.weights, self.dispatcher)
        for part in parts:
            # A block that is made only to be described is no mistake.
            part._MustUse__silence = True
        members: dict[str, Any] = {
            **{name: In(stream.Signature(beat)) for name, beat in self.beats.items()},
            **(
                {"map": In(stream.Signature(map_layout(self.size, **bits)))}
                if self.group > 1
                else {}
            ),
            "command": In(stream.Signature(commands)),
            "o": Out(stream.Signature(self.o_beat)),
        }
        self.driven = ("map", "command") if self.group > 1 else ("command",)
        if self.rounding:
            members["status"] = Out(self.rounding.status.shape())
        super().__init__(members)

    def drive(self, arrays: "Mapping[str, NDArray[np.uint64]]", texts: Mapping[str, str]) -> Driven:
        """Return what multiplies ``a`` by ``b``.

        Settings are ``transpose_a`` and ``transpose_b``, for matrices that lie the other way
        round, ``sparse`` where there are groups, and ``mode`` (a word) and ``saturate`` where sums
        are rounded.
        """
        from sluice.array.driver import drive_product

        return drive_product(self, arrays, texts)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dispatcher = dispatcher = self.dispatcher
        wiring.connect(m, wiring.flipped(self.command), dispatcher.i)
        for k, name in enumerate(self.pads):
            self._add_loader(m, name, dispatcher.o[k], dispatcher.loaded[k])
        m.submodules.both = both = Fork(shape=self.command.payload.shape(), outputs=2)
        m.submodules.vectors = vectors = self.vectors
        m.submodules.weights = weights = self.weights
        wiring.connect(m, dispatcher.o[Kind.MULTIPLY], both.i)
        wiring.connect(m, both.o[0], vectors.commands)
        wiring.connect(m, both.o[1], weights.commands)
        # A tile waits in the array, until its first vector is on the way.
        waiting = Signal()
        m.d.comb += [
            dispatcher.multiplied.eq(vectors.done),
            vectors.loaded.eq(waiting),
            weights.free.eq(~waiting),
        ]
        with m.If(weights.loaded):
            m.d.sync += waiting.eq(1)
        with m.Elif(vectors.takes):
            m.d.sync += waiting.eq(0)

        m.submodules.array = self.array
        if self.group > 1:
            self._add_map(m, dispatcher.o[Kind.LOAD_MAP], dispatcher.loaded[Kind.LOAD_MAP])
        else:
            # There is nothing to load.
            m.d.comb += dispatcher.o[Kind.LOAD_MAP].ready.eq(1)
            m.d.comb += dispatcher.loaded[Kind.LOAD_MAP].eq(1)
        feed_array(m, self)
        add_sums(m, self)
        return m

    def _add_loader(self, m: Module, name: str, commands: Any, loaded: Value) -> None:
        """Fill scratchpad ``name`` from its stream."""
        pad = self.pads[name]
        m.submodules[f"pad_{name}"] = pad
        m.submodules[f"loader_{name}"] = loader = Loader(
            beat=self.beats[name],
            size=self.size,
            blocks=pad.blocks,
            count_bits=self.count_bits,
        )
        wiring.connect(m, commands, loader.commands)
        wiring.connect(m, wiring.flipped(getattr(self, name)), loader.i)
        m.d.comb += [
            pad.en.eq(loader.en),
            pad.to_block.eq(loader.to_block),
            pad.to_row.eq(loader.to_row),
            Value.cast(pad.row).eq(loader.row),
            loaded.eq(loader.done),
        ]

    def _add_map(self, m: Module, commands: Any, loaded: Value) -> None:
        """Keep the maps of sparse products."""
        vectors = self.vectors
        m.submodules.maps = maps = Maps(
            size=self.size,
            entries=self.maps,
            count_bits=self.count_bits,
            block_bits=vectors.block_bits,
        )
        wiring.connect(m, commands, maps.commands)
        wiring.connect(m, wiring.flipped(self.map), maps.i)
        m.d.comb += [loaded.eq(maps.done), maps.at.eq(vectors.entry_at), vectors.entry.eq(maps.o)]
