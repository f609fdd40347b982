"""How the weights of products that skip zeros are loaded."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum

from sluice.sparsity.pair_bits import bits_of

if TYPE_CHECKING:
    from sluice.sparsity.sparse_matmul import SparseMatmul

__all__ = ["State", "load_weights"]


class State(enum.Enum, shape=3):
    """What is being done of a command."""

    IDLE = 0
    LOAD = 1
    HOLD = 2
    RUN = 3
    DRAIN = 4


def load_weights(m: Module, block: "SparseMatmul", b: Any) -> None:
    """Write the weights of one element after the other."""
    word = b.payload.word
    block.column, at = Signal(range(block.pes)), Signal(range(block.contexts + 1))
    fits = at != block.contexts
    m.d.comb += [
        b.ready.eq(block.state == State.LOAD),
        block.writes.eq(b.valid & b.ready),
    ]
    bits = bits_of(block, b.payload, block.b_zero)
    for k, group in enumerate(block.groups):
        mine = Cat(block.column == k * block.together + v for v in range(block.together))
        m.d.comb += [
            group.load.eq(mine & (block.writes & fits).replicate(block.together)),
            group.load_at.eq(at[: len(group.load_at)]),
            group.load_word.eq(Value.cast(word.data)),
            group.load_bits.eq(bits),
        ]
    with m.If(block.writes):
        with m.If(word.last):
            m.d.sync += [
                at.eq(0),
                block.column.eq(Mux(block.column == block.pes - 1, 0, block.column + 1)),
            ]
        with m.Elif(fits):
            m.d.sync += at.eq(at + 1)
        with m.If(~fits):
            m.d.sync += block.status.long.eq(1)
