"""Products of whole sparse matrices: what to send, in parts that fit into the memories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sluice.block import Driven
from sluice.formats import Float, find_format
from sluice.params import check_matrices, parse_flags
from sluice.sparsity.sparse_command import encode_command
from sluice.sparsity.sparse_times_dense import SparseTimesDense
from sluice.tensors import beats_of

__all__ = ["Encoding", "SparseProduct", "drive_product", "encode_dense", "plan_sparse"]


@dataclass
class Encoding:
    """A sparse matrix, row by row.

    Attributes
    ----------
    shape : (M, K)
    row_ptr : array of integers, (M + 1,)
        Where the non-zeros of each row begin, and how many there are.
    indices : array of integers, (nnz,)
        Their columns, in any order, twice as well.
    values : array of uint64, (nnz,)
        Bit patterns.
    columns : array of integers, (C,)
        The columns that are not empty, sorted.
    places : array of integers, (nnz,)
        Where the column of each non-zero is among these.
    """

    shape: tuple[int, int]
    row_ptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[np.uint64]
    columns: NDArray[np.int64] = field(init=False)
    places: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        ptr, count = np.asarray(self.row_ptr, np.int64), len(self.values)
        if ptr.shape != (self.shape[0] + 1,) or (np.diff(ptr, prepend=0) < 0).any():
            raise ValueError(f"row_ptr must be {self.shape[0] + 1} numbers that do not fall")
        if ptr[-1] != count or len(self.indices) != count:
            raise ValueError(
                f"row_ptr, indices and values must say the same count, "
                f"not {ptr[-1]}, {len(self.indices)} and {count}"
            )
        indices = np.asarray(self.indices, np.int64)
        if count and not 0 <= indices.min() <= indices.max() < self.shape[1]:
            raise ValueError(f"indices must be in 0..{self.shape[1] - 1}")
        self.row_ptr, self.indices = ptr, indices
        self.columns, places = np.unique(indices, return_inverse=True)
        self.places = places.reshape(-1).astype(np.int64)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each non-zero."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.row_ptr))


def encode_dense(matrix: NDArray[np.uint64], *, sign: int = 0) -> Encoding:
    """Return the encoding of a matrix of bit patterns, of which all but ``sign`` are looked at."""
    found = (matrix & ~np.uint64(sign)) != 0
    rows, indices = np.nonzero(found)
    counts = np.bincount(rows, minlength=len(matrix))
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Encoding((matrix.shape[0], matrix.shape[1]), ptr, indices, matrix[found])


@dataclass
class SparseProduct:
    """What multiplies a sparse matrix, or its transpose, by a dense one on an engine.

    Attributes
    ----------
    rows : dict of ``a`` and ``d`` to lists of rows
        What to send on them; every row is a packet.
    place, command : list of int
        Payloads of the streams.
    parts : list of (row, column, elements)
        Where in the result the elements of each packet belong.
    shape : (rows, N)
        Of the result: with ``transpose`` it has a row for each column that is not empty.
    steps : int
        Of non-zeros, over all slices and parts: what no engine of as many lanes does in fewer
        cycles.
    cycles : int
        From the first step to the last result, if nothing has to be waited for: if the output is
        ready, and rows of the dense matrix are there when the sums of the part before have left.
    """

    shape: tuple[int, int]
    rows: dict[str, list[NDArray[np.uint64]]] = field(default_factory=lambda: {"a": [], "d": []})
    place: list[int] = field(default_factory=list)
    command: list[int] = field(default_factory=list)
    parts: list[tuple[int, int, int]] = field(default_factory=list)
    steps: int = 0
    cycles: int = 0

    def payloads(self, engine: SparseTimesDense) -> dict[str, list[int]]:
        """Return the payloads of every stream."""
        beats = {"a": engine.a_beat, "d": engine.d_beat}
        sent = {n: [w for row in self.rows[n] for w in beats_of(row, beats[n])] for n in beats}
        return {**sent, "place": self.place, "command": self.command}

    def assemble(self, packets: Sequence[Sequence[int] | NDArray[np.uint64]]) -> NDArray[np.uint64]:
        """Return the result of which ``packets`` are the parts."""
        result = np.zeros(self.shape, np.uint64)
        for (row, column, count), packet in zip(self.parts, packets, strict=True):
            if len(packet) != count:
                raise ValueError(f"a packet has {len(packet)} elements, not {count}")
            result[row, column : column + count] = packet
        return result


def plan_sparse(
    engine: SparseTimesDense,
    matrix: Encoding,
    d: NDArray[np.uint64],
    *,
    transpose: bool = False,
) -> SparseProduct:
    """Return what computes ``A D``, or ``Aᵀ D``, of which only the rows that are not zero.

    Wide matrices are cut into parts of ``lanes * slices`` columns, results into parts of ``sums``
    rows, and sums that need more rows of ``D`` than there is room for into parts that follow each
    other.

    Raises
    ------
    ValueError
        If shapes do not go together, or the matrix has more rows than can be counted.
    """
    inner = matrix.shape[0 if transpose else 1]
    if d.ndim != 2 or len(d) != inner:
        turned = " transposed" if transpose else ""
        raise ValueError(
            f"d must have {inner} rows, for a of {matrix.shape[0]}x{matrix.shape[1]}{turned}, "
            f"and is {'x'.join(map(str, d.shape))}"
        )
    width = d.shape[1]
    used = d if transpose else d[matrix.columns]
    rows, places = matrix.rows, matrix.places
    count = len(matrix.columns) if transpose else matrix.shape[0]
    product = SparseProduct((count, width))
    across, next_one, end = engine.lanes * engine.slices, 0, 0
    for wide in _spans(width, across):
        for out in _spans(count, engine.sums):
            # Without a row there is one part all the same, in which all sums stay zero.
            parts = _spans(len(used), engine.dense) or [range(0)]
            for rank, part in enumerate(parts):
                near, far = (part, out) if transpose else (out, part)
                chosen = np.flatnonzero(
                    (rows >= near.start)
                    & (rows < near.stop)
                    & (places >= far.start)
                    & (places < far.stop)
                )
                _send_a(engine, product, matrix.values[chosen], rows[chosen] - near.start, near)
                product.place += beats_of(
                    (places[chosen] - far.start).astype(np.uint64), engine.place_beat
                )
                # What is there already stays.
                loads = len(parts) > 1 or out.start == 0
                if loads:
                    product.rows["d"] += list(used[part.start : part.stop, wide.start : wide.stop])
                beats, hold = -(-len(wide) // engine.lanes), rank < len(parts) - 1
                exponent = (beats - 1).bit_length()
                steps = len(chosen) << exponent
                product.steps += steps
                # To the first step of a command from the one of the command before, or the end.
                product.cycles += next_one + steps + len(near) - len(np.unique(rows[chosen]))
                next_one, end = _cycles(engine, len(out), beats, hold=hold)
                product.command.append(
                    encode_command(
                        engine.count_bits,
                        transpose=int(transpose),
                        hold=int(hold),
                        slices=exponent,
                        beats=beats - 1,
                        lanes=(len(wide) - 1) % engine.lanes,
                        a_rows=len(near),
                        d_rows=len(part) if loads else 0,
                        o_rows=len(out),
                    )
                )
            product.parts += [(row, wide.start, len(wide)) for row in out]
    product.cycles += end
    return product


def _cycles(engine: SparseTimesDense, rows: int, beats: int, *, hold: bool) -> tuple[int, int]:
    """Return the cycles after the last non-zero: to the next command's step, to the last result."""
    slices = 1 << (beats - 1).bit_length()
    banks = engine.slices // slices
    group, row = divmod(rows - 1, banks)
    whole = engine.slices * banks
    last = group * whole + (banks - 1) * engine.slices + row * slices + beats - 1
    leaves = 0 if hold else (group + 1) * whole + engine.loop
    return engine.loop + leaves + 1, engine.loop + last + engine.store.latency


