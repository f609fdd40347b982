"""The bits of a packet as elements of another width."""

import math
from typing import Any

from amaranth import Cat, Const, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay
from sluice.stream.beat import Beat, Payload
from sluice.stream.pipeline import Pipeline
from sluice.stream.settings import sample_settings

__all__ = ["Repack"]

# Of the multiplexers that shift a beat, between two registers.
_LEVELS = 2


class Repack(Block):
    """Cut the bits of a packet into elements of another width: bytes into codes, and back.

    Parameters
    ----------
    i_shape, o_shape : Beat
        Payloads of the input and of the output, of any widths and lanes; formats do not matter.

    Members
    -------
    i : In(stream.Signature(i_shape))
        Of each packet the bits of the elements that are kept, lane 0 and low bits first.
    o : Out(stream.Signature(o_shape))
        The same bits, as many elements as have at least one of them. What the last element lacks
        is zero, or what ``spare`` left out.
    config : In(StructLayout({"spare": range(width of an input element)}))
        Sampled at the first beat of a packet: how many top bits of its last element are none of
        the packet's. Of codes in bytes, those that fill the last byte.

    Attributes
    ----------
    latency : int, cycles
        From the input beat that brings the last bit of an output beat: the output queue, 5 more,
        and one for each two halvings of the places where a beat may begin, beyond six. An output
        beat comes a cycle after the one before, if both have bits of the same last input beat.
    interval : cycles
        Between input beats: 1, or as many times as an input beat is wider than an output beat. A
        beat is given or one taken in every cycle, which nothing could better. If the input is the
        narrower one, a packet whose last beat has bits of two output beats takes one cycle more.

    Notes
    -----
    ``i.ready`` depends on registers only. Reset drops all beats on the way.

    Places where a beat may begin are multiples of the greatest common divisor of both beats' bits:
    the fewer there are, the smaller the shifter. Beats where one is a multiple of the other need
    none.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a Beat.
    """

    i: stream.Interface
    o: stream.Interface
    config: Any
    same_packets = False

    PARAMETERS = (
        Payload("i_shape", "payload of the input", beats_only=True),
        Payload("o_shape", "payload of the output", beats_only=True),
    )

    def __init__(self, *, i_shape: Any = "uint8x8", o_shape: Any = "uint7x8"):
        self.check(i_shape=i_shape, o_shape=o_shape)
        self.i_shape: Beat
        self.o_shape: Beat
        self.i_bits, self.o_bits = self.i_shape.data_bits, self.o_shape.data_bits
        # Where input beats begin in output beats, and full ones end, are multiples of this.
        self.step = math.gcd(self.i_bits, self.o_bits)
        self.places = self.o_bits // self.step
        self.steps = self.i_bits // self.step
        self.levels = (self.places - 1).bit_length()
        self.shifts = max(3, -(-self.levels // _LEVELS))
        self.room = self.o_bits - self.step + self.i_bits
        self.entry = data.StructLayout(
            {
                # Of an input beat, where they go.
                "bits": self.room,
                "first": 1,
                "gives": 1,
                "ends": 1,
                # Bits that are there to be given.
                "have": range(self.room + 1),
            }
        )
        self.turn = data.StructLayout(
            {
                "valid": 1,
                "bits": self.room,
                "steps": range(self.room // self.step + 1),
                "have": range(self.room + 1),
                "last": 1,
                "gives": 1,
                "more": 1,
                "ends": 1,
            }
        )
        self.pipeline = Pipeline(
            i_shape=self.entry, o_shape=self.o_shape, stages=1, chooses=True, read_ahead=True
        )
        self.latency = 1 + self.shifts + self.pipeline.latency
        self.interval = max(1.0, self.i_bits / self.o_bits)
        width = self.i_shape.element_width
        super().__init__(
            {
                "i": In(stream.Signature(self.i_shape)),
                "o": Out(stream.Signature(self.o_shape)),
                "config": In(data.StructLayout({"spare": range(max(2, width))})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m, front = Module(), Module()
        m.submodules.pipeline = pipeline = self.pipeline
        # One enable for all registers in front of the pipeline, whose output is the only limit.
        advances, more = Signal(), Signal()
        m.submodules.front = EnableInserter(advances)(front)
        m.d.comb += [advances.eq(pipeline.i.ready & ~more), self.i.ready.eq(advances)]
        settings = sample_settings(m, self.config, self.i)
        self._issue(m, self.shift(front, settings.spare), advances, more)
        entry = pipeline.entry
        there = Signal(self.room)
        found = Mux(entry.first, entry.bits, 0) | there
        with m.If(pipeline.entry_valid):
            rest = Mux(entry.gives, found[self.o_bits :], found)
            m.d.sync += there.eq(Mux(entry.ends, 0, rest))
        width = self.o_shape.element_width
        keep = Cat(entry.have > k * width for k in range(self.o_shape.lanes))
        result = delay(m, "given", Cat(found[: self.o_bits], keep, entry.ends), 1)
        m.d.comb += [
            pipeline.gives.eq(entry.gives),
            Value.cast(pipeline.result).eq(result),
        ]
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        return m

    def shift(self, m: Module, spare: Value) -> Any:
        """Return a beat's bits where they go, and what is there then, in bits and in steps."""
        beat, width = self.i.payload, self.i_shape.element_width
        at = Signal(range(max(2, self.places)))
        # Every beat but a packet's last one is full.
        behind = at + self.steps % self.places
        with m.If(self.i.valid):
            wrapped = Mux(behind >= self.places, behind - self.places, behind)
            m.d.sync += at.eq(Mux(beat.last, 0, wrapped))
        place = delay(m, "place", at, 1)
        spare = Mux(beat.last, spare, 0)
        size: Value = Const(0)
        for k in range(self.i_shape.lanes):
            # Lanes that are kept are a run.
            size = Mux(beat.keep[k], (k + 1) * width, size)
        size = delay(m, "kept", size, 1) - delay(m, "spare", Mux(beat.keep[0], spare, 0), 1)
        reached = delay(m, "reached", Cat(self._reaches(k, spare) for k in range(self.steps)), 1)
        steps: Value = Const(0)
        for k in range(self.steps):
            steps = Mux(reached[k], k + 1, steps)
        last = delay(m, "last", beat.last, self.shifts)
        bits: Value = Value.cast(beat.data) & Cat(bit.replicate(width) for bit in beat.keep)
        for n in range(self.shifts):
            bits = delay(m, f"bits_{n}", bits, 1)
            share = range(self.levels * n // self.shifts, self.levels * (n + 1) // self.shifts)
            for k in share:
                most = min(self.room, len(bits) + (self.step << k))
                to = delay(m, f"to_{k}", place[k], n)
                bits = Mux(to, Cat(Const(0, self.step << k), bits), bits)[:most]
        here = delay(m, "here", place, 1)
        total = delay(m, "total", here + delay(m, "steps", steps, 1), self.shifts - 2)
        have = delay(
            m,
            "have",
            here * self.step + delay(m, "size", size[: self.i_bits.bit_length()], 1),
            self.shifts - 2,
        )
        # What is full goes at once, and what is not only if there is no more of the packet.
        more = Mux(last, total > self.places, total >= 2 * self.places)
        word: Any = Signal(self.turn, name="placed")
        m.d.comb += [
            word.valid.eq(delay(m, "valid", self.i.valid, self.shifts, reset=True)),
            word.bits.eq(bits),
            word.steps.eq(total),
            word.have.eq(have),
            word.last.eq(last),
            word.gives.eq(last | (total >= self.places)),
            word.more.eq(word.valid & more),
            word.ends.eq(last & ~more),
        ]
        return word

    def _reaches(self, k: int, spare: Value) -> Value:
        """Return whether a beat has more than ``k`` steps."""
        width, keep = self.i_shape.element_width, self.i.payload.keep
        lane = k * self.step // width
        there = spare < (lane + 1) * width - k * self.step
        return keep[lane] & (there | keep[lane + 1 : lane + 2].any())

    def _issue(self, m: Module, word: Any, advances: Signal, more: Signal) -> None:
        """Enter a turn for each output beat that a beat brings the end of, or one for none."""
        i = self.pipeline.i
        turn: Any = Signal(self.turn)
        first = Signal()
        m.d.comb += [
            more.eq(turn.more),
            i.valid.eq(turn.valid),
            i.payload.bits.eq(turn.bits),
            i.payload.first.eq(first),
            i.payload.gives.eq(turn.gives),
            i.payload.ends.eq(turn.ends),
            i.payload.have.eq(turn.have),
        ]
        with m.If(advances):
            m.d.sync += [turn.eq(word), first.eq(1)]
        with m.Elif(i.ready):
            full = Mux(turn.last, turn.steps > 2 * self.places, turn.steps >= 3 * self.places)
            m.d.sync += [
                first.eq(0),
                turn.steps.eq(turn.steps - self.places),
                turn.have.eq(turn.have - self.o_bits),
                turn.gives.eq(1),
                turn.more.eq(full),
                turn.ends.eq(turn.last & ~full),
            ]
