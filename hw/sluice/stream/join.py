"""Several streams into one, beat by beat."""

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Module, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Int
from sluice.stream.beat import Payload

__all__ = ["Join", "join", "uneven"]


def join(m: Module, inputs: Mapping[Any, Any], o: Any) -> None:
    """Offer a beat to ``o`` when all ``inputs`` do, and take theirs when it is taken.

    Their payloads go to the fields of its payload that are named as they are.
    """
    m.d.comb += o.valid.eq(Cat(i.valid for i in inputs.values()).all())
    m.d.comb += [i.ready.eq(o.valid & o.ready) for i in inputs.values()]
    m.d.comb += [o.payload[name].eq(i.payload) for name, i in inputs.items()]


def uneven(one: Any, other: Any) -> Value:
    """Return whether two beats that have met differ in ``keep`` or ``last``."""
    return Cat(one.keep, one.last) != Cat(other.keep, other.last)


class Join(Block):
    """Put the beats of all inputs, one of each, side by side.

    Parameters
    ----------
    shape : shape
        Payload of every input.
    inputs : int, 1..32

    Members
    -------
    i : In(stream.Signature(shape)).array(inputs)
    o : Out(stream.Signature(ArrayLayout(shape, inputs)))

    Attributes
    ----------
    latency : 0 cycles
    interval : 1 cycle

    Notes
    -----
    ``i[k].ready`` depends on every ``valid`` and on ``o.ready`` in the same cycle.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: Any
    o: stream.Interface
    latency = 0
    interval = 1

    PARAMETERS = (
        Payload("shape", "payload of every input"),
        Int("inputs", "streams that are joined", 1, 32),
    )

    def __init__(self, *, shape: Any = "bf16x8", inputs: int = 2):
        self.check(shape=shape, inputs=inputs)
        self.shape: Any
        self.inputs: int
        joined = data.ArrayLayout(self.shape, self.inputs)
        super().__init__(
            {
                "i": In(stream.Signature(self.shape)).array(self.inputs),
                "o": Out(stream.Signature(joined)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        join(m, dict(enumerate(self.i)), self.o)
        return m
