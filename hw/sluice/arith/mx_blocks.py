"""What conversions to and from the block formats of OCP MX have in common."""

from collections.abc import Callable
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice.stream import Pipeline

__all__ = ["MX_ELEMENTS", "MX_NUMBERS", "check_block", "convert_lanes", "mark_blocks"]

MX_ELEMENTS = ("fp8_e4m3", "fp8_e5m2")
MX_NUMBERS = ("fp32", "bf16")


def check_block(block: int, lanes: int) -> int:
    """Return the beats of a block of elements, or raise ``ValueError``."""
    if block % lanes:
        raise ValueError(f"block must be a multiple of {lanes} lanes, not {block}")
    return block // lanes


def mark_blocks(m: Module, beats: int, moves: Value, last: Value) -> Signal:
    """Return whether a beat ends a block, which the packet's last one does as well."""
    count, ends = Signal(range(beats)), Signal()
    m.d.comb += ends.eq(last | (count == beats - 1))
    with m.If(moves):
        m.d.sync += count.eq(Mux(ends, 0, count + 1))
    return ends


def convert_lanes(m: Module, pipeline: Pipeline, make_unit: Callable[[], Any], lanes: int) -> None:
    """Let a unit per lane convert the elements of a pipeline's beats, each beat with its scale."""
    m.submodules.pipeline = pipeline
    entry = pipeline.entry
    for k in range(lanes):
        m.submodules[f"lane_{k}"] = unit = make_unit()
        m.d.comb += [
            unit.a.eq(Value.cast(entry.beat.data[k])),
            unit.scale.eq(entry.scale),
            Value.cast(pipeline.result.data[k]).eq(unit.o),
        ]
    frame = delay(m, "frame", Cat(entry.beat.keep, entry.beat.last), pipeline.stages)
    m.d.comb += Cat(pipeline.result.keep, pipeline.result.last).eq(frame)
