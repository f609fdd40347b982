"""Ternary weights to flags and values."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.arith.products import sum_parts
from sluice.block import Block
from sluice.compression.ternary_codes import (
    NATURAL,
    PAIRS,
    VALUE,
    WEIGHT,
    Codes,
    look_up,
    split_codes,
)
from sluice.delay import delay
from sluice.formats import FORMATS
from sluice.params import Int
from sluice.sparsity.packing import add_packing, packed_layout, packing_steps, put_together
from sluice.stream import Beat, Pipeline, SkidBuffer

__all__ = ["TernaryCompress"]

# Until each pair has its flag and its value.
CLASSIFY_STEPS = 2


class TernaryCompress(Block):
    """Compress weights of 0, +1 and -1: a flag for each pair, and 3 bits if it is not zero.

    Parameters
    ----------
    lanes : int, 4..64
        Weights per beat, a power of two.
    codes : three codes of two bits, with commas between
        Of 0, +1 and -1.
    stages : int, 0..16
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer, which are ``2 * log2(lanes / 2) + 4``.
    count_bits : int, 1..32
        Of the count of illegal codes.

    Members
    -------
    i : In(stream.Signature(Beat(int2, lanes)))
        Codes of weights. Weight 0 and 1 of a packet are its first pair, the even one in the low
        bits; the last pair of an odd number has a second weight of zero.
    flags : Out(stream.Signature(Beat(bit, lanes / 2)))
        A beat for each of ``i``: a bit for each pair, set if it is not ``0 0``.
    values : Out(stream.Signature(Beat(uint3, lanes / 2)))
        One packet for each of ``i``, of the pairs with a flag: full beats but for the last one,
        which is empty where every weight is zero. Values 0 to 7 stand for the pairs ``+ 0``,
        ``- 0``, ``0 +``, ``+ +``, ``- +``, ``0 -``, ``+ -`` and ``- -``, the first weight first.
    status : Out(StructLayout({"illegal": 1}))
        Sticky: a weight had the fourth code. It counts as zero.
    illegal : Out(count_bits)
        How many had; the largest number stands for itself and all above.

    Attributes
    ----------
    latency : stages + 3 cycles
        From a beat to its flags: the datapath, its output queue and a buffer. A beat of values has
        the same from the beat with which there is one value more than it holds, or the packet's
        last one; one cycle more for the end of a packet that is left over from a beat.
    interval : 1 cycle
        Between input beats, without exception, which nothing could better.

    Notes
    -----
    ``i.ready`` depends on registers. Outputs are ready together or wait for each other. Reset drops
    what is on the way, and clears the count.

    With numbers as their natural codes, a value is the rank of its 4-bit pair among all of those
    that are not zero. The length of a packet is not among what comes out: whether it is odd is a
    setting of :class:`TernaryDecompress`. Values are packed as by
    :class:`sluice.sparsity.Compact`. Golden model:
    :func:`sluice_sim.golden.ternary.ternary_compress`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    flags: stream.Interface
    values: stream.Interface
    status: Any
    illegal: Signal
    interval = 1

    PARAMETERS = (
        Int("lanes", "weights per beat, a power of two", 4, 64, power_of_two=True),
        Codes("codes", "codes of 0, +1 and -1"),
        Int("stages", "registers in the datapath", 0, 16, "cycles"),
        Int("count_bits", "bits of the count of illegal codes", 1, 32, "bits"),
    )

    def __init__(
        self, *, lanes: int = 16, codes: str = NATURAL, stages: int = 16, count_bits: int = 16
    ):
        self.check(lanes=lanes, codes=codes, stages=stages, count_bits=count_bits)
        self.lanes: int
        self.codes: str
        self.stages: int
        self.count_bits: int
        self.pairs = self.lanes // 2
        self.i_beat = Beat(WEIGHT, self.lanes)
        self.flags_beat = Beat(FORMATS["bit"], self.pairs)
        self.values_beat = Beat(VALUE, self.pairs)
        self.steps = CLASSIFY_STEPS + packing_steps(self.pairs)
        self.pipeline = Pipeline(
            i_shape=self.i_beat,
            o_shape=data.StructLayout(
                {"packed": packed_layout(self.values_beat), "flags": self.flags_beat}
            ),
            stages=min(self.stages, self.steps),
            read_ahead=True,
        )
        self.latency = self.pipeline.latency + SkidBuffer.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "flags": Out(stream.Signature(self.flags_beat)),
                "values": Out(stream.Signature(self.values_beat)),
                "status": Out(data.StructLayout({"illegal": 1})),
                "illegal": Out(self.count_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        wiring.connect(m, wiring.flipped(self.i), pipeline.i)
        self._classify(m)
        # Both go at once, as registers say.
        come: Any = pipeline.o
        values = stream.Signature(packed_layout(self.values_beat)).create()
        m.submodules.flags = flags = SkidBuffer(shape=self.flags_beat)
        m.d.comb += [
            come.ready.eq(values.ready & flags.i.ready),
            values.valid.eq(come.valid & flags.i.ready),
            values.payload.eq(come.payload.packed),
            flags.i.valid.eq(come.valid & values.ready),
            flags.i.payload.eq(come.payload.flags),
        ]
        put_together(m, values, wiring.flipped(self.values))
        wiring.connect(m, flags.o, wiring.flipped(self.flags))
        return m

    def _classify(self, m: Module) -> None:
        """Find the flag and the value of every pair, and pack the values."""
        pipeline = self.pipeline
        given = pipeline.entry
        flow: Any = Flow(m, steps=self.steps, stages=pipeline.stages)
        zero, plus, minus = split_codes(self.codes)
        legal = {0: zero, 1: plus, 2: minus}
        codes = [Value.cast(code).as_unsigned() for code in given.data]
        for k, code in enumerate(codes):
            found = Cat(code == plus, code == minus)
            setattr(flow, f"weight_{k}", found & given.keep[k].replicate(2))
        flow.last, flow.keep = given.last, Cat(given.keep[k] for k in range(0, self.lanes, 2))
        none = Cat(Cat(code != c for c in legal.values()).all() for code in codes)
        self._count(m, none & given.keep)
        flow.step()

        # A bit for +1 and one for -1 of each weight, and the value of those that are legal.
        table = [0] * 16
        bits = {0: 0, 1: 1, -1: 2}
        for value, (first, second) in enumerate(PAIRS):
            table[bits[first] | bits[second] << 2] = value
        pairs = [
            Cat(getattr(flow, f"weight_{k}"), getattr(flow, f"weight_{k + 1}"))
            for k in range(0, self.lanes, 2)
        ]
        words = [look_up(pair, table, VALUE.width) for pair in pairs]
        for k, word in enumerate(words):
            setattr(flow, f"value_{k}", word)
        flow.flags = Cat(pair.any() for pair in pairs)
        flow.step()

        values = [getattr(flow, f"value_{k}") for k in range(self.pairs)]
        packed = add_packing(m, flow, values, flow.flags, pipeline.entry_valid)
        m.d.comb += Value.cast(pipeline.result).eq(Cat(packed, flow.flags, flow.keep, flow.last))

    def _count(self, m: Module, wrong: Value) -> None:
        """Count the bits that are set with beats, in a datapath of its own."""
        steps = 1 + (self.lanes - 1).bit_length()
        flow: Any = Flow(m, steps=steps, stages=steps)
        flow.wrong = wrong
        flow.step()
        for k in range(self.lanes):
            setattr(flow, f"part_{k}", flow.wrong[k])
        sum_parts(flow, self.lanes)
        found = flow.part_0
        total = self.illegal + found
        over = total[self.count_bits :].any().replicate(self.count_bits)
        with m.If(delay(m, "counted", self.pipeline.entry_valid, steps, reset=True)):
            m.d.sync += self.illegal.eq(total[: self.count_bits] | over)
            with m.If(found.any()):
                m.d.sync += self.status.illegal.eq(1)
