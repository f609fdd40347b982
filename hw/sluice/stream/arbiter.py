"""Several streams take turns on one."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.params import Choice, Flag, Int
from sluice.stream.beat import Payload

__all__ = ["Arbiter"]


class Arbiter(Block):
    """Pass one input at a time, by turns or by rank.

    Parameters
    ----------
    shape : shape
        Payload of all streams; with ``packets`` it must have a field ``last``.
    inputs : int, 1..32
    policy : "round_robin" or "priority"
        ``round_robin`` starts its search behind the input served last, so that no input waits
        longer than one turn of every other one. ``priority`` always prefers the lowest index.
    packets : bool
        Keep to an input until its packet has ended.

    Members
    -------
    i : In(stream.Signature(shape)).array(inputs)
    o : Out(stream.Signature(shape))
    source : Out(range(inputs))
        Which input ``o`` comes from, valid with ``o.valid``.

    Attributes
    ----------
    latency : 0 cycles
    interval : 1 cycle

    Notes
    -----
    ``o`` depends on the inputs, and ``i[k].ready`` on all inputs and ``o.ready``, in the same
    cycle. A beat that was offered is not withdrawn for one of a higher rank.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or ``packets`` is set and the
        payload has no ``last``.
    """

    i: Any
    o: stream.Interface
    source: Signal
    same_packets = False
    latency = 0
    interval = 1

    PARAMETERS = (
        Payload("shape", "payload of all streams"),
        Int("inputs", "streams that take turns", 1, 32),
        Choice("policy", "who comes next", ("round_robin", "priority")),
        Flag("packets", "keep to an input until its packet has ended"),
    )

    def __init__(
        self,
        *,
        shape: Any = "bf16x8",
        inputs: int = 2,
        policy: str = "round_robin",
        packets: bool = True,
    ):
        self.check(shape=shape, inputs=inputs, policy=policy, packets=packets)
        self.shape: Any
        self.inputs: int
        self.policy: str
        self.packets: bool
        signature = stream.Signature(self.shape)
        super().__init__(
            {
                "i": In(signature).array(self.inputs),
                "o": Out(signature),
                "source": Out(range(max(2, self.inputs))),
            }
        )
        if self.packets and not hasattr(self.o.payload, "last"):
            raise ValueError("packets needs a payload with a field last")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        requests = Signal(self.inputs)
        behind = Signal(self.inputs)
        choice, held = Signal.like(self.source), Signal.like(self.source)
        locked = Signal()

        def lowest(bits: Value) -> Value:
            index: Any = 0
            for k in reversed(range(self.inputs)):
                index = Mux(bits[k], k, index)
            return index

        m.d.comb += [
            requests.eq(Cat(i.valid for i in self.i)),
            choice.eq(lowest(requests)),
            self.source.eq(Mux(locked, held, choice)),
        ]
        if self.policy == "round_robin":
            later = Signal(self.inputs)
            m.d.comb += later.eq(requests & behind)
            with m.If(later.any()):
                m.d.comb += choice.eq(lowest(later))
        with m.Switch(self.source):
            for k, i in enumerate(self.i):
                with m.Case(k):
                    m.d.comb += [
                        self.o.valid.eq(i.valid),
                        self.o.payload.eq(i.payload),
                        i.ready.eq(self.o.ready),
                    ]
        ends = self.o.ready & (self.o.payload.last if self.packets else 1)
        with m.If(self.o.valid):
            m.d.sync += [
                held.eq(self.source),
                locked.eq(~ends),
                behind.eq(Cat(self.source < k for k in range(self.inputs))),
            ]
        return m
