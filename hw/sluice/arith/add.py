"""Addition and subtraction, lane by lane."""

from amaranth.lib import stream

from sluice.arith.add_unit import AddUnit
from sluice.arith.elementwise import Elementwise
from sluice.arith.floats import FLOATS, find_floats
from sluice.params import Choice, Flag, Int

__all__ = ["Add"]


class Add(Elementwise):
    """Compute ``a + b`` or ``a - b`` in every lane, rounded to nearest even.

    Exact to IEEE 754 and, for 8 bits, to OCP OFP8: subnormals, infinities, NaN and signs of zero.
    A NaN that goes out is the canonical one: positive, quiet, payload zero. E4M3 has no infinity,
    and overflows to its NaN.

    Parameters
    ----------
    source : format
        Floating-point format of ``a`` and ``b``.
    target : format
        Floating-point format of the result; its exponent has at least as many bits as the source's.
    lanes : int, 1..64
        Results per beat.
    stages : int, 0..13
        Registers in the datapath, spread evenly over its steps; as many as it has steps if those
        are fewer.
    subtract : bool
        ``b`` is subtracted.
    flush : bool
        Subnormal operands count as zeros of their sign; a result that is below the smallest normal
        number after rounding becomes a zero of its sign.

    Members
    -------
    a : In(stream.Signature(Beat(source, lanes)))
    b : In(stream.Signature(Beat(source, lanes)))
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

    The sum is that of :class:`MultiplyAdd`, with a number in place of the product. Method: J.-M.
    Muller et al., Handbook of Floating-Point Arithmetic, 2nd edition, 2018, chapter 7.
    Golden model: :func:`sluice_sim.golden.arith.add`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or the target has the smaller
        exponent.
    """

    a: stream.Interface
    b: stream.Interface

    PARAMETERS = (
        Choice("source", "format of the operands", FLOATS),
        Choice("target", "format of the result", FLOATS),
        Int("lanes", "results per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, 13, "cycles"),
        Flag("subtract", "b is subtracted"),
        Flag("flush", "subnormal numbers count as zero"),
    )

    def __init__(
        self,
        *,
        source: str = "fp32",
        target: str = "fp32",
        lanes: int = 1,
        stages: int = 13,
        subtract: bool = False,
        flush: bool = False,
    ):
        self.check(
            source=source,
            target=target,
            lanes=lanes,
            stages=stages,
            subtract=subtract,
            flush=flush,
        )
        self.source: str
        self.target: str
        self.stages: int
        self.subtract: bool
        self.flush: bool
        self.operand, self.result = find_floats(self.source, self.target)
        self.promise({"a": self.operand, "b": self.operand}, self.result)

    def make_unit(self) -> AddUnit:
        return AddUnit(
            source=self.operand,
            target=self.result,
            stages=self.stages,
            subtract=self.subtract,
            flush=self.flush,
        )
