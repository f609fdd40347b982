"""Conversion to the block formats of OCP MX."""

from typing import Any

from amaranth import Cat, Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.convert_unit import SCALE_BITS, ConvertUnit
from sluice.arith.mx_blocks import MX_ELEMENTS, MX_NUMBERS, check_block, convert_lanes, mark_blocks
from sluice.arith.mx_scan_unit import MxScanUnit
from sluice.block import Block
from sluice.delay import delay
from sluice.formats import FORMATS, Float
from sluice.params import Choice, Int
from sluice.stream import Beat, Fifo, Fork, Pipeline

__all__ = ["MxQuantize"]

# A queue of fewer does not take one every cycle.
SCALES = 4


class MxQuantize(Block):
    """Give blocks of numbers as fp8 elements with a common scale, after OCP MX v1.0.

    The scale is ``2**(floor(log2(max|a|)) - emax)``, where ``2**emax`` is the largest power of two
    of the elements' format, and not below ``2**-127``. An element is ``a / scale`` rounded to
    nearest even; one that is beyond the largest element is that one.

    Parameters
    ----------
    source : {"fp32", "bf16"}
        Format of the numbers.
    target : {"fp8_e4m3", "fp8_e5m2"}
        Format of the elements.
    lanes : int, 1..64
        Elements per beat.
    block : int, 1..256
        Elements that share a scale, a multiple of ``lanes``.
    stages : int, 0..11
        Registers in the datapath of a lane, spread evenly over its steps, and at most as many in
        the search of the largest number.

    Members
    -------
    i : In(stream.Signature(Beat(source, lanes)))
    o : Out(stream.Signature(Beat(target, lanes)))
        Packets as those of ``i``.
    o_scale : Out(stream.Signature(Beat("uint8", 1)))
        A packet for each packet, an element for each block of it: E8M0, ``2**(code - 127)``, and
        255 for NaN.

    Attributes
    ----------
    latency : cycles
        From the last beat of a block to its first elements; its scale comes ``o_latency`` earlier.
    interval : 1 cycle
        One beat per cycle: a block is written while the one before it is converted.

    Notes
    -----
    A packet's last block may be a part of one, and an empty packet gives empty ones. A block is
    held until its last beat has been seen; a neighbour that takes ``o`` must take ``o_scale`` as
    well, in any order within a block. Behind the search, beats that end no block are stepped over;
    only their ends go on as scales. Reset drops all beats.

    Infinity or NaN in a block makes its scale and all of its elements NaN. A block of zeros has the
    scale ``2**-127``. Golden model: :func:`sluice_sim.golden.arith_convert.mx_quantize`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or the block is no multiple of the
        lanes.
    """

    i: stream.Interface
    o: stream.Interface
    o_scale: stream.Interface
    interval = 1

    PARAMETERS = (
        Choice("source", "format of the numbers", MX_NUMBERS),
        Choice("target", "format of the elements", MX_ELEMENTS),
        Int("lanes", "elements per beat", 1, 64),
        Int("block", "elements that share a scale", 1, 256),
        Int("stages", "registers in the datapath", 0, 11, "cycles"),
    )

    def __init__(
        self,
        *,
        source: str = "fp32",
        target: str = "fp8_e4m3",
        lanes: int = 8,
        block: int = 32,
        stages: int = 11,
    ):
        self.check(source=source, target=target, lanes=lanes, block=block, stages=stages)
        self.source: str
        self.target: str
        self.lanes: int
        self.block: int
        self.stages: int
        self.beats = check_block(self.block, self.lanes)
        self.number, self.element = FORMATS[self.source], FORMATS[self.target]
        self.i_beat, self.o_beat = Beat(self.number, self.lanes), Beat(self.element, self.lanes)
        self.scale_beat = Beat(FORMATS["uint8"], 1)
        scan, unit = self.make_scan(), self.make_unit()
        scan._MustUse__silence = unit._MustUse__silence = True
        self.scan = Pipeline(
            i_shape=self.i_beat,
            o_shape=data.StructLayout({"scale": SCALE_BITS, "some": 1, "last": 1, "ends": 1}),
            stages=scan.latency,
        )
        self.pipeline = Pipeline(
            i_shape=data.StructLayout({"beat": self.i_beat, "scale": SCALE_BITS}),
            o_shape=self.o_beat,
            stages=unit.latency,
        )
        self.o_latency = self.pipeline.latency
        self.latency = self.scan.latency + Fifo.latency + self.o_latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "o": Out(stream.Signature(self.o_beat)),
                "o_scale": Out(stream.Signature(self.scale_beat)),
            }
        )

    def make_scan(self) -> Any:
        """Return what finds the scale of a block."""
        assert isinstance(self.number, Float)
        assert isinstance(self.element, Float)
        return MxScanUnit(
            source=self.number, target=self.element, lanes=self.lanes, stages=self.stages
        )

    def make_unit(self) -> Any:
        """Return what converts an element."""
        assert isinstance(self.number, Float)
        assert isinstance(self.element, Float)
        return ConvertUnit(
            source=self.number,
            target=self.element,
            stages=self.stages,
            scale="divide",
            saturate=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.split = split = Fork(shape=self.i_beat, outputs=2)
        # A block, and what comes until its scale is there.
        m.submodules.held = held = Fifo(
            shape=data.StructLayout({"beat": self.i_beat, "ends": 1}),
            depth=self.beats + self.scan.latency + Fifo.latency + 3,
        )
        shape = data.StructLayout({"scale": SCALE_BITS, "some": 1, "last": 1})
        # While a block is converted, what is stepped over must not wait.
        m.submodules.scales = scales = Fifo(shape=shape, depth=SCALES)
        m.submodules.share = share = Fork(shape=shape, outputs=2)
        wiring.connect(m, scales.o, share.i)
        wiring.connect(m, wiring.flipped(self.i), split.i)
        whole, seen = split.o
        moves = held.i.valid & held.i.ready
        m.d.comb += [
            held.i.valid.eq(whole.valid),
            whole.ready.eq(held.i.ready),
            held.i.payload.beat.eq(whole.payload),
            held.i.payload.ends.eq(mark_blocks(m, self.beats, moves, whole.payload.last)),
        ]
        wiring.connect(m, seen, self.scan.i)
        self._find_scales(m)

        found, pair = self.scan.o, self.pipeline.i
        scale, kept = share.o
        m.d.comb += [
            scales.i.valid.eq(found.valid & found.payload.ends),
            found.ready.eq(scales.i.ready | ~found.payload.ends),
            scales.i.payload.scale.eq(found.payload.scale),
            scales.i.payload.some.eq(found.payload.some),
            scales.i.payload.last.eq(found.payload.last),
            self.o_scale.valid.eq(scale.valid),
            scale.ready.eq(self.o_scale.ready),
            Value.cast(self.o_scale.payload.data[0]).eq(scale.payload.scale),
            self.o_scale.payload.keep.eq(scale.payload.some),
            self.o_scale.payload.last.eq(scale.payload.last),
            pair.valid.eq(held.o.valid & kept.valid),
            held.o.ready.eq(kept.valid & pair.ready),
            kept.ready.eq(held.o.valid & pair.ready & held.o.payload.ends),
            pair.payload.beat.eq(held.o.payload.beat),
            pair.payload.scale.eq(kept.payload.scale),
        ]
        convert_lanes(m, self.pipeline, self.make_unit, self.lanes)
        wiring.connect(m, self.pipeline.o, wiring.flipped(self.o))
        return m

    def _find_scales(self, m: Module) -> None:
        m.submodules.scan = scan = self.scan
        m.submodules.scan_unit = unit = self.make_scan()
        entry = scan.entry
        ends = mark_blocks(m, self.beats, scan.entry_valid, entry.last)
        m.d.comb += [
            unit.a.eq(Value.cast(entry.data)),
            unit.keep.eq(entry.keep),
            unit.valid.eq(scan.entry_valid),
            unit.ends.eq(ends),
            scan.result.scale.eq(unit.o),
            scan.result.some.eq(unit.some),
        ]
        frame = delay(m, "scan", Cat(entry.last, ends), scan.stages)
        m.d.comb += Cat(scan.result.last, scan.result.ends).eq(frame)
