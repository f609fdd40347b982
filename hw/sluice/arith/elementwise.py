"""Blocks that do the same arithmetic in every lane."""

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Module, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay
from sluice.formats import Format
from sluice.stream import Beat, Pipeline, join, uneven

__all__ = ["Elementwise"]


class Elementwise(Block):
    """Join the operands' streams, beat by beat, and compute a result in every lane.

    A subclass has the parameter ``lanes``, calls :meth:`promise`, and says with :meth:`make_unit`
    what computes one result. The result's packets are those of the first operand; a beat of which
    another operand has a different ``keep`` or ``last`` sets ``status.uneven``, and is computed
    all the same.
    """

    lanes: int
    o: stream.Interface
    status: Any
    interval = 1

    def promise(
        self, operands: Mapping[str, Format | ShapeLike], result: Format | ShapeLike
    ) -> None:
        """Declare the ports; ``operands`` are formats by names of streams."""
        self.operands = dict(operands)
        self.beats = {name: Beat(f, self.lanes) for name, f in self.operands.items()}
        unit = self.make_unit()
        # One that is made only to be asked for its latency is no mistake.
        unit._MustUse__silence = True
        self.unit_latency = unit.latency
        members: dict[str, Any] = {
            name: In(stream.Signature(beat)) for name, beat in self.beats.items()
        }
        self.o_beat = Beat(result, self.lanes)
        members["o"] = Out(stream.Signature(self.o_beat))
        if len(members) > 2:
            members["status"] = Out(data.StructLayout({"uneven": 1}))
        joined = data.StructLayout(self.beats)
        self.pipeline = Pipeline(i_shape=joined, o_shape=self.o_beat, stages=self.unit_latency)
        self.latency = self.pipeline.latency
        wiring.Component.__init__(self, members)

    def make_unit(self) -> Any:
        """Return what computes one lane: ports named as the operands, ``o``, and ``latency``."""
        raise NotImplementedError

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        join(m, {name: getattr(self, name) for name in self.operands}, pipeline.i)
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))

        self.units: list[Any] = [self.make_unit() for _ in range(self.lanes)]
        for k, unit in enumerate(self.units):
            m.submodules[f"lane_{k}"] = unit
            for name in self.operands:
                m.d.comb += getattr(unit, name).eq(Value.cast(pipeline.entry[name].data[k]))
            m.d.comb += Value.cast(pipeline.result.data[k]).eq(unit.o)
        first, *others = (pipeline.entry[name] for name in self.operands)
        for other in others:
            with m.If(pipeline.entry_valid & uneven(other, first)):
                m.d.sync += self.status.uneven.eq(1)
        frame = delay(m, "frame", Cat(first.keep, first.last), self.unit_latency)
        m.d.comb += Cat(pipeline.result.keep, pipeline.result.last).eq(frame)
        return m
