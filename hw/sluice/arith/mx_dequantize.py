"""Conversion from the block formats of OCP MX."""

from typing import Any

from amaranth import Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.convert_unit import SCALE_BITS, ConvertUnit
from sluice.arith.mx_blocks import MX_ELEMENTS, MX_NUMBERS, check_block, convert_lanes, mark_blocks
from sluice.block import Block
from sluice.formats import FORMATS, Float
from sluice.params import Choice, Int
from sluice.stream import Beat, Pipeline

__all__ = ["MxDequantize"]


class MxDequantize(Block):
    """Give blocks of fp8 elements with a common scale as numbers, after OCP MX v1.0.

    Parameters
    ----------
    source : {"fp8_e4m3", "fp8_e5m2"}
        Format of the elements.
    target : {"fp32", "bf16"}
        Format of the numbers.
    lanes : int, 1..64
        Elements per beat.
    block : int, 1..256
        Elements that share a scale, a multiple of ``lanes``.
    stages : int, 0..9
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer.

    Members
    -------
    i : In(stream.Signature(Beat(source, lanes)))
    i_scale : In(stream.Signature(Beat("uint8", 1)))
        A packet for each packet, an element for each block of it, the last one of which may be a
        part: E8M0, ``2**(code - 127)``, and 255 for NaN. An empty packet has an empty one.
    o : Out(stream.Signature(Beat(target, lanes)))
        Packets as those of ``i``.
    status : Out(StructLayout({"uneven": 1}))
        Sticky: packets of elements and of scales ended apart.

    Attributes
    ----------
    latency : stages + 2 cycles
        The datapath, and the output queue.
    interval : 1 cycle
        One beat per cycle, which nothing could better: every lane converts in every cycle.

    Notes
    -----
    The streams' ``ready`` depends on each other's ``valid`` in the same cycle, and on a register.
    Reset drops all beats on the way.

    ``element * scale``, rounded to nearest even: exact but for what is subnormal, and what
    overflows to infinity. Golden model: :func:`sluice_sim.golden.arith_convert.mx_dequantize`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or the block is no multiple of the
        lanes.
    """

    i: stream.Interface
    i_scale: stream.Interface
    o: stream.Interface
    status: Any
    interval = 1

    PARAMETERS = (
        Choice("source", "format of the elements", MX_ELEMENTS),
        Choice("target", "format of the numbers", MX_NUMBERS),
        Int("lanes", "elements per beat", 1, 64),
        Int("block", "elements that share a scale", 1, 256),
        Int("stages", "registers in the datapath", 0, 9, "cycles"),
    )

    def __init__(
        self,
        *,
        source: str = "fp8_e4m3",
        target: str = "fp32",
        lanes: int = 8,
        block: int = 32,
        stages: int = 9,
    ):
        self.check(source=source, target=target, lanes=lanes, block=block, stages=stages)
        self.source: str
        self.target: str
        self.lanes: int
        self.block: int
        self.stages: int
        self.beats = check_block(self.block, self.lanes)
        self.element, self.number = FORMATS[self.source], FORMATS[self.target]
        self.i_beat, self.o_beat = Beat(self.element, self.lanes), Beat(self.number, self.lanes)
        self.scale_beat = Beat(FORMATS["uint8"], 1)
        unit = self.make_unit()
        unit._MustUse__silence = True
        self.pipeline = Pipeline(
            i_shape=data.StructLayout({"beat": self.i_beat, "scale": SCALE_BITS}),
            o_shape=self.o_beat,
            stages=unit.latency,
        )
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "i_scale": In(stream.Signature(self.scale_beat)),
                "o": Out(stream.Signature(self.o_beat)),
                "status": Out(data.StructLayout({"uneven": 1})),
            }
        )

    def make_unit(self) -> Any:
        """Return what converts an element."""
        assert isinstance(self.number, Float)
        assert isinstance(self.element, Float)
        return ConvertUnit(
            source=self.element, target=self.number, stages=self.stages, scale="multiply"
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pipeline = self.pipeline
        beat, pair, scale = self.i.payload, pipeline.i, self.i_scale
        moves = pair.valid & pair.ready
        ends = mark_blocks(m, self.beats, moves, beat.last)
        m.d.comb += [
            pair.valid.eq(self.i.valid & scale.valid),
            self.i.ready.eq(scale.valid & pair.ready),
            scale.ready.eq(self.i.valid & pair.ready & ends),
            pair.payload.beat.eq(beat),
            pair.payload.scale.eq(Value.cast(scale.payload.data[0])),
        ]
        with m.If(moves & ends & (scale.payload.last != beat.last)):
            m.d.sync += self.status.uneven.eq(1)

        convert_lanes(m, pipeline, self.make_unit, self.lanes)
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        return m
