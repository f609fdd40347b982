"""Products of whole matrices: the commands for them, and the order in which data comes and goes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.array.command import Kind, encode_command
from sluice.array.maps import map_layout
from sluice.array.matmul import Matmul
from sluice.array.sparse import Pass, compress, schedule
from sluice.block import Driven
from sluice.formats import find_format
from sluice.params import check_matrices, parse_flags
from sluice.rounding import MODES

__all__ = ["Product", "drive_product", "plan_product"]


@dataclass
class Product:
    """What multiplies two matrices on an engine.

    Attributes
    ----------
    commands : list of int
        Payloads of the stream ``command``.
    maps : list of int
        Payloads of the stream ``map``.
    rows : dict of ``a`` and ``b`` to lists of rows
        What to send on them; every row is a packet.
    places : list of (row, column, elements)
        Where in the result the elements of each packet belong.
    shape : (M, N)
    order : dict of first column to list of arrays, (steps, columns)
        Which elements of the inner dimension are added, one after the other, to the sums of a
        column: those of the tiles, or of the passes; -1 adds nothing.
    vectors : int
        That are multiplied, over all tiles: what no engine of this size does in fewer cycles.
    """

    shape: tuple[int, int]
    commands: list[int] = field(default_factory=list)
    maps: list[int] = field(default_factory=list)
    rows: dict[str, list[NDArray[np.uint64]]] = field(default_factory=lambda: {"a": [], "b": []})
    places: list[tuple[int, int, int]] = field(default_factory=list)
    order: dict[int, list[NDArray[np.int64]]] = field(default_factory=dict)
    vectors: int = 0

    def assemble(self, packets: Sequence[Sequence[int] | NDArray[np.uint64]]) -> NDArray[np.uint64]:
        """Return the result of which ``packets`` are the parts."""
        result = np.zeros(self.shape, np.uint64)
        for (row, column, count), packet in zip(self.places, packets, strict=True):
            if len(packet) != count:
                raise ValueError(f"a packet has {len(packet)} elements, not {count}")
            result[row, column : column + count] = packet
        return result


def plan_product(
    engine: Matmul,
    a: NDArray[np.uint64],
    b: NDArray[np.uint64],
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    sparse: bool = False,
    together: int = 1,
    mode: int = 0,
    saturate: bool = False,
) -> Product:
    """Return what computes ``a b`` of two matrices of bit patterns, either one transposed or not.

    Both are sent as they lie. A matrix that does not fit is sent in chunks, as often as it takes.
    With ``sparse``, ``b`` is sent compressed wherever that takes fewer passes; ``a`` must then lie
    straight, and is multiplied densely if it does not. ``together`` tiles of columns are compressed
    as one: each alone takes fewer passes, but sums come back sooner and may have to be waited for.

    Raises
    ------
    ValueError
        If the inner dimensions differ, or there is nothing to multiply.
    """
    size, columns = engine.size, engine.columns
    rows, inner = a.shape[::-1] if transpose_a else a.shape
    inner_b, width = b.shape[::-1] if transpose_b else b.shape
    if inner != inner_b:
        raise ValueError(
            f"inner dimensions must be equal, not {inner} of a and {inner_b} of b "
            f"(a is {_shape(a, transpose_a)}, b is {_shape(b, transpose_b)})"
        )
    if 0 in (rows, inner, width):
        raise ValueError(f"a product of {rows}x{inner} by {inner}x{width} has no elements")
    if sparse and engine.group == 1:
        raise ValueError("sparse products need an engine with group of 2 or more")
    # Columns of a hold one element of a group.
    sparse = sparse and not transpose_a
    cut = _cut(engine, rows, inner, width, transpose_a=transpose_a, together=together * sparse)
    planner = _Planner(engine, Product((rows, width)), cut, transpose_a=transpose_a)
    for n in _spans(width, cut.n * columns):
        for m in _spans(rows, cut.m * size):
            for k in _spans(inner, cut.k * size):
                planner.load_a(a[_slices(k, m) if transpose_a else _slices(m, k)], m, k)
                part = b[_slices(n, k) if transpose_b else _slices(k, n)]
                passes = None
                if sparse:
                    whole = part.T if transpose_b else part
                    passes = schedule(compress(whole, engine.group, sign=engine.sign), size)
                if passes is not None and len(passes) < -(-len(k) // size):
                    planner.load_sparse(passes, n, k)
                else:
                    planner.load_b(part, n, k, transposed=transpose_b)
                first, last = k.start == 0, k.stop == inner
                planner.multiply(
                    m, n, accumulate=not first, hold=not last, mode=mode, saturate=saturate
                )
    return planner.product


@dataclass(frozen=True)
class _Cut:
    """Tiles of one command, and blocks that its operands take."""

    m: int
    k: int
    n: int
    a_blocks: int
    b_blocks: int


class _Pad:
    """What lies in a memory: chunks in slots of the same size, the oldest of which goes."""

    def __init__(self, places: int, chunk: int):
        self.chunk = chunk
        self.slots: list[tuple[int, int] | None] = [None] * max(1, places // chunk)
        self.used_at = [0] * len(self.slots)

    def take(self, key: tuple[int, int], multiplies: int) -> tuple[int, bool | None]:
        """Return where ``key`` lies, and whether the last product still needs what lay there.

        The latter is ``None`` where ``key`` lies there already.
        """
        if key in self.slots:
            slot, needed = self.slots.index(key), None
        else:
            slot = min(range(len(self.slots)), key=lambda s: (self.used_at[s], s))
            needed = self.used_at[slot] == multiplies
            self.slots[slot] = key
        self.used_at[slot] = multiplies + 1
        return slot * self.chunk, needed


class _Planner:
    """Writes the commands of a product down, and knows what lies where."""

    def __init__(self, engine: Matmul, product: Product, cut: _Cut, *, transpose_a: bool):
        self.engine, self.product, self.transpose_a = engine, product, transpose_a
        self.a = _Pad(engine.a_blocks, cut.a_blocks)
        self.b = _Pad(engine.b_blocks, cut.b_blocks)
        self.map = _Pad(engine.maps, cut.k)
        self.multiplies = 0
        self.fields: dict[str, Any] = {}

    def emit(self, **fields: Any) -> None:
        self.product.commands.append(encode_command(self.engine.count_bits, **fields))

    def load(
        self, kind: Kind, needed: bool | None, rows: Iterable[NDArray[np.uint64]], **where: Any
    ) -> None:
        """Send ``rows``, unless they lie there."""
        if needed is not None:
            given = list(rows)
            self.product.rows["a" if kind == Kind.LOAD_A else "b"] += given
            self.emit(kind=kind, after_multiplies=int(needed), vectors=len(given), a=where)

    def load_a(self, part: NDArray[np.uint64], m: range, k: range) -> None:
        block, needed = self.a.take((m.start, k.start), self.multiplies)
        stride = -(-part.shape[1] // (self.engine.size * self.engine.group))
        self.load(Kind.LOAD_A, needed, part, block=block, across=stride)
        self.fields["a"] = _operand(block, stride, columns=self.transpose_a)
        self.inner = len(k)

    def load_b(self, part: NDArray[np.uint64], n: range, k: range, *, transposed: bool) -> None:
        block, needed = self.b.take((k.start, n.start), self.multiplies)
        self.steps = np.broadcast_to(np.arange(k.start, k.stop)[:, None], (len(k), len(n)))
        stride = -(-part.shape[1] // self.engine.size)
        self.load(Kind.LOAD_B, needed, part, block=block, across=stride)
        self.fields |= {
            "b": _operand(block, stride, columns=not transposed),
            "tiles_k": -(-self.inner // self.engine.size),
            "last_k": (self.inner - 1) % self.engine.size,
            "sparse": 0,
        }

    def load_sparse(self, passes: Sequence[Pass], n: range, k: range) -> None:
        """Send what lies in the passes, and their maps; without any, one without a weight."""
        engine, key = self.engine, (k.start, n.start)
        size = engine.size
        passes = passes or [Pass(0)]
        width = find_format(engine.operand).width
        block, needed = self.b.take(key, self.multiplies)
        stride = -(-len(n) // size)
        rows: list[NDArray[np.uint64]] = []
        steps = [np.full((0, len(n)), -1)]
        nothing = np.full(len(n), engine.nothing, np.uint64)
        for now in passes:
            for row in now.rows:
                at = k.start + row.group * engine.group + row.tags
                steps.append(np.where(row.tags < engine.group, at, -1)[None])
                words = row.values | row.tags.astype(np.uint64) << np.uint64(width)
                rows.append(np.where(row.tags < engine.group, words, nothing))
            rows += [nothing] * (size - len(now.rows))
        self.steps = np.concatenate(steps)
        self.load(Kind.LOAD_B, needed, rows, block=block, across=stride)
        entry, needed = self.map.take(key, self.multiplies)
        if needed is not None:
            layout: Any = map_layout(size, engine.count_bits)
            for now in passes:
                slots, after = now.slots(size)
                slots += [0] * (size - len(slots))
                fields = {"window": now.window, "slots": slots, "after": after}
                self.product.maps.append(layout.const(fields).as_value().value)
            where = {"vectors": len(passes), "map": entry}
            self.emit(kind=Kind.LOAD_MAP, after_multiplies=int(needed), **where)
        self.fields |= {
            "b": _operand(block, stride, columns=True),
            "tiles_k": len(passes),
            "last_k": size - 1,
            "sparse": 1,
            "map": entry,
        }

    def multiply(self, m: range, n: range, *, hold: bool, **how: Any) -> None:
        columns = self.engine.columns
        tiles = -(-len(n) // columns)
        self.emit(
            kind=Kind.MULTIPLY,
            after_loads=1,
            vectors=len(m),
            tiles_n=tiles,
            last_n=(len(n) - 1) % columns,
            sums=len(m) * tiles,
            hold=int(hold),
            **{name: int(value) for name, value in how.items()},
            **self.fields,
        )
        self.multiplies += 1
        if m.start == 0:
            self.product.order.setdefault(n.start, []).append(self.steps)
        self.product.vectors += len(m) * tiles * self.fields["tiles_k"]
        if not hold:
            for column in range(n.start, n.stop, columns):
                count = min(columns, n.stop - column)
                self.product.places += [(row, column, count) for row in m]


def _shape(matrix: NDArray[np.uint64], transposed: bool) -> str:
    return "x".join(map(str, matrix.shape)) + (" transposed" if transposed else "")


def _operand(block: int, stride: int, *, columns: bool) -> dict[str, int]:
    """Return an operand whose inner dimension runs along its columns, or else along its rows."""
    along, across = (stride, 1) if columns else (1, stride)
    return {"block": block, "along": along, "across": across, "columns": int(columns)}


def _spans(end: int, count: int) -> list[range]:
    return [range(start, min(start + count, end)) for start in range(0, end, count)]


def _slices(rows: range, columns: range) -> tuple[slice, slice]:
    return slice(rows.start, rows.stop), slice(columns.start, columns.stop)


def _cut(
    engine: Matmul, rows: int, inner: int, width: int, *, transpose_a: bool, together: int
) -> _Cut:
    """Return how many tiles of each dimension one command takes.

    As few columns as keep the array busy, since every command is a chunk of sums; as many rows as
    there are sums for, and all of the inner dimension if that fits.
    """
    size, wide = engine.size, engine.columns // engine.size
    count = (1 << engine.count_bits) - 1
    most = max(1, count // size)
    tiles_m, tiles_k, tiles_n = -(-rows // size), -(-inner // size), -(-width // engine.columns)

    def blocks(m: int, k: int) -> int:
        return k * -(-m // engine.group) if transpose_a else m * -(-k // engine.group)

    # With two slots, loading goes on beside computing where there is more than one chunk.
    room = engine.b_blocks // 2 if tiles_n > 1 and engine.b_blocks >= 2 * wide else engine.b_blocks
    m = min(tiles_m, engine.sums // size, most)
    k = min(tiles_k, room // wide, most, *((engine.maps,) if together else ()))
    while blocks(m, k) > engine.a_blocks // (1 + (m < tiles_m or k < tiles_k)) and (m, k) != (1, 1):
        # Fewer rows until the array would have to wait for its sums, then a shorter sum.
        if m > 1 and (m * size > engine.loop or k == 1):
            m = -(-m // 2)
        else:
            k = -(-k // 2)
    vectors = min(rows, m * size)
    n = -(-engine.loop // vectors)
    n = min(together or n, tiles_n, engine.sums // vectors, room // (k * wide))
    n = max(1, min(n, count // vectors, count // engine.columns))
    return _Cut(m, k, n, min(blocks(m, k), engine.a_blocks), k * n * wide)


def drive_product(
    engine: Matmul, arrays: Mapping[str, NDArray[np.uint64]], texts: Mapping[str, str]
) -> Driven:
    """Return what multiplies ``a`` by ``b``; see :meth:`sluice.array.Matmul.drive`.

    Raises
    ------
    ValueError
        Naming the matrix or the setting that is wrong.
    """
    check_matrices(arrays)
    known = ["transpose_a", "transpose_b", *engine.settings]
    known += ["sparse"] if engine.group > 1 else []
    plain = {k: v for k, v in texts.items() if k != "mode" or k not in known}
    flags = parse_flags(plain, known)
    mode = 0
    if "mode" in texts:
        modes = engine.modes.split(",")
        if texts["mode"] not in modes:
            raise ValueError(f"mode must be one of {' '.join(modes)}, not {texts['mode']!r}")
        mode = MODES.index(texts["mode"])
    product = plan_product(engine, arrays["a"], arrays["b"], mode=mode, **flags)
    return Driven(
        product.rows,
        {"command": product.commands, "map": product.maps},
        len(product.places),
        lambda packets: list(product.assemble(packets)),
    )
