"""A block with AXI4-Stream ports."""

from typing import Any

from amaranth import Module
from amaranth.hdl import Value
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.export import streams_of
from sluice.stream import AxiStreamMaster, AxiStreamSlave, Beat, axi_stream_members

__all__ = ["AxisBlock", "axis_name"]


def axis_name(stream: str, *, is_input: bool) -> str:
    """Return the AXI4-Stream prefix of a stream.

    That is ``s_axis`` for ``i``, ``m_axis_m`` for ``o_m``, and ``m_axis_report`` for ``report``.
    """
    name = stream.replace("__", "_")
    direction, _, rest = name.partition("_")
    if direction not in ("i", "o"):
        rest = name
    return ("s_axis" if is_input else "m_axis") + (f"_{rest}" if rest else "")


class AxisBlock(Block):
    """The same block behind AXI4-Stream adapters; every other port stays as it is.

    Parameters
    ----------
    inner : Block
        All of its streams must carry a :class:`sluice.stream.Beat`.

    Members
    -------
    s_axis..., m_axis...
        See :class:`sluice.stream.AxiStreamSlave`; named by :func:`axis_name`.

    Raises
    ------
    ValueError
        If a stream carries something else.
    """

    def __init__(self, inner: Block):
        self.inner = inner
        self.latency, self.interval = inner.latency, inner.interval
        members: dict[str, Any] = {}
        self.stream_roots = {s.name.split("__")[0] for s in streams_of(inner)}
        for stream in streams_of(inner):
            if not isinstance(stream.shape, Beat):
                raise ValueError(f"stream {stream.name} carries no Beat, so it has no AXI4-Stream")
            prefix = axis_name(stream.name, is_input=stream.is_input)
            members |= axi_stream_members(prefix, stream.shape, In if stream.is_input else Out)
        for name, member in inner.signature.members.items():
            if name not in self.stream_roots:
                members[name] = member
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = self.inner
        outside: Any = self
        for stream in streams_of(self.inner):
            prefix = axis_name(stream.name, is_input=stream.is_input)
            if stream.is_input:
                adapter: Any = AxiStreamSlave(shape=stream.shape)
                theirs, near, far = "s_axis", stream.interface, adapter.o
            else:
                adapter = AxiStreamMaster(shape=stream.shape)
                theirs, near, far = "m_axis", adapter.i, stream.interface
            m.submodules[f"adapter_{stream.name}"] = adapter
            m.d.comb += [
                near.valid.eq(far.valid),
                near.payload.eq(far.payload),
                far.ready.eq(near.ready),
            ]
            for part in ("tdata", "tkeep", "tlast", "tvalid", "tready"):
                mine, its = (
                    getattr(outside, f"{prefix}_{part}"),
                    getattr(adapter, f"{theirs}_{part}"),
                )
                inward = stream.is_input is (part != "tready")
                m.d.comb += its.eq(mine) if inward else mine.eq(its)
        for name in self.inner.signature.members:
            if name not in self.stream_roots:
                mine, its = Value.cast(getattr(self, name)), Value.cast(getattr(self.inner, name))
                inward = self.inner.signature.members[name].flow is In
                m.d.comb += its.eq(mine) if inward else mine.eq(its)
        return m
