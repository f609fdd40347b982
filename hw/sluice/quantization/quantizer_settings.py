"""Take the settings of a quantizer from messages, and change them between packets."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS
from sluice.params import Int
from sluice.quantization.messages import (
    CRC_BYTES,
    INDICATION_BYTES,
    REPLY_BYTES,
    VERSION,
    Code,
    Method,
)
from sluice.quantization.settings import CODE_BITS, quantizer_layout
from sluice.stream import Beat, Payload

__all__ = ["QuantizerSettings"]

CONTENT_BYTES = INDICATION_BYTES - CRC_BYTES
MOST_BITS = 16
ZERO_BITS = 24


class QuantizerSettings(Block):
    """Check messages that say how to quantize, reply, and show the settings from a packet on.

    Parameters
    ----------
    shape : Beat
        Payload of the stream whose packets are watched.
    target : int, 0..255
        Messages for another one are refused.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
        The same stream: settings change only between two of its packets.
    message : In(stream.Signature(Beat("uint8", 1)))
        A packet per indication (:class:`sluice.quantization.messages.Indication`), of 21 bytes, the
        lowest byte of a number first: version 1, sequence number, target, strategy, method, bits;
        scale and its reciprocal, of 4 bytes; zero point, of 3; and CRC-32 of what is before it.
    reply : Out(stream.Signature(Beat("uint8", 1)))
        A packet per indication, of 8 bytes: version 1, sequence number, code
        (:class:`sluice.quantization.messages.Code`), the strategy in force, and CRC-32.
    settings : Out(StructLayout)
        The ``config`` of :class:`FakeQuantize`. After reset, numbers pass unchanged.
    strategy : Out(8)
        Named by the last indication that was accepted.

    Attributes
    ----------
    latency : 0 cycles
        From ``i`` to ``o``.
    interval : 1 cycle
    reply_latency : 5 cycles
        From the last byte of an accepted indication to the first one of the reply, while no packet
        is under way.

    Notes
    -----
    ``i`` and ``o`` are wires, whose ``ready`` and ``valid`` depend on each other in the same cycle.

    An indication is refused for the first of these reasons: its length, CRC, version, or target;
    ``method`` is none; ``bits`` is not in 1..16; the zero point is no code; scale or reciprocal is
    not a positive normal number. The method that lets numbers pass does not use the last three, and
    they are checked all the same.

    An accepted indication waits for the end of the packet that is under way, or whose first beat is
    offered. Then the settings change, all in one cycle, and then the reply comes: who has it knows
    that the settings are in force. The next indication waits meanwhile.

    One with the sequence number of the last accepted indication is taken for that one, sent again
    because its reply was lost: it is accepted, and changes nothing. Only the last number is
    remembered, so let a sender wait for a reply before the next number, which any number may
    follow.

    Reset forgets settings, sequence number, and what is on the way.
    Golden model: :func:`sluice_sim.golden.quantization.answer`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    message: stream.Interface
    reply: stream.Interface
    settings: Any
    strategy: Signal
    latency = 0
    interval = 1
    reply_latency = 5

    PARAMETERS = (
        Payload("shape", "payload of the stream that is watched", beats_only=True),
        Int("target", "whose settings these are", 0, 255),
    )

    def __init__(self, *, shape: Any = "fp32x4", target: int = 0):
        self.check(shape=shape, target=target)
        self.shape: Any
        self.target: int
        self.bytes_beat = Beat(FORMATS["uint8"], 1)
        layout = quantizer_layout()
        super().__init__(
            {
                "i": In(stream.Signature(self.shape)),
                "o": Out(stream.Signature(self.shape)),
                "message": In(stream.Signature(self.bytes_beat)),
                "reply": Out(stream.Signature(self.bytes_beat)),
                "settings": Out(layout, init={"bypass": 1}),  # pyright: ignore[reportCallIssue] (not in the stubs)
                "strategy": Out(8),
            }
        )

    def make_crc(self) -> Any:
        """Return what computes the CRC of messages and of replies."""
        return CRC32_ISO_HDLC(data_width=8).create()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
        m.submodules.crc = self.crc = self.make_crc()
        # An accepted message waits for the end of a packet; a reply is sent.
        self.content = Signal(8 * CONTENT_BYTES, reset_less=True)
        self.waits, self.replies = Signal(), Signal()
        self.code, self.again = Signal(8, reset_less=True), Signal(8)
        self._receive(m)
        self._check(m)
        self._apply(m)
        self._reply(m)
        return m

    def _receive(self, m: Module) -> None:
        message = self.message
        self.receives, self.count = Signal(init=1), Signal(range(INDICATION_BYTES + 2))
        self.ended = Signal()
        taken = message.valid & self.receives
        there = taken & message.payload.keep[0]
        byte = Value.cast(message.payload.data[0])
        m.d.comb += [message.ready.eq(self.receives), self.ended.eq(taken & message.payload.last)]
        with m.If(there & (self.count != INDICATION_BYTES + 1)):
            m.d.sync += self.count.eq(self.count + 1)
        with m.If(there & (self.count < CONTENT_BYTES)):
            m.d.sync += self.content.eq(Cat(self.content[8:], byte))
        with m.If(self.ended):
            m.d.sync += self.receives.eq(0)
        with m.If(self.receives):
            m.d.comb += [
                self.crc.start.eq(self.count == 0),
                self.crc.valid.eq(there),
                self.crc.data.eq(byte),
            ]

    def _check(self, m: Module) -> None:
        """Set ``code`` in three cycles, and then begin to wait or to reply."""
        fields = self.content
        version, self.sequence, target, self.named, self.method, bits = (
            fields.word_select(k, 8) for k in range(6)
        )
        self.scale, self.inverse = fields[48:80], fields[80:112]
        zero: Value = fields[112:].as_signed()
        self.step = Signal(3)
        m.d.sync += self.step.eq(Cat(self.ended, self.step[:-1]))

        # Faults, by the number of their code; those that need the range of codes come later.
        early, faults = (Signal(len(Code), name=name) for name in ("early", "faults"))
        is_signed = self.method == Method.SIGNED
        # Of as many bits as there are, at least one.
        ones = Cat(1, *(bits > k for k in range(1, MOST_BITS)))
        self.low, self.high = Signal(signed(CODE_BITS)), Signal(signed(CODE_BITS))
        self.known = Signal()
        half = Cat(ones[1:], 0)
        m.d.sync += [
            self.high.eq(Mux(is_signed, half, ones)),
            self.low.eq(Cat(~half & is_signed.replicate(MOST_BITS), is_signed)),
            early[Code.LENGTH].eq(self.count != INDICATION_BYTES),
            early[Code.CRC].eq(~self.crc.match_detected),
            early[Code.VERSION].eq(version != VERSION),
            early[Code.TARGET].eq(target != self.target),
            early[Code.METHOD].eq(self.method > Method.SIGNED),
            early[Code.BITS].eq((bits == 0) | (bits > MOST_BITS)),
        ]
        unfit = [~_is_normal(word) for word in (self.scale, self.inverse)]
        m.d.sync += [
            faults.eq(early),
            faults[Code.ZERO_POINT].eq((zero < self.low) | (zero > self.high)),
            faults[Code.SCALE].eq(Cat(unfit).any()),
        ]
        # What was accepted before is not looked at again.
        before = self.known & (self.again == self.sequence)
        code: Value = Const(Code.ACCEPTED, 8)
        for fault in reversed(list(Code)[1:]):
            counts = faults[fault]
            if fault > Code.TARGET:
                counts = counts & ~before
            code = Mux(counts, int(fault), code)[:8]
        with m.If(self.step[-1]):
            m.d.sync += [self.code.eq(code), self.waits.eq((code == Code.ACCEPTED) & ~before)]
            m.d.sync += self.replies.eq((code != Code.ACCEPTED) | before)

    def _apply(self, m: Module) -> None:
        """Change the settings where no packet is under way in the next cycle."""
        i = self.i
        inside = Signal()
        with m.If(i.valid):
            m.d.sync += inside.eq(~(i.ready & i.payload.last))
        ends = i.valid & i.ready & i.payload.last
        with m.If(self.waits & (ends | ~(inside | i.valid))):
            m.d.sync += [
                self.settings.scale.eq(self.scale),
                self.settings.inv_scale.eq(self.inverse),
                self.settings.zero_point.eq(self.content[-ZERO_BITS:]),
                self.settings.qmin.eq(self.low),
                self.settings.qmax.eq(self.high),
                self.settings.bypass.eq(self.method == Method.BYPASS),
                self.strategy.eq(self.named),
                self.again.eq(self.sequence),
                self.known.eq(1),
                self.waits.eq(0),
                self.replies.eq(1),
            ]

    def _reply(self, m: Module) -> None:
        reply, crc = self.reply, self.crc
        place = Signal(range(REPLY_BYTES))
        sequence = Mux(self.code == Code.LENGTH, 0, self.sequence)
        content = Cat(Const(VERSION, 8), sequence[:8], self.code, self.strategy)
        byte, moves = Signal(8), self.replies & reply.ready
        # The second half is the CRC, which must not be in the way of what it is computed of.
        part, checks = place[:-1], place[-1]
        check = crc.crc.word_select(part, 8)
        m.d.comb += [
            byte.eq(content.word_select(part, 8)),
            reply.valid.eq(self.replies),
            Value.cast(reply.payload).eq(
                Cat(Mux(checks, check, byte), 1, place == REPLY_BYTES - 1)
            ),
        ]
        with m.If(~self.receives):
            m.d.comb += [
                crc.start.eq(moves & (place == 0)),
                crc.valid.eq(moves & ~checks),
                crc.data.eq(byte),
            ]
        with m.If(moves):
            m.d.sync += place.eq(place + 1)
            with m.If(place == REPLY_BYTES - 1):
                m.d.sync += [self.replies.eq(0), self.receives.eq(1), self.count.eq(0)]


def _is_normal(word: Value) -> Value:
    """Return whether fp32 is positive and neither zero nor subnormal, infinite or NaN."""
    exponent = word[23:31]
    return ~word[31] & exponent.any() & ~exponent.all()
