"""Dot products with weights that are indices into a table, without their being looked up."""

from typing import Any

from amaranth import Module, Mux, Signal, Value, signed

from sluice.arith.multiplier import Multiplier
from sluice.compression.gather_dot import GatherDot
from sluice.compression.gather_sums import BinSums, TreeSums
from sluice.compression.lut_tables import TableLoader
from sluice.delay import delay
from sluice.formats import FORMATS, Fixed, find_format
from sluice.params import Choice, Int

__all__ = ["CentroidDot"]

SOURCES = ("int8", "int4", "int16", "uint8", "uint4")
SUMS = {"bins": BinSums, "trees": TreeSums}
_MULTIPLY = 3


class CentroidDot(GatherDot):
    """Give ``sum(i * table[indices])`` over a packet: gather, reduce, then multiply.

    Elements with the same index are summed first; each sum is multiplied with its centroid, once,
    and the products are summed.

    Parameters
    ----------
    element : format
        Of ``i``: an integer.
    weight : format
        Of the centroids: a signed integer.
    lanes : int, 1..32
        Elements per beat.
    index_bits : int, 1..8
        Bits of an index; the table has ``2**index_bits`` centroids.
    sum_bits : int, 8..32
        Bits of a lane's sum of the elements with one index.
    sums : {"bins", "trees"}
        Memories of sums for each lane, or a tree of adders for each centroid, which is for up to 5
        bits of an index.

    Members
    -------
    i : In(stream.Signature(Beat(element, lanes)))
    indices : In(stream.Signature(Beat(uintB, lanes)))
        ``B = index_bits``; for every beat of ``i``, with the same ``keep`` and ``last``.
    table : In(stream.Signature(Beat(weight, 1)))
        A packet of all centroids. It is loaded, a centroid per cycle, when the packet that took the
        one before has ended.
    o : Out(stream.Signature(Beat(int32, 1)))
        A packet of one number for each packet of ``i``.
    config : In(StructLayout({"fresh": 1}))
        Sampled at the first beat of ``i``: this packet waits for the next one of ``table``, and it
        and all behind it are multiplied with that; otherwise with the one in use.
    status : Out(StructLayout({"uneven": 1, "table": 1, "overflow": 1}))
        Sticky: beats that met had different ``keep`` or ``last``, of which those of ``i`` counted;
        a packet of ``table`` was too short or too long; a sum did not fit into ``sum_bits``.

    Attributes
    ----------
    latency : int, cycles
        From the last beat of a packet with one centroid to its result; one more for each other
        centroid that it has.
    interval : 1 cycle
        One beat per cycle, whatever indices repeat, which nothing could better, if packets have as
        many beats as the ones before have centroids, and ``gap`` more. What follows others waits
        for these.
    gap : int, beats
        4, and 5 or 6 with ``trees`` of more than 8 or 16 lanes.

    Notes
    -----
    ``ready`` of both streams depends on both ``valid`` and on ``config`` in the same cycle. There
    are as many multiplications per result as there are centroids among its indices, and one for a
    packet without an element.
    Sums are in two banks: while one is filled, those of the packet before are multiplied. Products
    are summed modulo ``2**32``. What overflowed gives anything.
    After reset the memories of ``bins`` are cleared, which takes a cycle for each index.

    Method: J. Garland, D. Gregg, Low Complexity Multiply-Accumulate Units for Convolutional Neural
    Networks with Weight-Sharing, ACM TACO, 2018, which ``bins`` follows. Golden model:
    :func:`sluice_sim.golden.gather.centroid_dot`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or ``trees`` are asked for with more
        than 5 bits of an index.
    """

    source: Fixed
    interval = 1
    products = _MULTIPLY + 1

    PARAMETERS = (
        Choice("element", "number format of the elements", SOURCES),
        Choice("weight", "number format of the centroids", ("int8", "int4", "int16")),
        Int("lanes", "elements per beat", 1, 32),
        Int("index_bits", "bits of an index", 1, 8, "bits"),
        Int("sum_bits", "bits of a lane's sum", 8, 32, "bits"),
        Choice("sums", "where sums are", tuple(SUMS)),
    )

    def __init__(
        self,
        *,
        element: str = "int8",
        weight: str = "int8",
        lanes: int = 8,
        index_bits: int = 4,
        sum_bits: int = 18,
        sums: str = "bins",
    ):
        self.check(
            element=element,
            weight=weight,
            lanes=lanes,
            index_bits=index_bits,
            sum_bits=sum_bits,
            sums=sums,
        )
        self.element: str
        self.weight: str
        self.lanes: int
        self.index_bits: int
        self.sum_bits: int
        self.sums: str
        if self.sums == "trees" and self.index_bits > 5:
            raise ValueError(f"index_bits must be at most 5 with trees, not {index_bits}")
        source, factor = find_format(self.element), find_format(self.weight)
        assert isinstance(source, Fixed)
        if source.width >= self.sum_bits:
            raise ValueError(f"sum_bits must be more than {source.width}, those of {element}")
        levels = (self.lanes - 1).bit_length()
        most = 32 - levels
        if self.sum_bits > most:
            raise ValueError(f"sum_bits must be at most {most} with {lanes} lanes, not {sum_bits}")
        trees = self.sums == "trees"
        self.settles = max(0, levels - 1) * trees
        self.reads = 1 if trees else 1 + levels
        self.promise(source, factor, FORMATS["int32"], "overflow")
        self.promise_cycles(self.settles, self.reads, max(0, 2 - self.settles))

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        with m.If(self.unit.overflow):
            m.d.sync += self.status.overflow.eq(1)
        return m

    def make_sums(self, m: Module) -> Any:
        self.unit: BinSums | TreeSums = SUMS[self.sums](
            m, lanes=self.lanes, bits=self.index_bits, width=self.sum_bits
        )
        assert (self.settles, self.reads) == (self.unit.settles, self.unit.reads)
        return self.unit

    def number(self, word: Value) -> Value:
        return word.as_signed() if self.source.is_signed else word

    def multiply(
        self,
        m: Module,
        loader: TableLoader,
        unit: Any,
        found: Value,
        index: Value,
        flags: Any,
        changes: Value,
    ) -> Value:
        """Return the sum of the products of sums and centroids, a cycle behind the last product."""
        centroid = self.centroid(m, loader, index, changes)
        there = delay(m, "sum_there", flags.any, 2 + unit.reads, reset=True)
        m.submodules.multiplier = multiplier = Multiplier(
            a_width=len(found), b_width=self.factor.width, signed=True, stages=_MULTIPLY
        )
        m.d.comb += [
            multiplier.a.eq(Mux(there, found, 0)),
            multiplier.b.eq(delay(m, "centroid", centroid, unit.reads - 1).as_signed()),
        ]
        first = delay(m, "total_first", flags.first, 2 + unit.reads + _MULTIPLY)
        total = Signal(signed(32), reset_less=True)
        m.d.sync += total.eq(Mux(first, 0, total) + multiplier.p)
        return total
