"""Conversion between floating point, and from and to fixed point, lane by lane."""

from typing import Any

from amaranth.lib import stream

from sluice.arith.convert_fixed_unit import ConvertFixedUnit
from sluice.arith.convert_unit import ConvertUnit
from sluice.arith.elementwise import Elementwise
from sluice.arith.floats import FLOATS
from sluice.formats import Fixed, Float, find_format
from sluice.params import Flag, Int
from sluice.rounding.settings import NumberFormat

__all__ = ["Convert"]

NUMBERS = (*FLOATS, "int32", "int16", "int8", "int4")


class Convert(Elementwise):
    """Give every element in another format, rounded to nearest even.

    Exact to IEEE 754 and, for 8 bits, to OCP OFP8: subnormals, infinities, NaN and signs of zero.
    A NaN that goes out is the canonical one: positive, quiet, payload zero. E4M3 has no infinity,
    and overflows to its NaN. Fixed point saturates, infinities too, and has zero for NaN.

    Parameters
    ----------
    source : format
        Format of ``a``: floating point, ``int32``, ``int16``, ``int8``, ``int4`` or ``fixedW.F``.
    target : format
        Format of the result, one of the same; one of both formats is floating point. For other
        modes of rounding to narrower formats there is :class:`sluice.rounding.Rounding`.
    lanes : int, 1..64
        Results per beat.
    stages : int, 0..11
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer.
    flush : bool
        Subnormal operands count as zeros of their sign; a result that is below the smallest normal
        number after rounding becomes a zero of its sign.

    Members
    -------
    a : In(stream.Signature(Beat(source, lanes)))
    o : Out(stream.Signature(Beat(target, lanes)))
        Packets as those of ``a``.

    Attributes
    ----------
    latency : stages + 2 cycles
        The datapath, and the output queue.
    interval : 1 cycle
        One beat per cycle, which nothing could better: every lane does a result in every cycle.

    Notes
    -----
    ``a.ready`` is a register. Registers of the datapath never stall: a beat is admitted when its
    result has a place in the output queue. Reset drops all beats on the way.

    Exact where the target has the range and the precision of the source. Golden model:
    :func:`sluice_sim.golden.arith_convert.convert`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or both formats are fixed point.
    """

    a: stream.Interface

    PARAMETERS = (
        NumberFormat("source", "format of the operand", NUMBERS),
        NumberFormat("target", "format of the result", NUMBERS),
        Int("lanes", "results per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, 11, "cycles"),
        Flag("flush", "subnormal numbers count as zero"),
    )

    def __init__(
        self,
        *,
        source: str = "bf16",
        target: str = "fp32",
        lanes: int = 1,
        stages: int = 11,
        flush: bool = False,
    ):
        self.check(
            source=source,
            target=target,
            lanes=lanes,
            stages=stages,
            flush=flush,
        )
        self.source: str
        self.target: str
        self.stages: int
        self.flush: bool
        self.operand, self.result = find_format(self.source), find_format(self.target)
        if isinstance(self.operand, Fixed) and isinstance(self.result, Fixed):
            raise ValueError(f"target must be floating point for {source}, not {target}")
        self.accepts_nan = isinstance(self.result, Float)
        self.promise({"a": self.operand}, self.result)

    def make_unit(self) -> ConvertUnit | ConvertFixedUnit:
        make: Any = ConvertFixedUnit if isinstance(self.result, Fixed) else ConvertUnit
        return make(source=self.operand, target=self.result, stages=self.stages, flush=self.flush)
