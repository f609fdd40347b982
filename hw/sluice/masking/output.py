"""Where a beat leaves together with a bit per lane of its own stream."""

from typing import Any

from amaranth import Cat, Module, Value
from amaranth.lib import data, stream

from sluice.stream import Fork

__all__ = ["add_marked_output"]


def add_marked_output(
    m: Module,
    valid: Value,
    beat: Any,
    marks: Value,
    *,
    o: stream.Interface,
    o_mark: stream.Interface,
) -> Value:
    """Offer ``beat`` to ``o`` and ``marks`` with its ``keep`` and ``last`` to ``o_mark``.

    Returns
    -------
    1 bit
        Both are taken, together or one by one.
    """
    both = data.StructLayout({"beat": o.payload.shape(), "marks": len(marks)})
    m.submodules.fork = fork = Fork(shape=both, outputs=2)
    m.d.comb += [
        fork.i.valid.eq(valid),
        fork.i.payload.beat.eq(beat),
        fork.i.payload.marks.eq(marks),
        o.valid.eq(fork.o[0].valid),
        o.payload.eq(fork.o[0].payload.beat),
        fork.o[0].ready.eq(o.ready),
        o_mark.valid.eq(fork.o[1].valid),
        Cat(o_mark.payload.data).eq(fork.o[1].payload.marks),
        o_mark.payload.keep.eq(fork.o[1].payload.beat.keep),
        o_mark.payload.last.eq(fork.o[1].payload.beat.last),
        fork.o[1].ready.eq(o_mark.ready),
    ]
    return fork.i.ready
