"""What to send so that :class:`SparseMatmul` multiplies two matrices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sluice.block import Driven
from sluice.params import check_matrices, parse_flags

if TYPE_CHECKING:
    from sluice.sparsity.sparse_matmul import SparseMatmul

__all__ = ["Pairs", "drive_pairs", "plan_pairs"]


@dataclass
class Pairs:
    """What multiplies two matrices.

    Attributes
    ----------
    shape : (M, N)
    pes : int
    commands : list of int
        Payloads of the stream ``command``.
    rows : dict of stream to rows
        Of the matrices and their bit vectors; a row is a packet.
    """

    shape: tuple[int, int]
    pes: int
    commands: list[int] = field(default_factory=list)
    rows: dict[str, list[NDArray[np.uint64]]] = field(default_factory=dict)

    @property
    def packets(self) -> int:
        """How many come out."""
        return self.shape[0] * -(-self.shape[1] // self.pes)

    def assemble(self, packets: Sequence[NDArray[np.uint64]]) -> list[NDArray[np.uint64]]:
        """Return the rows of the result."""
        m, n = self.shape
        tiles = np.array(packets, np.uint64).reshape(-1, m, self.pes)
        return list(np.concatenate(list(tiles), axis=1)[:, :n])


def plan_pairs(
    block: "SparseMatmul", arrays: Mapping[str, NDArray[np.uint64]], *, whole: bool = True
) -> Pairs:
    """Return what computes ``a b`` of two matrices of bit patterns, and of their bit vectors.

    ``b`` is sent once, by columns; ``a`` as often as it takes tiles of ``block.pes`` columns.

    Raises
    ------
    ValueError
        If the inner dimensions differ or are too long, or there is nothing to multiply.
    """
    (rows, inner), (inner_b, columns) = arrays["a"].shape, arrays["b"].shape
    most = block.context * block.contexts
    if inner != inner_b:
        raise ValueError(f"inner dimensions must be equal, not {inner} of a and {inner_b} of b")
    if inner > most:
        raise ValueError(f"the inner dimension must be at most {most}, not {inner}: set contexts")
    if 0 in (rows, columns):
        raise ValueError(f"a product of {rows}x{inner} by {inner}x{columns} has no elements")
    if rows >> block.count_bits:
        most = (1 << block.count_bits) - 1
        raise ValueError(f"a must have at most {most} rows, not {rows}: set count_bits")
    for name in ("a", "b"):
        bits = arrays.get(f"{name}_bits", arrays[name])
        if bits.shape != arrays[name].shape:
            raise ValueError(f"{name}_bits must be {arrays[name].shape}, not {bits.shape}")
    plan = Pairs((rows, columns), block.pes, rows={name: [] for name in arrays})
    command = block.orders.const({"rows": rows, "whole": whole}).as_value().value
    for start in range(0, columns, block.pes):
        plan.commands.append(command)
        for name, array in arrays.items():
            if name.startswith("a"):
                plan.rows[name] += list(array)
            else:
                tile = list(array.T[start : start + block.pes])
                plan.rows[name] += tile + [array[:0, 0]] * (block.pes - len(tile))
    return plan


def drive_pairs(
    block: "SparseMatmul", arrays: Mapping[str, NDArray[np.uint64]], texts: Mapping[str, str]
) -> Driven:
    """Return what multiplies ``a`` by ``b``; see :meth:`SparseMatmul.drive`.

    Raises
    ------
    ValueError
        Naming the matrix or the setting that is wrong.
    """
    check_matrices(arrays)
    turned = parse_flags(texts, ["transpose_b"]).get("transpose_b", False)
    plan = plan_pairs(
        block, {name: x.T if turned and name[0] == "b" else x for name, x in arrays.items()}
    )
    return Driven(plan.rows, {"command": plan.commands}, plan.packets, plan.assemble)