def _send_a(
    engine: SparseTimesDense,
    product: SparseProduct,
    values: NDArray[np.uint64],
    rows: NDArray[np.int64],
    span: range,
) -> None:
    """Send the values of these rows, a packet each, the empty ones too."""
    if len(span) >> engine.count_bits:
        raise ValueError(f"a has {len(span)} rows, more than {engine.index} can count")
    ends = np.searchsorted(rows, np.arange(len(span) + 1))
    product.rows["a"] += [values[ends[k] : ends[k + 1]] for k in range(len(span))]


def _spans(end: int, count: int) -> list[range]:
    return [range(start, min(start + count, end)) for start in range(0, end, count)]


def drive_product(
    engine: SparseTimesDense, arrays: Mapping[str, NDArray[np.uint64]], texts: Mapping[str, str]
) -> Driven:
    """Return what multiplies ``a`` by ``d``; see :meth:`SparseTimesDense.drive`.

    Raises
    ------
    ValueError
        Naming the matrix or the setting that is wrong.
    """
    check_matrices(arrays)
    transpose = parse_flags(texts, ["transpose"]).get("transpose", False)
    number = find_format(engine.operand)
    sign = 1 << number.width - 1 if isinstance(number, Float) else 0
    matrix = encode_dense(arrays["a"], sign=sign)
    product = plan_sparse(engine, matrix, arrays["d"], transpose=transpose)

    def gather(packets: Sequence[NDArray[np.uint64]]) -> list[NDArray[np.uint64]]:
        found = product.assemble(packets)
        if not transpose:
            return list(found)
        whole = np.zeros((matrix.shape[1], found.shape[1]), np.uint64)
        whole[matrix.columns] = found
        return list(whole)

    words = {"place": product.place, "command": product.command}
    return Driven(product.rows, words, len(product.parts), gather)
