"""Dot product, lane by lane."""

from typing import Any

from amaranth.lib import data, stream

from sluice.arith.dot_integer_unit import DotIntegerUnit
from sluice.arith.dot_unit import DotUnit
from sluice.arith.elementwise import Elementwise
from sluice.arith.floats import FLOATS, find_floats
from sluice.formats import FORMATS, Fixed, Float
from sluice.params import Choice, Flag, Int

__all__ = ["Dot"]

SOURCES = (*FLOATS, "int8", "int4")


class Dot(Elementwise):
    """Compute ``sum(a * b) + c`` over ``terms`` products in every lane, rounded once.

    Exact to IEEE 754 and, for 8 bits, to OCP OFP8: subnormals, infinities, NaN and signs of zero.
    A NaN that goes out is the canonical one: positive, quiet, payload zero. E4M3 has no infinity,
    and overflows to its NaN. Integers give the exact result modulo 2**32.

    Parameters
    ----------
    source : format
        Of ``a`` and ``b``: floating point, ``int8`` or ``int4``. The wide exponents of bf16, tf32
        and fp32 make it large: the exact sum takes over 500 bits.
    target : format
        Format of ``c`` and of the result: floating point, with an exponent of at least as many bits
        as the source's, and ``int32`` of integers.
    terms : int, 1..64
        Products per result.
    lanes : int, 1..64
        Results per beat.
    stages : int, 0..32
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer.
    flush : bool
        Subnormal operands count as zeros of their sign; a result that is below the smallest normal
        number after rounding becomes a zero of its sign. Integers have none.

    Members
    -------
    a : In(stream.Signature(Beat(ArrayLayout(source, terms), lanes)))
    b : In(stream.Signature(Beat(ArrayLayout(source, terms), lanes)))
    c : In(stream.Signature(Beat(target, lanes)))
    o : Out(stream.Signature(Beat(target, lanes)))
        Packets as those of ``a``.
    status : Out(StructLayout({"uneven": 1}))
        Sticky: beats that met had different ``keep`` or ``last``.

    Attributes
    ----------
    latency : stages + 2 cycles
        The datapath, and the output queue.
    interval : 1 cycle
        One beat per cycle, which nothing could better: every lane does a result in every cycle.

    Notes
    -----
    The streams' ``ready`` depends on each other's ``valid`` in the same cycle, and on a register.
    Registers of the datapath never stall: a beat is admitted when its result has a place in the
    output queue. Reset drops all beats on the way.

    To nearest even. The products are summed in fixed point with all bits there are, 36 for one of
    E4M3, 64 of E5M2, 80 of fp16, 522 of bf16 and 554 of fp32. ``c`` is one more term where the sum
    does not get twice as wide by it, which it does with E4M3 and a wide exponent; there the sum is
    brought to floating point and added to ``c``. Only the last sum is rounded. Method: U. Kulisch,
    Computer Arithmetic and Validity, 2008, chapter 8. Golden model:
    :func:`sluice_sim.golden.arith_exact.dot`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or the target has the smaller
        exponent, or only one of both formats is an integer.
    """

    a: stream.Interface
    b: stream.Interface
    c: stream.Interface

    PARAMETERS = (
        Choice("source", "format of the factors", SOURCES),
        Choice("target", "format of the addend and of the result", (*FLOATS, "int32")),
        Int("terms", "products per result", 1, 64),
        Int("lanes", "results per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, 32, "cycles"),
        Flag("flush", "subnormal numbers count as zero"),
    )

    def __init__(
        self,
        *,
        source: str = "fp8_e4m3",
        target: str = "fp32",
        terms: int = 4,
        lanes: int = 1,
        stages: int = 32,
        flush: bool = False,
    ):
        self.check(
            source=source, target=target, terms=terms, lanes=lanes, stages=stages, flush=flush
        )
        self.source: str
        self.target: str
        self.terms: int
        self.stages: int
        self.flush: bool
        self.factor, self.addend = FORMATS[self.source], FORMATS[self.target]
        if isinstance(self.factor, Fixed) != isinstance(self.addend, Fixed):
            kind = "int32" if isinstance(self.factor, Fixed) else "floating point"
            raise ValueError(f"target must be {kind} for {source}, not {target}")
        if isinstance(self.factor, Float):
            find_floats(self.source, self.target)
        factors = data.ArrayLayout(self.factor.shape, self.terms)
        self.promise({"a": factors, "b": factors, "c": self.addend}, self.addend)

    def make_unit(self) -> DotUnit | DotIntegerUnit:
        common: dict[str, Any] = {
            "source": self.factor,
            "target": self.addend,
            "terms": self.terms,
            "stages": self.stages,
        }
        if isinstance(self.factor, Fixed):
            return DotIntegerUnit(**common)
        return DotUnit(**common, flush=self.flush)
