"""Conversion to formats that are as wide or wider, lane by lane."""

from amaranth.lib import stream

from sluice.arith.convert_unit import ConvertUnit
from sluice.arith.elementwise import Elementwise
from sluice.arith.floats import FLOATS
from sluice.formats import FORMATS, Float
from sluice.params import Choice, Flag, Int

__all__ = ["Convert"]

SOURCES = (*FLOATS, "int32", "int16", "int8", "int4")


class Convert(Elementwise):
    """Give every element in another floating-point format, rounded to nearest even.

    Exact to IEEE 754 and, for 8 bits, to OCP OFP8: subnormals, infinities, NaN and signs of zero.
    A NaN that goes out is the canonical one: positive, quiet, payload zero. E4M3 has no infinity,
    and overflows to its NaN.

    Parameters
    ----------
    source : format
        Format of ``a``: floating point, or ``int32``, ``int16``, ``int8``, ``int4``.
    target : format
        Floating-point format of the result, as wide as the source or wider. Narrower formats, and
        integers, are for :class:`sluice.rounding.Rounding`.
    lanes : int, 1..64
        Results per beat.
    stages : int, 0..9
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
        If a parameter is not of its type or out of its range, or the target is narrower than
        the source.
    """

    a: stream.Interface

    PARAMETERS = (
        Choice("source", "format of the operand", SOURCES),
        Choice("target", "format of the result", FLOATS),
        Int("lanes", "results per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, 9, "cycles"),
        Flag("flush", "subnormal numbers count as zero"),
    )

    def __init__(
        self,
        *,
        source: str = "bf16",
        target: str = "fp32",
        lanes: int = 1,
        stages: int = 9,
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
        self.operand, result = FORMATS[self.source], FORMATS[self.target]
        assert isinstance(result, Float)
        if result.width < self.operand.width:
            raise ValueError(f"target must be as wide as {source} or wider, not {target}")
        self.result = result
        self.promise({"a": self.operand}, self.result)

    def make_unit(self) -> ConvertUnit:
        return ConvertUnit(
            source=self.operand,
            target=self.result,
            stages=self.stages,
            flush=self.flush,
        )
