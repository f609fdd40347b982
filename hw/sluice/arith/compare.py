"""Comparison, lane by lane."""

from amaranth.lib import data, stream

from sluice.arith.compare_unit import CompareUnit
from sluice.arith.elementwise import Elementwise
from sluice.arith.floats import FLOATS
from sluice.formats import FORMATS
from sluice.params import Choice, Flag, Int

__all__ = ["ORDER", "Compare"]

SOURCES = (*FLOATS, "int32", "int16", "int8", "int4")
ORDER = data.StructLayout({"less": 1, "equal": 1, "greater": 1, "unordered": 1})


class Compare(Elementwise):
    """Say in every lane whether ``a < b``, ``a == b`` or ``a > b``.

    Parameters
    ----------
    source : format
        Floating point, or ``int32``, ``int16``, ``int8``, ``int4``.
    lanes : int, 1..64
        Results per beat.
    stages : int, 0..2
        Registers in the datapath, spread evenly over its steps.
    flush : bool
        Subnormal numbers count as zeros of their sign.

    Members
    -------
    a : In(stream.Signature(Beat(source, lanes)))
    b : In(stream.Signature(Beat(source, lanes)))
    o : Out(stream.Signature(Beat(ORDER, lanes)))
        ``ORDER`` is ``StructLayout({"less": 1, "equal": 1, "greater": 1, "unordered": 1})``; one
        of them is set. Packets as those of ``a``.
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

    Zeros are equal whatever their signs, and a NaN is unordered, as in IEEE 754. Golden model:
    :func:`sluice_sim.golden.arith_compare.compare`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    a: stream.Interface
    b: stream.Interface

    PARAMETERS = (
        Choice("source", "format of the operands", SOURCES),
        Int("lanes", "results per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, 2, "cycles"),
        Flag("flush", "subnormal numbers count as zero"),
    )

    def __init__(
        self,
        *,
        source: str = "bf16",
        lanes: int = 1,
        stages: int = 2,
        flush: bool = False,
    ):
        self.check(source=source, lanes=lanes, stages=stages, flush=flush)
        self.source: str
        self.stages: int
        self.flush: bool
        self.operand = FORMATS[self.source]
        self.promise({"a": self.operand, "b": self.operand}, ORDER)

    def make_unit(self) -> CompareUnit:
        return CompareUnit(source=self.operand, stages=self.stages, flush=self.flush)
