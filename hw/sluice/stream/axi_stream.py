"""AXI4-Stream on the outside, beats on the inside."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.hdl import Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.stream.beat import Beat, Payload

__all__ = ["AxiStreamMaster", "AxiStreamSlave", "axi_stream_members", "element_bytes"]


def element_bytes(beat: Beat) -> int:
    """Return the bytes of ``tdata`` that one element takes: a power of two, as in memory."""
    count = 1
    while 8 * count < beat.element_width:
        count *= 2
    return count


def axi_stream_members(prefix: str, beat: Beat, flow: Any) -> dict[str, wiring.Member]:
    """Return the ports of an AXI4-Stream for ``beat``; ``flow`` is that of ``tdata``.

    ``tdata`` has ``8 * element_bytes(beat) * lanes`` bits, lane 0 lowest, each element in the low
    bits of its bytes; ``tkeep`` has one bit per byte.
    """
    size = element_bytes(beat) * beat.lanes
    back = Out if flow is In else In
    return {
        f"{prefix}_tdata": flow(8 * size),
        f"{prefix}_tkeep": flow(size),
        f"{prefix}_tlast": flow(1),
        f"{prefix}_tvalid": flow(1),
        f"{prefix}_tready": back(1),
    }


class AxiStreamSlave(Block):
    """Take an AXI4-Stream and give a stream of beats.

    Parameters
    ----------
    shape : Beat
        Payload of the output.

    Members
    -------
    s_axis_tdata, s_axis_tkeep, s_axis_tlast, s_axis_tvalid, s_axis_tready
        AXI4-Stream (ARM IHI 0051), without ``tid``, ``tdest``, ``tuser`` and ``tstrb``; see
        :func:`axi_stream_members` for the places of the elements.
    o : Out(stream.Signature(shape))
    status : Out(StructLayout({"bad_keep": 1}))
        Sticky: a transfer had null bytes before its last byte, kept part of an element, or was
        partly kept without ``tlast``.

    Attributes
    ----------
    latency : 0 cycles
    interval : 1 cycle

    Notes
    -----
    Every signal passes combinationally. A lane is kept if the lowest of its bytes is.

    Raises
    ------
    TypeError, ValueError
        If ``shape`` is not a Beat.
    """

    o: stream.Interface
    status: Any
    latency = 0
    interval = 1

    PARAMETERS = (Payload("shape", "payload of the output", beats_only=True),)

    def __init__(self, *, shape: Any = "bf16x8"):
        self.check(shape=shape)
        self.shape: Beat
        super().__init__(
            {
                **axi_stream_members("s_axis", self.shape, In),
                "o": Out(stream.Signature(self.shape)),
                "status": Out(data.StructLayout({"bad_keep": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        axi: Any = self
        size = element_bytes(self.shape)
        beat = self.o.payload
        m.d.comb += [
            self.o.valid.eq(axi.s_axis_tvalid),
            axi.s_axis_tready.eq(self.o.ready),
            beat.last.eq(axi.s_axis_tlast),
        ]
        for k in range(self.shape.lanes):
            element = axi.s_axis_tdata.word_select(k, 8 * size)[: self.shape.element_width]
            m.d.comb += [
                Value.cast(beat.data[k]).eq(element),
                beat.keep[k].eq(axi.s_axis_tkeep[k * size]),
            ]
        keep = axi.s_axis_tkeep
        whole = Cat(beat.keep[k].replicate(size) for k in range(self.shape.lanes))
        bad = Signal()
        m.d.comb += bad.eq(
            (keep != whole) | (keep & (keep + 1)).any() | (~keep.all() & ~axi.s_axis_tlast)
        )
        with m.If(self.o.valid & self.o.ready & bad):
            m.d.sync += self.status.bad_keep.eq(1)
        return m


class AxiStreamMaster(Block):
    """Take a stream of beats and give an AXI4-Stream.

    Parameters
    ----------
    shape : Beat
        Payload of the input.

    Members
    -------
    i : In(stream.Signature(shape))
    m_axis_tdata, m_axis_tkeep, m_axis_tlast, m_axis_tvalid, m_axis_tready
        As those of :class:`AxiStreamSlave`. Spare bits above an element repeat its top bit where
        it is signed and are zero elsewhere.

    Attributes
    ----------
    latency : 0 cycles
    interval : 1 cycle

    Notes
    -----
    Every signal passes combinationally.

    Raises
    ------
    TypeError, ValueError
        If ``shape`` is not a Beat.
    """

    i: stream.Interface
    latency = 0
    interval = 1

    PARAMETERS = (Payload("shape", "payload of the input", beats_only=True),)

    def __init__(self, *, shape: Any = "bf16x8"):
        self.check(shape=shape)
        self.shape: Beat
        super().__init__(
            {
                "i": In(stream.Signature(self.shape)),
                **axi_stream_members("m_axis", self.shape, Out),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        axi: Any = self
        size = element_bytes(self.shape)
        beat = self.i.payload
        m.d.comb += [
            axi.m_axis_tvalid.eq(self.i.valid),
            self.i.ready.eq(axi.m_axis_tready),
            axi.m_axis_tlast.eq(beat.last),
        ]
        for k in range(self.shape.lanes):
            m.d.comb += [
                axi.m_axis_tdata.word_select(k, 8 * size).eq(Value.cast(beat.data[k])),
                axi.m_axis_tkeep.word_select(k, size).eq(beat.keep[k].replicate(size)),
            ]
        return m
