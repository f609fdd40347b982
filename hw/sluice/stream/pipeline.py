"""Make a stream block of a datapath of fixed latency."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay
from sluice.params import Flag, Int
from sluice.stream.beat import Payload
from sluice.stream.fifo import Fifo

__all__ = ["Pipeline"]


class Pipeline(Block):
    """Handshake of a datapath whose registers never stall.

    The datapath lies outside: it takes :attr:`entry` and gives :attr:`result` exactly ``stages``
    cycles later, every cycle, whether the entry is valid or not. A beat is admitted only when its
    result has a place in the output queue, so that nothing has to be held up on the way.

    Parameters
    ----------
    i_shape, o_shape : shape
        Payloads of the input and of the output.
    stages : int, 0..1024
        Registers between :attr:`entry` and :attr:`result`.
    read_ahead, wide : bool
        Of the output queue, as in :class:`Fifo`.
    chooses : bool
        There is a port ``gives``, which says of an entry whether anything becomes of it.

    Members
    -------
    i : In(stream.Signature(i_shape))
    o : Out(stream.Signature(o_shape))
    entry : Out(i_shape)
        Payload that enters the datapath in this cycle.
    entry_valid : Out(1)
        The entry is a beat, and has been taken.
    gives : In(1)
        Only with ``chooses``: the entry has a result, and takes a place in the output queue.
    result : In(o_shape)
        What became of the entry of ``stages`` cycles ago.
    result_valid : Out(1)
        Whether that entry was a beat, and has a result.

    Attributes
    ----------
    latency : ``stages + 2`` cycles
        The datapath and the output queue.
    interval : 1 cycle

    Notes
    -----
    ``i.ready`` is a register. Reset drops all beats on the way.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    entry: Any
    entry_valid: Signal
    gives: Signal
    result: Any
    result_valid: Signal
    interval = 1

    PARAMETERS = (
        Payload("i_shape", "payload of the input"),
        Payload("o_shape", "payload of the output"),
        Int("stages", "registers between entry and result", 0, 1024, "cycles"),
        Flag("read_ahead", "read the output queue before a beat is taken"),
        Flag("wide", "enable the output queue's register apart from its counts"),
        Flag("chooses", "not every entry has a result"),
    )

    def __init__(
        self,
        *,
        i_shape: Any,
        o_shape: Any,
        stages: int,
        read_ahead: bool = False,
        wide: bool = False,
        chooses: bool = False,
    ):
        self.check(
            i_shape=i_shape,
            o_shape=o_shape,
            stages=stages,
            read_ahead=read_ahead,
            wide=wide,
            chooses=chooses,
        )
        self.i_shape: Any
        self.o_shape: Any
        self.stages: int
        self.read_ahead: bool
        self.wide: bool
        self.chooses: bool
        self.latency = self.stages + Fifo.latency
        # A place is taken from admission until the result leaves, and is free for the next
        # admission one cycle after that. Addresses of a power of two wrap by themselves.
        self.depth = 1 << self.latency.bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(self.i_shape)),
                "o": Out(stream.Signature(self.o_shape)),
                "entry": Out(self.i_shape),
                "entry_valid": Out(1),
                **({"gives": In(1)} if self.chooses else {}),
                "result": In(self.o_shape),
                "result_valid": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = Fifo(
            shape=self.o_shape,
            depth=self.depth,
            always_ready=True,
            read_ahead=self.read_ahead,
            wide=self.wide,
        )
        taken, left = Signal(), Signal()
        held = Signal(range(self.depth + 1))
        room = Signal(init=1)
        m.d.comb += [
            self.i.ready.eq(room),
            taken.eq(self.i.valid & room),
            left.eq(self.o.valid & self.o.ready),
            self.entry.eq(self.i.payload),
            self.entry_valid.eq(taken),
        ]
        stays = taken & self.gives if self.chooses else taken
        with m.If(stays & ~left):
            m.d.sync += [held.eq(held + 1), room.eq(held != self.depth - 1)]
        with m.Elif(left & ~stays):
            m.d.sync += [held.eq(held - 1), room.eq(1)]
        valid = delay(m, "valid", stays, self.stages, reset=True)
        m.d.comb += [
            self.result_valid.eq(valid),
            queue.i.valid.eq(valid),
            queue.i.payload.eq(self.result),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m
