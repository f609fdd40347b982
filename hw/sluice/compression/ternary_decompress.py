"""Flags and values to ternary weights."""

from typing import Any

from amaranth import Cat, Const, Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.compression.expand_pairs import ExpandPairs
from sluice.compression.ternary_codes import (
    NATURAL,
    VALUE,
    WEIGHT,
    Codes,
    split_codes,
)
from sluice.formats import FORMATS
from sluice.params import Int
from sluice.stream import Beat, Fifo, SkidBuffer, sample_settings

__all__ = ["TernaryDecompress"]


class TernaryDecompress(Block):
    """Undo :class:`TernaryCompress`: pairs with a flag have a value each, the others are zeros.

    Parameters
    ----------
    lanes : int, 4..64
        Weights per beat, a power of two.
    codes : three codes of two bits, with commas between
        Of 0, +1 and -1.
    stages : int, 0..16
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer, which are ``2 * log2(lanes / 2) + 4``.

    Members
    -------
    flags : In(stream.Signature(Beat(bit, lanes / 2)))
        Which pairs have a value. One that is not kept has none.
    values : In(stream.Signature(Beat(uint3, lanes / 2)))
        One packet for each of ``flags``, with a value for each that is set: full beats but for the
        last one, which is empty where no flag is set.
    o : Out(stream.Signature(Beat(int2, lanes)))
        A beat for each of ``flags``, with both weights of each of its pairs.
    config : In(StructLayout({"odd": 1}))
        Sampled at the first beat of a packet of ``flags``. With ``odd`` the packet has an odd
        number of weights: the second one of the last pair is not kept. A last beat without a pair
        is as it is.
    status : Out(StructLayout({"mismatch": 1}))
        Sticky: a packet had fewer values than flags, and zeros in their places; or more, and they
        were dropped.

    Attributes
    ----------
    latency : stages + 6 cycles
        From ``flags`` to ``o``: places and values have a datapath with an output queue and a buffer
        each. A value that comes late has half of that to go.
    interval : 1 cycle
        Between beats of ``flags``, at every density, which nothing could better. Values that are
        too many cost a cycle for each beat with no other.

    Notes
    -----
    ``flags.ready`` and ``values.ready`` depend on registers. Reset drops what is on the way.

    Values become pairs of weights before :class:`sluice.sparsity.Expand` puts these to their flags.
    Golden model: :func:`sluice_sim.golden.ternary.ternary_decompress`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    flags: stream.Interface
    values: stream.Interface
    o: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = (
        Int("lanes", "weights per beat, a power of two", 4, 64, power_of_two=True),
        Codes("codes", "codes of 0, +1 and -1"),
        Int("stages", "registers in the datapath", 0, 16, "cycles"),
    )

    def __init__(self, *, lanes: int = 16, codes: str = NATURAL, stages: int = 16):
        self.check(lanes=lanes, codes=codes, stages=stages)
        self.lanes: int
        self.codes: str
        self.stages: int
        self.pairs = self.lanes // 2
        self.flags_beat = Beat(FORMATS["bit"], self.pairs)
        self.values_beat = Beat(VALUE, self.pairs)
        self.o_beat = Beat(WEIGHT, self.lanes)
        self.expand = ExpandPairs(pairs=self.pairs, stages=self.stages)
        # As many packets as there are beats on the way, all of which may end one.
        depth = 1 << (self.expand.depth - 1).bit_length()
        self.odds = Fifo(shape=1, depth=depth, always_ready=True, read_ahead=True)
        self.output = SkidBuffer(shape=self.o_beat)
        self.latency = self.expand.latency + SkidBuffer.latency
        super().__init__(
            {
                "flags": In(stream.Signature(self.flags_beat)),
                "values": In(stream.Signature(self.values_beat)),
                "o": Out(stream.Signature(self.o_beat)),
                "config": In(data.StructLayout({"odd": 1})),
                "status": Out(data.StructLayout({"mismatch": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.expand, m.submodules.odds = expand, odds = self.expand, self.odds
        m.submodules.output = output = self.output
        expand.feed(m, self.flags, self.values, self.codes)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        come: Any = expand.o
        beat, ends = come.payload, self.flags.payload.last
        # What is known of a packet waits for its last beat, which takes longer than the queue.
        odd = sample_settings(m, self.config, self.flags).odd
        m.d.comb += [
            self.status.mismatch.eq(expand.status.mismatch),
            odds.i.valid.eq(self.flags.valid & self.flags.ready & ends),
            odds.i.payload.eq(odd),
            odds.o.ready.eq(come.valid & come.ready & beat.last),
            output.i.valid.eq(come.valid),
            come.ready.eq(output.i.ready),
        ]
        single = odds.o.payload & beat.last
        keep: list[Value] = []
        for k in range(self.pairs):
            behind = beat.keep[k + 1] if k + 1 < self.pairs else Const(0, 1)
            keep += [beat.keep[k], beat.keep[k] & ~(single & ~behind)]
        zeros = Const(split_codes(self.codes)[0], 2).replicate(self.lanes)
        words = Value.cast(beat.data) ^ zeros
        m.d.comb += Value.cast(output.i.payload).eq(Cat(words, *keep, beat.last))
        return m
