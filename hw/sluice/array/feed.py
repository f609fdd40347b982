"""From the scratchpads of the matrix-product engine to its array."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from sluice.delay import delay, delay_line

if TYPE_CHECKING:
    from sluice.array.matmul import Matmul

__all__ = ["below", "feed_array"]


def feed_array(m: Module, engine: "Matmul") -> None:
    """Bring what is read, ``fetch`` cycles after its address, to the array with its controls."""
    vectors, weights, array = engine.vectors, engine.weights, engine.array
    if engine.group > 1:
        _feed_groups(m, engine)
    else:
        last = vectors.carried.last_k
        _clear(m, engine, "x", vectors.ragged_k, last, _read(m, engine, "a"), 0, array.x)
        w = _read(m, engine, "b")
        _clear(m, engine, "w", weights.ragged, weights.last, w, engine.sign, array.w)
    if engine.gating:
        use = below(weights.ragged, weights.last, engine.size)
        m.d.comb += array.used.eq(delay_line(m, "used", use, engine.fetch))
    for name, flag in (("swap", vectors.swap), ("first", weights.first)):
        m.d.comb += getattr(array, name).eq(delay(m, name, flag, engine.fetch, reset=True))


def below(ragged: Value, last: Value, count: int) -> Value:
    """Return which of ``count`` places are in use: all, or up to ``last`` where ``ragged``."""
    return Cat(1, *(~ragged | (last >= k) for k in range(1, count)))


def _read(m: Module, engine: "Matmul", name: str) -> list[Value]:
    """Return what is read of scratchpad ``name``, lane by lane."""
    pad, walk = engine.pads[name], engine.vectors if name == "a" else engine.weights
    m.d.comb += [pad.block.eq(walk.block), pad.index.eq(walk.index), pad.across.eq(walk.across)]
    return [Value.cast(lane) for lane in pad.o]


def _clear(
    m: Module,
    engine: "Matmul",
    name: str,
    ragged: Value,
    last: Value,
    lanes: Sequence[Value],
    unused: int,
    to: Any,
) -> None:
    """Take the elements beyond the matrix for ``unused``."""
    use = delay_line(m, f"use_{name}", below(ragged, last, engine.size), engine.fetch - 1)
    for r, lane in enumerate(lanes):
        kept = Signal(len(lane), name=f"{name}_{r}", reset_less=True)
        m.d.sync += kept.eq(Mux(use[r], lane, unused))
        m.d.comb += Value.cast(to[r]).eq(kept)


def _feed_groups(m: Module, engine: "Matmul") -> None:
    """Bring groups to the rows of the array, and weights with tags."""
    vectors, weights, array = engine.vectors, engine.weights, engine.array
    size = engine.size
    width = len(Value.cast(array.w)) // size
    pad = engine.pads["a"]
    m.d.comb += [pad.slots.eq(vectors.slots), pad.after.eq(vectors.after)]
    side = delay_line(m, "pick", Cat(vectors.across, vectors.pick), engine.fetch - 1)
    for r, lane in enumerate(_read(m, engine, "a")):
        # A vector along a column has one element of each group, for whatever tag there is.
        element = lane.word_select(side[1:], width)
        kept = Signal(len(lane), name=f"x_{r}", reset_less=True)
        m.d.sync += kept.eq(Mux(side[0], element.replicate(engine.group), lane))
        m.d.comb += Value.cast(array.x[r]).eq(kept)
    # Where there is no weight, that of zero; and else the place in the group, if it is plain.
    lanes: list[Value] = []
    side = delay_line(m, "plain", Cat(weights.sparse, weights.part), engine.fetch - 1)
    levels = size.bit_length() - 1
    for r, lane in enumerate(_read(m, engine, "b")):
        plain = Cat(Const(r, levels), side[1:])[: engine.group.bit_length() - 1]
        lanes.append(Cat(lane[:width], Mux(side[0], lane[width:], plain)[: len(lane) - width]))
    both = [Signal(len(lane), name=f"weight_{r}") for r, lane in enumerate(lanes)]
    _clear(m, engine, "w", weights.ragged, weights.last, lanes, engine.nothing, both)
    for r, lane in enumerate(both):
        m.d.comb += [array.w[r].eq(lane[:width]), array.tag[r].eq(lane[width:])]
