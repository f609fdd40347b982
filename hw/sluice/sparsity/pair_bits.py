"""Operands of products that skip zeros, and which of their elements are none."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Value
from amaranth.lib import data, stream

from sluice.arith.floats import unpack
from sluice.formats import Float
from sluice.stream import join, uneven

if TYPE_CHECKING:
    from sluice.sparsity.sparse_matmul import SparseMatmul

__all__ = ["bits_of", "join_bits"]


def join_bits(m: Module, block: "SparseMatmul", name: str) -> Any:
    """Return the stream of an operand, with its bit vectors if these are given."""
    shapes = {"word": block.beat} | ({"bits": block.bits_beat} if block.given else {})
    both = stream.Signature(data.StructLayout(shapes)).create()
    inputs = {"word": getattr(block, name)}
    if block.given:
        inputs["bits"] = getattr(block, f"{name}_bits")
    join(m, inputs, both)
    if block.given:
        different = uneven(both.payload.word, both.payload.bits)
        with m.If(both.valid & both.ready & different):
            m.d.sync += block.status.uneven.eq(1)
    return both


def bits_of(block: "SparseMatmul", payload: Any, zero: int) -> Value:
    """Return which elements of a beat are not zero."""
    if block.given:
        return Value.cast(payload.bits.data) & payload.word.keep & payload.bits.keep
    words = [Value.cast(word).as_unsigned() for word in payload.word.data]
    if isinstance(block.number, Float):
        number = block.number
        some = [~unpack(word, number, flush=False).is_zero for word in words]
    else:
        some = [word != zero % (1 << block.number.width) for word in words]
    return Cat(some) & payload.word.keep
