"""Read what belongs to a block from a memory, and nothing else of its beats."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.stream import Beat, Fifo, Fork, SkidBuffer, run_of

__all__ = ["ReluReader", "describe_run", "run_layout"]


def run_layout(*, lanes: int, most: int, address: int) -> data.StructLayout:
    """Return the layout of a run of up to ``most`` elements, from the beginning of a beat on.

    ``final`` is the number of its last beat and ``keep`` which lanes of that count; it has ``some``
    elements, or none and no beat.
    """
    final = range(max(2, -(-most // lanes)))
    return data.StructLayout({"address": address, "final": final, "keep": lanes, "some": 1})


def describe_run(run: Any, address: Value, total: Value, lanes: int) -> list[Any]:
    """Return the statements that describe a run of ``total`` elements."""
    low = lanes.bit_length() - 1
    rest = total[:low]
    return [
        run.address.eq(address),
        run.final.eq((total - 1)[low:]),
        run.keep.eq(run_of(rest, lanes) | (~rest.any()).replicate(lanes)),
        run.some.eq(total.any()),
    ]


class ReluReader(wiring.Component):
    """Say which beats are wanted, and make packets of what comes.

    Parameters
    ----------
    beat : Beat
        Of the packets.
    most : int, elements
        In a run.
    address : int, bits
        Of an address, which counts beats.
    ahead : int, runs
        That may be asked for before the first of them has come.

    Members
    -------
    run : In(stream.Signature(run_layout(lanes=beat.lanes, most=most, address=address)))
        It is taken with its last address.
    at : Out(stream.Signature(address))
    i : In(stream.Signature(ArrayLayout(element, lanes)))
        A beat for each address, in order.
    o : Out(stream.Signature(beat))
        A packet for each run.
    """

    run: stream.Interface
    at: stream.Interface
    i: stream.Interface
    o: stream.Interface
    _MustUse__silence = True

    def __init__(self, *, beat: Beat, most: int, address: int, ahead: int):
        self.beat, self.address, self.ahead = beat, address, ahead
        self.layout = run_layout(lanes=beat.lanes, most=most, address=address)
        super().__init__(
            {
                "run": In(stream.Signature(self.layout)),
                "at": Out(stream.Signature(address)),
                "i": In(stream.Signature(beat["data"].shape)),
                "o": Out(stream.Signature(beat)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fork = fork = Fork(shape=self.layout, outputs=2)
        members = {name: field.shape for name, field in self.layout if name != "address"}
        shape = data.StructLayout(members)
        m.submodules.wanted = wanted = Fifo(shape=shape, depth=self.ahead, read_ahead=True)
        wiring.connect(m, wiring.flipped(self.run), fork.i)
        m.d.comb += [
            wanted.i.valid.eq(fork.o[1].valid),
            wanted.i.payload.eq(Value.cast(fork.o[1].payload)[self.address :]),
            fork.o[1].ready.eq(wanted.i.ready),
        ]
        self._ask(m, fork.o[0])
        self._take(m, wanted.o)
        return m

    def _ask(self, m: Module, run: Any) -> None:
        m.submodules.asks = asks = SkidBuffer(shape=self.address)
        wiring.connect(m, asks.o, wiring.flipped(self.at))
        index = Signal.like(run.payload.final)
        ends = ~run.payload.some | (index == run.payload.final)
        m.d.comb += [
            asks.i.valid.eq(run.valid & run.payload.some),
            asks.i.payload.eq(run.payload.address + index),
            run.ready.eq(asks.i.ready & ends),
        ]
        with m.If(run.valid & asks.i.ready):
            m.d.sync += index.eq(Mux(ends, 0, index + 1))

    def _take(self, m: Module, run: Any) -> None:
        wanted, given, o = run.payload, self.i, self.o
        index, ends = Signal.like(wanted.final), Signal()
        full = (1 << self.beat.lanes) - 1
        m.d.comb += [
            ends.eq(~wanted.some | (index == wanted.final)),
            o.valid.eq(run.valid & (given.valid | ~wanted.some)),
            o.payload.data.eq(given.payload),
            o.payload.keep.eq(Mux(wanted.some, Mux(ends, wanted.keep, full), 0)),
            o.payload.last.eq(ends),
            given.ready.eq(run.valid & wanted.some & o.ready),
            run.ready.eq(o.valid & o.ready & ends),
        ]
        with m.If(o.valid & o.ready):
            m.d.sync += index.eq(Mux(ends, 0, index + 1))
