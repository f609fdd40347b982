"""A block between queues, with its settings and what can be read of it."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.export import Port, StreamPort, ports_of, streams_of
from sluice.link.protocol import Identity, StreamFacts, bytes_of, digest_of
from sluice.stream import Beat, Fifo, RegisterSlice

__all__ = ["COUNT_BITS", "Carrier"]

# Of the beats of one stream; a counter wraps.
COUNT_BITS = 32


class Carrier(wiring.Component):
    """A block whose streams all pass through queues; everything else is a word.

    Members
    -------
    i : In(stream.Signature(bits)), one per input stream
        Into the queues; the payload is the stream's, as bits.
    room : Out(range(queue_depth + 1)), one per input stream
        Beats that the queue takes at once.
    o : Out(stream.Signature(bits)), one per output stream
        Out of the queues.
    counts : Out(COUNT_BITS), one per stream
        Beats that entered or left the block.
    setting, shift : In(8), In(1)
        With ``shift`` the settings move down by a byte, and ``setting`` is their highest.
    unsettled : Out(1)
        The settings must not change: the block has not taken all that is queued for its first
        input stream, or has taken a part of a packet.
    status : Out(status_bits)
        Every output of the block beside its streams, in order.

    Notes
    -----
    Only the first input stream has a say in ``unsettled``. Blocks sample their settings with the
    packets of that stream, and another stream may have to run ahead of it.
    """

    room: Any
    counts: Any
    setting: Signal
    shift: Signal
    unsettled: Signal
    status: Signal

    def __init__(self, inner: Block, *, queue_depth: int):
        self.inner, self.queue_depth = inner, queue_depth
        self.inputs: list[StreamPort] = [s for s in streams_of(inner) if s.is_input]
        self.outputs: list[StreamPort] = [s for s in streams_of(inner) if not s.is_input]
        others = list(_beside_streams(inner))
        self.settings = [p for p in others if p.is_input]
        self.readings = [p for p in others if not p.is_input]
        self.config_bits = sum(p.width for p in self.settings)
        self.status_bits = sum(p.width for p in self.readings)
        members: dict[str, Any] = {
            "room": Out(range(queue_depth + 1)).array(len(self.inputs)),
            "counts": Out(COUNT_BITS).array(len(self.inputs) + len(self.outputs)),
            "setting": In(8),
            "shift": In(1),
            "unsettled": Out(1),
            "status": Out(self.status_bits),
        }
        for k, port in enumerate(self.inputs):
            members[f"i{k}"] = In(stream.Signature(width_of(port)))
        for k, port in enumerate(self.outputs):
            members[f"o{k}"] = Out(stream.Signature(width_of(port)))
        super().__init__(members)

    def identity(self, largest_payload: int) -> Identity:
        """Return what a device that carries this block answers to ``IDENTIFY``."""
        return Identity(
            digest_of(self.inner),
            largest_payload,
            self.config_bits,
            self.status_bits,
            tuple(StreamFacts(width_of(s), self.queue_depth) for s in self.inputs),
            tuple(StreamFacts(width_of(s), self.queue_depth) for s in self.outputs),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = self.inner
        for k, port in enumerate(self.inputs):
            queue = Fifo(shape=width_of(port), depth=self.queue_depth)
            # A block RAM answers late in the cycle: its output gets a register of its own.
            late = RegisterSlice(shape=width_of(port))
            m.submodules[f"queue_{port.name}"] = queue
            m.submodules[f"slice_{port.name}"] = late
            inside = port.interface
            wiring.connect(m, wiring.flipped(getattr(self, f"i{k}")), queue.i)
            wiring.connect(m, queue.o, late.i)
            m.d.comb += [
                inside.valid.eq(late.o.valid),
                Value.cast(inside.payload).eq(late.o.payload),
                late.o.ready.eq(inside.ready),
                self.room[k].eq(self.queue_depth - queue.level - late.o.valid),
            ]
            self._count(m, k, inside)
            if k == 0:
                self._watch_packets(m, port, (queue.level != 0) | late.o.valid)
        for k, port in enumerate(self.outputs):
            queue = Fifo(shape=width_of(port), depth=self.queue_depth)
            m.submodules[f"queue_{port.name}"] = queue
            inside = port.interface
            m.d.comb += [
                queue.i.valid.eq(inside.valid),
                queue.i.payload.eq(Value.cast(inside.payload)),
                inside.ready.eq(queue.i.ready),
            ]
            wiring.connect(m, queue.o, wiring.flipped(getattr(self, f"o{k}")))
            self._count(m, len(self.inputs) + k, inside)
        if self.config_bits:
            word = Signal(8 * bytes_of(self.config_bits))
            m.d.comb += Cat(Value.cast(p.value) for p in self.settings).eq(word)
            with m.If(self.shift):
                m.d.sync += word.eq(Cat(word, self.setting)[8:])
        m.d.comb += self.status.eq(Cat(Value.cast(p.value) for p in self.readings))
        return m

    def _count(self, m: Module, k: int, inside: Any) -> None:
        with m.If(inside.valid & inside.ready):
            m.d.sync += self.counts[k].eq(self.counts[k] + 1)

    def _watch_packets(self, m: Module, port: StreamPort, queued: Value) -> None:
        inside, unfinished = port.interface, Signal()
        if isinstance(port.shape, Beat):
            with m.If(inside.valid & inside.ready):
                m.d.sync += unfinished.eq(~inside.payload.last)
        m.d.comb += self.unsettled.eq(queued | unfinished)


def width_of(port: StreamPort) -> int:
    """Return the bits of a stream's payload."""
    return len(Value.cast(port.interface.payload))


def _beside_streams(block: Block) -> list[Port]:
    """Return the ports that belong to no stream.

    Raises
    ------
    ValueError
        If the block has AXI4-Stream ports, which are neither.
    """
    prefixes = tuple(f"{s.name}__" for s in streams_of(block))
    ports = [p for p in ports_of(block) if not p.name.startswith(prefixes)]
    if any("_axis" in p.name for p in ports):
        raise ValueError(
            f"{type(block).__name__} has AXI4-Stream ports; link the block behind them"
        )
    return ports
