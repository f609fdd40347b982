"""A block behind a byte link."""

from typing import Any

from amaranth import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.link.carrier import COUNT_BITS, Carrier
from sluice.link.cobs import CobsDecoder, CobsEncoder, FrameByte
from sluice.link.protocol import (
    ANSWER,
    ANSWER_OVERHEAD,
    CRC_BYTES,
    REQUEST_HEADER,
    Code,
    Op,
    bytes_of,
)
from sluice.params import Int
from sluice.stream import RegisterSlice

__all__ = ["HostLink"]


class HostLink(Block):
    """Serve the requests of a host: settings, beats in and out, status; see ``docs/host-link.md``.

    Parameters
    ----------
    inner : Block
        What the host gets to work with. Its streams pass through queues; its other inputs are the
        settings, its other outputs the status.
    queue_depth : int, 1..32768
        Beats per queue.
    frame_bytes : int, 64..4096
        Largest frame, without its stuffing. Requests and answers carry up to seven bytes less.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes from the host. Not ready from the end of a frame to the end of its answer.
    o : Out(stream.Signature(8))
        Bytes to the host.

    Attributes
    ----------
    identity : Identity
        What the device says of itself.

    Notes
    -----
    Each frame gets one answer, and only a frame that was checked in full has an effect. Outputs
    of the block stall when their queue is full. Reset also forgets the sequence number, after
    which ``IDENTIFY`` or ``RESET`` must come first.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or the block has no streams that a
        link can carry.
    """

    i: stream.Interface
    o: stream.Interface

    PARAMETERS = (
        Int("queue_depth", "beats per queue", 1, 32768, "beats"),
        Int("frame_bytes", "largest frame without its stuffing", 64, 4096, "bytes"),
    )

    def __init__(self, inner: Block, *, queue_depth: int = 256, frame_bytes: int = 512):
        self.check(queue_depth=queue_depth, frame_bytes=frame_bytes)
        self.queue_depth: int
        self.frame_bytes: int
        self.inner = inner
        self.carrier = Carrier(inner, queue_depth=self.queue_depth)
        self.largest_payload = self.frame_bytes - ANSWER_OVERHEAD
        self.identity = self.carrier.identity(self.largest_payload)
        widest = max(s.beat_bytes for s in (*self.identity.inputs, *self.identity.outputs))
        answers = (len(self.identity.pack()), self.status_bytes)
        if max(widest + 1, bytes_of(self.identity.config_bits), *answers) > self.largest_payload:
            raise ValueError(f"frame_bytes must be larger than {frame_bytes} for this block")
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    @property
    def status_bytes(self) -> int:
        """Bytes of the answer to ``STATUS``."""
        streams = len(self.identity.inputs) + len(self.identity.outputs)
        return bytes_of(self.identity.status_bits) + streams * COUNT_BITS // 8 + 2 * len(Code)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        identity, carrier = self.identity, self.carrier
        restart = Signal()
        m.submodules.carrier = ResetInserter(restart)(carrier)
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.encoder = encoder = CobsEncoder()
        check: Any = CRC32_ISO_HDLC(8).create()
        check_clear, sent = Signal(), Signal()
        m.submodules.check = ResetInserter(check_clear)(check)
        m.submodules.request = request = memory.Memory(shape=8, depth=self.frame_bytes, init=[])
        m.submodules.answer = answer = memory.Memory(shape=8, depth=self.frame_bytes, init=[])
        # How often each code was answered, then what IDENTIFY says.
        words = identity.pack()
        first = len(Code)
        rows = [0] * first + [
            int.from_bytes(words[k : k + 2], "little") for k in range(0, len(words), 2)
        ]
        m.submodules.table = table = memory.Memory(shape=16, depth=len(rows), init=rows)
        # Bytes to send come late in the cycle, out of a memory: nothing but a register sees them.
        m.submodules.leaving = leaving = RegisterSlice(shape=FrameByte())
        wiring.connect(m, leaving.o, encoder.i)
        from_host, to_host = decoder.o, leaving.i
        wiring.connect(m, wiring.flipped(self.i), decoder.i)
        wiring.connect(m, encoder.o, wiring.flipped(self.o))

        # The frame that came, and the answer to the last request that was in order.
        op, seq, code = Signal(8), Signal(8), Signal(Code)
        last_op, last_seq, last_code = Signal(8), Signal(8), Signal(Code)
        opened, rejected, too_long, broken = Signal(), Signal(), Signal(), Signal()
        count = Signal(range(self.frame_bytes + 1))
        put, get = request.write_port(), request.read_port()
        keep, send = answer.write_port(), answer.read_port()
        # ``at`` is one past the byte that ``get`` shows; it is ``stop`` when all were shown.
        at, stop, advance = Signal.like(count), Signal.like(count), Signal()
        fill, place, onward = Signal.like(count), Signal.like(count), Signal()
        tally, look = table.write_port(), table.read_port()
        row = Signal(range(len(rows) + 1))
        m.d.comb += [
            put.addr.eq(count),
            put.data.eq(from_host.payload.data),
            get.addr.eq(at),
            get.en.eq(advance),
            keep.addr.eq(fill),
            send.addr.eq(place),
            send.en.eq(onward),
            look.addr.eq(row),
            tally.addr.eq(row),
        ]
        m.d.sync += [at.eq(at + advance), place.eq(place + onward)]

        # One word takes a beat in byte by byte, or gives what an answer consists of.
        streams = (*identity.inputs, *identity.outputs)
        word_bytes = max(4, bytes_of(identity.status_bits), *(s.beat_bytes for s in streams))
        word, left = Signal(8 * word_bytes), Signal(range(word_bytes + 1))
        chosen, beats, short = Signal(8), Signal(16), Signal()
        item = Signal(range(len(carrier.counts) + 2))
        push, part, receiving = Signal(), Signal(range(CRC_BYTES)), Signal()
        size, room, there, tail = Signal.like(left), Signal(16), Signal(), Signal()
        exists, pop = Signal(), Signal()
        m.d.sync += push.eq(0)
        with m.If(op == Op.PUSH), m.Switch(chosen):
            for k, facts in enumerate(identity.inputs):
                with m.Case(k):
                    m.d.comb += [
                        exists.eq(1),
                        size.eq(facts.beat_bytes),
                        room.eq(carrier.room[k]),
                    ]
        with m.Else(), m.Switch(chosen):
            for k, facts in enumerate(identity.outputs):
                queue = getattr(carrier, f"o{k}")
                with m.Case(k):
                    m.d.comb += [
                        exists.eq(1),
                        size.eq(facts.beat_bytes),
                        there.eq(queue.valid),
                        queue.ready.eq(pop),
                        tail.eq(fill > self.largest_payload - facts.beat_bytes),
                    ]
        for k, facts in enumerate(identity.inputs):
            queue = getattr(carrier, f"i{k}")
            m.d.comb += [
                queue.valid.eq(push & (chosen == k)),
                queue.payload.eq(word[8 * (word_bytes - facts.beat_bytes) :]),
            ]
        m.d.comb += [carrier.setting.eq(get.data), keep.data.eq(word)]

        def conclude(value: Code) -> None:
            m.d.sync += code.eq(value)
            m.next = "TALLY"

        # What an answer carries around its payload.
        around = Signal(8)
        with m.FSM() as fsm:
            with m.State("CLEAR"):
                m.d.comb += [restart.eq(1), tally.en.eq(1)]
                m.d.sync += row.eq(row + 1)
                with m.If(row == first - 1):
                    m.next = "RECEIVE"
                    with m.If(opened):
                        conclude(Code.OK)

            with m.State("RECEIVE"):
                m.d.comb += [from_host.ready.eq(1), receiving.eq(1)]
                m.d.sync += [at.eq(REQUEST_HEADER), rejected.eq(0)]
                with m.If(from_host.valid):
                    with m.If(from_host.payload.end):
                        m.d.sync += broken.eq(from_host.payload.broken)
                        m.next = "JUDGE"
                    with m.Elif(count == self.frame_bytes):
                        m.d.sync += too_long.eq(1)
                    with m.Else():
                        m.d.comb += put.en.eq(1)
                        m.d.sync += count.eq(count + 1)
                        with m.If(count == 0):
                            m.d.sync += op.eq(from_host.payload.data)
                        with m.If(count == 1):
                            m.d.sync += seq.eq(from_host.payload.data)

            with m.State("JUDGE"):
                m.d.comb += [check_clear.eq(1), advance.eq(1)]
                m.d.sync += [
                    stop.eq(count - CRC_BYTES + 1),
                    count.eq(0),
                    too_long.eq(0),
                    rejected.eq(1),
                ]
                free = Signal()
                m.d.comb += free.eq((op == Op.IDENTIFY) | (op == Op.RESET))
                m.next = "TALLY"
                with m.If(broken):
                    m.d.sync += [code.eq(Code.FRAME), op.eq(0), seq.eq(0)]
                with m.Elif(too_long | (count < REQUEST_HEADER + CRC_BYTES)):
                    m.d.sync += [code.eq(Code.LENGTH), op.eq(0), seq.eq(0)]
                with m.Elif(~check.match_detected):
                    m.d.sync += [code.eq(Code.CRC), op.eq(0), seq.eq(0)]
                with m.Elif((op < min(Op)) | (op > max(Op))):
                    m.d.sync += code.eq(Code.OP)
                with m.Elif(~free & opened & (seq == last_seq)):
                    m.d.sync += [rejected.eq(0), op.eq(last_op), code.eq(last_code)]
                    m.next = "HEADER"
                with m.Elif(~free & (~opened | (seq != (last_seq + 1)[:8]))):
                    m.d.sync += code.eq(Code.SEQUENCE)
                with m.Else():
                    m.d.sync += [rejected.eq(0), opened.eq(1), last_seq.eq(seq), fill.eq(0)]
                    m.next = "START"

            with m.State("START"):
                m.d.sync += [chosen.eq(get.data), row.eq(0), item.eq(0), short.eq(0)]
                m.next = "CHOOSE"
                expected = Signal.like(stop)
                m.d.comb += expected.eq(REQUEST_HEADER + 1)
                with m.Switch(op):
                    with m.Case(Op.IDENTIFY):
                        m.d.sync += [row.eq(first), item.eq(len(carrier.counts) + 1)]
                    with m.Case(Op.RESET):
                        m.next = "CLEAR"
                    with m.Case(Op.CONFIGURE):
                        m.d.comb += expected.eq(REQUEST_HEADER + 1 + bytes_of(identity.config_bits))
                        m.next = "CONFIGURE"
                        with m.If(carrier.unsettled):
                            conclude(Code.BUSY)
                    with m.Case(Op.PULL):
                        m.d.comb += [expected.eq(REQUEST_HEADER + 4), advance.eq(1)]
                    with m.Case(Op.PUSH):
                        # As many bytes as there are, but a stream's number must be among them.
                        m.d.comb += [expected.eq(stop), advance.eq(1)]
                        with m.If(stop == REQUEST_HEADER + 1):
                            conclude(Code.ARGUMENT)
                with m.If(stop != expected):
                    conclude(Code.ARGUMENT)

            with m.State("CONFIGURE"):
                m.d.comb += advance.eq(1)
                with m.If(at == stop):
                    conclude(Code.OK)
                with m.Else():
                    m.d.comb += carrier.shift.eq(1)

            with m.State("CHOOSE"):
                m.d.sync += left.eq(size)
                m.next = "LOAD"
                with m.Switch(op):
                    with m.Case(Op.PUSH):
                        m.d.sync += beats.eq(room)
                        m.next = "MEASURE"
                    with m.Case(Op.PULL):
                        m.d.comb += advance.eq(1)
                        m.d.sync += beats[:8].eq(get.data)
                        m.next = "MOST"
                with m.If(~exists & ((op == Op.PUSH) | (op == Op.PULL))):
                    conclude(Code.ARGUMENT)

            with m.State("MOST"):
                m.d.sync += beats[8:].eq(get.data)
                m.next = "LOAD"

            with m.State("MEASURE"):
                m.d.comb += advance.eq(1)
                m.d.sync += left.eq(left - 1)
                with m.If(at == stop):
                    m.d.comb += advance.eq(0)
                    m.d.sync += [at.eq(REQUEST_HEADER + 1), left.eq(size)]
                    m.next = "REWIND"
                    with m.If(left != size):
                        conclude(Code.ARGUMENT)
                    with m.Elif(short):
                        conclude(Code.BUSY)
                with m.Elif(left == 1):
                    m.d.sync += [left.eq(size), beats.eq(beats - 1)]
                    with m.If(beats == 0):
                        m.d.sync += [short.eq(1), beats.eq(0)]

            with m.State("REWIND"):
                m.d.comb += advance.eq(1)
                m.next = "PUSH"

            with m.State("PUSH"):
                m.d.comb += advance.eq(1)
                with m.If(at == stop):
                    conclude(Code.OK)
                with m.Else():
                    m.d.sync += [word.eq(Cat(word, get.data)[8:]), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.d.sync += [left.eq(size), push.eq(1)]

            with m.State("LOAD"):
                m.next = "EMIT"
                with m.If(op == Op.PULL):
                    m.d.sync += [left.eq(size), beats.eq(beats - 1)]
                    m.d.comb += pop.eq(1)
                    with m.Switch(chosen):
                        for k in range(len(identity.outputs)):
                            with m.Case(k):
                                m.d.sync += word.eq(getattr(carrier, f"o{k}").payload)
                    with m.If((beats == 0) | ~there | tail):
                        m.d.comb += pop.eq(0)
                        conclude(Code.OK)
                with m.Else():
                    m.d.sync += item.eq(item + 1)
                    with m.Switch(item):
                        with m.Case(0):
                            m.d.sync += [
                                word.eq(carrier.status),
                                left.eq(bytes_of(identity.status_bits)),
                            ]
                            if not identity.status_bits:
                                m.next = "LOAD"
                        for k in range(len(carrier.counts)):
                            with m.Case(k + 1):
                                m.d.sync += [word.eq(carrier.counts[k]), left.eq(COUNT_BITS // 8)]
                        with m.Default():
                            m.d.sync += [word.eq(look.data), left.eq(2)]
                            m.d.sync += [row.eq(row + 1), item.eq(item)]
                            ends = ((op == Op.STATUS) & (row == first)) | (row == len(rows))
                            with m.If(ends):
                                conclude(Code.OK)

            with m.State("EMIT"):
                m.d.comb += keep.en.eq(1)
                m.d.sync += [word.eq(word >> 8), left.eq(left - 1), fill.eq(fill + 1)]
                with m.If(left == 1):
                    m.next = "LOAD"

            with m.State("TALLY"):
                m.d.sync += row.eq(code)
                with m.If(~rejected):
                    m.d.sync += [last_op.eq(op), last_code.eq(code)]
                m.next = "LOOK"
            with m.State("LOOK"):
                m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += [tally.data.eq(look.data + 1), tally.en.eq(~look.data.all())]
                m.next = "HEADER"

            with m.State("HEADER"):
                m.d.comb += [to_host.valid.eq(1), onward.eq(0)]
                with m.Switch(part):
                    with m.Case(0):
                        m.d.comb += around.eq(op | ANSWER)
                    with m.Case(1):
                        m.d.comb += around.eq(seq)
                    with m.Default():
                        m.d.comb += around.eq(code)
                with m.If(to_host.ready):
                    m.d.sync += part.eq(part + 1)
                    with m.If(part == 2):
                        m.d.comb += onward.eq(1)
                        m.d.sync += part.eq(0)
                        m.next = "PAYLOAD"
                        with m.If(rejected | (fill == 0)):
                            m.next = "SETTLE"

            with m.State("PAYLOAD"):
                m.d.comb += to_host.valid.eq(1)
                with m.If(to_host.ready):
                    m.d.comb += onward.eq(1)
                    with m.If(place == fill):
                        m.next = "SETTLE"

            with m.State("SETTLE"):
                # The checksum is two bytes late.
                m.d.sync += part.eq(part + 1)
                with m.If(part == 1):
                    m.d.sync += part.eq(0)
                    m.next = "CHECK"

            with m.State("CHECK"):
                m.d.comb += [
                    to_host.valid.eq(1),
                    around.eq(check.crc.word_select(part, 8)),
                    to_host.payload.last.eq(part == CRC_BYTES - 1),
                ]
                with m.If(to_host.ready):
                    m.d.sync += part.eq(part + 1)
                    with m.If(part == CRC_BYTES - 1):
                        m.d.comb += check_clear.eq(1)
                        m.d.sync += place.eq(0)
                        m.next = "RECEIVE"
        m.d.comb += to_host.payload.data.eq(Mux(fsm.ongoing("PAYLOAD"), send.data, around))
        m.d.sync += [
            sent.eq(to_host.valid & to_host.ready & ~fsm.ongoing("CHECK")),
            check.valid.eq(sent | (receiving & put.en)),
            check.data.eq(Mux(receiving, from_host.payload.data, leaving.o.payload.data)),
        ]
        return m
