"""Sums of the matrix-product engine: kept between tiles, and sent out when they are whole."""

from typing import TYPE_CHECKING

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from sluice.array.feed import below
from sluice.delay import delay, delay_line
from sluice.store import Store

if TYPE_CHECKING:
    from sluice.array.matmul import Matmul

__all__ = ["add_sums"]


def add_sums(m: Module, engine: "Matmul") -> None:
    """Bring sums to the array and back, and results to the output."""
    array, vectors = engine.array, engine.vectors
    store = Store(m, "sums", shape=array.p.shape().size, depth=engine.sums)
    write = store.write
    ahead, behind = Signal(range(engine.sums)), Signal(range(engine.sums))
    # As late as may be, so that sums are back early: before the memory's output register, one
    # behind it, and one for the choice.
    lag = engine.fetch + array.p_lag - 3
    way = engine.fetch + array.latency
    # The vectors on their way, by the cycles that they have behind them.
    gone = Signal(way)
    m.d.sync += gone.eq(Cat(vectors.valid, gone))
    on_way = Cat(vectors.valid, gone)
    comes, valid = on_way[lag], on_way[way]
    side = delay_line(m, "begin", Cat(vectors.ends, vectors.adds), lag)
    m.d.comb += store.at.eq(ahead)
    with m.If(comes):
        m.d.sync += ahead.eq(Mux(side[0], 0, ahead + 1))
    adds = delay(m, "adds", side[1], 2)
    fetched, begun = (Signal(len(store.o), name=n, reset_less=True) for n in ("fetched", "begun"))
    m.d.sync += [fetched.eq(store.o), begun.eq(Mux(adds, fetched, 0))]
    m.d.comb += [
        array.p.eq(begun),
        vectors.back.eq(on_way[engine.back]),
    ]

    settings = [vectors.carried[name] for name in engine.settings]
    keep = below(vectors.ragged_n, vectors.carried.last_n, engine.columns)
    side = Cat(vectors.ends, vectors.holds, keep, *settings)
    side = delay_line(m, "side", side, way)
    ends, holds = side[:2]
    m.d.comb += [
        write.en.eq(valid & holds),
        write.addr.eq(behind),
        write.data.eq(array.o),
    ]
    with m.If(valid):
        m.d.sync += behind.eq(Mux(ends, 0, behind + 1))

    m.submodules.pipeline = pipeline = engine.pipeline
    m.d.comb += [
        pipeline.i.valid.eq(vectors.reads & vectors.leaves),
        vectors.room.eq(pipeline.i.ready),
        Value.cast(pipeline.result.beat.data).eq(array.o),
        pipeline.result.beat.last.eq(1),
        Cat(pipeline.result.beat.keep, *(pipeline.result[n] for n in engine.settings)).eq(side[2:]),
    ]
    last = engine.o
    if engine.rounding:
        m.submodules.rounding = rounding = engine.rounding
        wiring.connect(m, rounding.o, wiring.flipped(engine.o))
        m.d.comb += engine.status.eq(rounding.status)
        for name in engine.settings:
            m.d.comb += rounding.config[name].eq(pipeline.o.payload[name])
        last = rounding.i
    m.d.comb += [
        last.valid.eq(pipeline.o.valid),
        last.payload.eq(pipeline.o.payload.beat),
        pipeline.o.ready.eq(last.ready),
    ]
