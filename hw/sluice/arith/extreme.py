"""Maximum and minimum, lane by lane."""

from amaranth.lib import stream

from sluice.arith.elementwise import Elementwise
from sluice.arith.extreme_unit import OPERATIONS, ExtremeUnit
from sluice.arith.floats import FLOATS
from sluice.formats import FORMATS
from sluice.params import Choice, Flag, Int

__all__ = ["Extreme"]

SOURCES = (*FLOATS, "int32", "int16", "int8", "int4")


class Extreme(Elementwise):
    """Give in every lane the larger or the smaller of ``a`` and ``b``.

    Parameters
    ----------
    source : format
        Floating point, or ``int32``, ``int16``, ``int8``, ``int4``.
    operation : {"maximum", "minimum", "maximum_number", "minimum_number"}
        ``maximum`` and ``minimum`` are NaN where an operand is, as in IEEE 754-2019; the other two
        only where both are.
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
    o : Out(stream.Signature(Beat(source, lanes)))
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

    Of two zeros the negative one is less. A NaN that goes out is the canonical one: positive,
    quiet, payload zero. Golden models: :func:`sluice_sim.golden.arith_compare.maximum` and
    :func:`sluice_sim.golden.arith_compare.minimum`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    a: stream.Interface
    b: stream.Interface

    PARAMETERS = (
        Choice("source", "format of the operands", SOURCES),
        Choice("operation", "which of the two", OPERATIONS),
        Int("lanes", "results per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, 2, "cycles"),
        Flag("flush", "subnormal numbers count as zero"),
    )

    def __init__(
        self,
        *,
        source: str = "bf16",
        operation: str = "maximum",
        lanes: int = 1,
        stages: int = 2,
        flush: bool = False,
    ):
        self.check(source=source, operation=operation, lanes=lanes, stages=stages, flush=flush)
        self.source: str
        self.operation: str
        self.stages: int
        self.flush: bool
        self.operand = FORMATS[self.source]
        self.promise({"a": self.operand, "b": self.operand}, self.operand)

    def make_unit(self) -> ExtremeUnit:
        return ExtremeUnit(
            source=self.operand, operation=self.operation, stages=self.stages, flush=self.flush
        )
