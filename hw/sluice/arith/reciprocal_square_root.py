"""Reciprocal square root, lane by lane."""

from amaranth.lib import stream

from sluice.arith.elementwise import Elementwise
from sluice.arith.floats import FLOATS, find_floats
from sluice.arith.reciprocal_square_root_unit import ReciprocalSquareRootUnit
from sluice.params import Choice, Flag, Int

__all__ = ["ReciprocalSquareRoot"]


class ReciprocalSquareRoot(Elementwise):
    """Compute ``1 / sqrt(a)`` in every lane, rounded to nearest even.

    Exact to IEEE 754 and, for 8 bits, to OCP OFP8: subnormals, infinities, NaN and signs of zero.
    A NaN that goes out is the canonical one: positive, quiet, payload zero. E4M3 has no infinity,
    and overflows to its NaN.

    Parameters
    ----------
    source : format
        Floating-point format of ``a``.
    target : format
        Floating-point format of the result; its exponent has at least as many bits as the source's.
    lanes : int, 1..64
        Results per beat.
    stages : int, 0..33
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

    That of a zero is infinity with its sign, of infinity zero, of what is below zero NaN. Each step
    finds one bit of the result ``q``: it is set where ``a * q * q`` stays at most 1. ``2 * a * q``
    is kept beside ``1 - a * q * q``, so that a step only adds and subtracts. Method: the recurrence
    of M. D. Ercegovac and T. Lang, Digital Arithmetic, 2004, chapter 6, with the operand as a
    factor.
    Golden model: :func:`sluice_sim.golden.arith.reciprocal_square_root`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or the target has the smaller
        exponent.
    """

    a: stream.Interface

    PARAMETERS = (
        Choice("source", "format of the operand", FLOATS),
        Choice("target", "format of the result", FLOATS),
        Int("lanes", "results per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, 33, "cycles"),
        Flag("flush", "subnormal numbers count as zero"),
    )

    def __init__(
        self,
        *,
        source: str = "bf16",
        target: str = "bf16",
        lanes: int = 1,
        stages: int = 33,
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
        self.operand, self.result = find_floats(self.source, self.target)
        self.promise({"a": self.operand}, self.result)

    def make_unit(self) -> ReciprocalSquareRootUnit:
        return ReciprocalSquareRootUnit(
            source=self.operand,
            target=self.result,
            stages=self.stages,
            flush=self.flush,
        )
