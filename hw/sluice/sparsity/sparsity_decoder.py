"""The positions at which two bit vectors both have a one."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import FORMATS
from sluice.params import Int
from sluice.sparsity.decode_unit import DecodeUnit
from sluice.stream import Beat, Pipeline, join, uneven

__all__ = ["SparsityDecoder"]


class SparsityDecoder(Block):
    """Combine bit vectors of two operands, ``a & b``, and give the positions of what is set.

    Operands are left unpacked, zeros and all, so that a position is the address of both.

    Parameters
    ----------
    context : int, 4 8 16 32 64
        Bits of a vector.
    lanes : int, 1 2 4 8
        Positions in a step; at most ``context``.
    places : int, 2 4 8 16 32 64
        Contexts with a bit set that are held.
    context_bits : int, 1..16
        Of the number of a context.

    Members
    -------
    a, b : In(stream.Signature(Beat(bit, context)))
        A context is a beat, and bits beyond ``keep`` count as zeros.
    o : Out(stream.Signature(StructLayout))
        A step: ``positions``, ArrayLayout(log2(context), lanes), in rising order from lane 0;
        ``found``, a bit for each lane that has one, the others' being 0; ``number`` of the context
        within its packet, modulo ``2**context_bits``; ``done``, the context's last step; and
        ``last``, the packet's.
    status : Out(StructLayout({"uneven": 1}))
        Sticky: beats that met had different ``keep`` or ``last``; the bits of both counted, and
        ``a`` ended the packet.

    Attributes
    ----------
    latency : cycles
        From the end of a packet of one context: 12 and ``log2(context) - 2``.
    interval : cycles
        Between contexts that take one step: 1, if ``places`` are as many as the cycles until one
        that was taken is free again, which are 9 and ``log2(context) - 2``.

    Notes
    -----
    A context takes ``ceil(pairs / lanes)`` steps, one per cycle; a packet takes one at least. A
    context without a pair takes none, whatever comes before and behind it: if it is the packet's
    last one, the step before it carries ``last``. But one comes per cycle, so that an empty one is
    free as long as contexts before it are still being walked.

    A context's positions may wait for the next context with a pair, or for the packet's end.
    Inputs' ``ready`` depends on each other's ``valid`` in the same cycle, and on a register. Reset
    drops what is on the way.

    Method: bit vectors of both operands combined, as in Sparse-PE (Qureshi and Munir, IEEE Access,
    2021), with operands left unpacked. Golden model:
    :func:`sluice_sim.golden.sparse_product.decode`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    a: stream.Interface
    b: stream.Interface
    o: stream.Interface
    status: Any

    PARAMETERS = (
        Int("context", "bits of a vector", 4, 64, power_of_two=True),
        Int("lanes", "positions in a step", 1, 8, power_of_two=True),
        Int("places", "contexts held", 2, 64, power_of_two=True),
        Int("context_bits", "of the number of a context", 1, 16, "bits"),
    )

    def __init__(
        self, *, context: int = 16, lanes: int = 1, places: int = 16, context_bits: int = 8
    ):
        self.check(context=context, lanes=lanes, places=places, context_bits=context_bits)
        self.context: int
        self.lanes: int
        self.places: int
        self.context_bits: int
        if self.lanes > self.context:
            raise ValueError(f"lanes must be at most the context, {context}, not {lanes}")
        self.unit = DecodeUnit(
            context=self.context,
            lanes=self.lanes,
            vectors=1,
            places=self.places,
            tag=self.context_bits,
        )
        self.beat = Beat(FORMATS["bit"], self.context)
        self.step = data.StructLayout(
            {
                "positions": self.unit.position,
                "found": self.lanes,
                "number": self.context_bits,
                "done": 1,
                "last": 1,
            }
        )
        self.pipeline = Pipeline(
            i_shape=data.StructLayout({}), o_shape=self.step, stages=self.unit.lag
        )
        self.latency = self.unit.through + self.pipeline.latency
        self.interval = max(1, self.unit.around / self.places)
        super().__init__(
            {
                "a": In(stream.Signature(self.beat)),
                "b": In(stream.Signature(self.beat)),
                "o": Out(stream.Signature(self.step)),
                "status": Out(data.StructLayout({"uneven": 1})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        m.submodules.pipeline = pipeline = self.pipeline
        both = stream.Signature(data.StructLayout({"a": self.beat, "b": self.beat})).create()
        join(m, {"a": self.a, "b": self.b}, both)
        a, b = both.payload.a, both.payload.b
        number = Signal(self.context_bits)
        m.d.comb += [
            both.ready.eq(unit.room),
            unit.valid.eq(both.valid & unit.room),
            unit.bits.eq(Value.cast(a.data) & Value.cast(b.data) & a.keep & b.keep),
            unit.tag.eq(number),
            unit.last.eq(a.last),
        ]
        with m.If(unit.valid):
            m.d.sync += number.eq(Mux(a.last, 0, number + 1))
            with m.If(uneven(a, b)):
                m.d.sync += self.status.uneven.eq(1)
        o = unit.o
        m.d.comb += [
            pipeline.i.valid.eq(unit.offers),
            unit.go.eq(pipeline.i.ready),
            Value.cast(pipeline.result).eq(
                Cat(Value.cast(o.positions), Value.cast(o.found), o.tag, o.done, o.last)
            ),
        ]
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        return m
