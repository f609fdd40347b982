"""Run-time settings that hold still for the length of a packet."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream

__all__ = ["enter_with_settings", "sample_settings"]


def sample_settings(m: Module, config: Any, i: stream.Interface) -> Any:
    """Return ``config`` as it was when the first beat of the packet on ``i`` was first offered.

    ``config`` is a view or a signal; the result has its shape. While no packet is under way the
    result follows ``config`` combinationally, so that the first beat already sees its settings.
    The payload of ``i`` must have a field ``last``.
    """
    value = config.as_value() if isinstance(config, data.View) else config
    locked, held = Signal(), Signal.like(value, name="settings_held", reset_less=True)
    with m.If(~locked):
        m.d.sync += held.eq(value)
    with m.If(i.valid):
        m.d.sync += locked.eq(~(i.ready & i.payload.last))
    sampled = Signal.like(config, name="settings")
    m.d.comb += sampled.eq(Mux(locked, held, value))
    return sampled


def enter_with_settings(m: Module, config: Any, i: stream.Interface, pipeline: Any) -> None:
    """Let beats of ``i`` into a pipeline, whose input is the beat and its settings above it."""
    settings = sample_settings(m, config, i)
    m.d.comb += [
        pipeline.i.valid.eq(i.valid),
        i.ready.eq(pipeline.i.ready),
        Value.cast(pipeline.i.payload).eq(Cat(Value.cast(i.payload), Value.cast(settings))),
    ]
