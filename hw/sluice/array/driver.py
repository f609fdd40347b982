"""Products of whole matrices: the commands for them, and the order in which data comes and goes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.array.command import FREE, Kind, encode_command
from sluice.array.matmul import Matmul
from sluice.block import Driven
from sluice.params import parse_whole
from sluice.rounding import MODES

__all__ = ["Product", "drive_product", "plan_product"]


@dataclass
class Product:
    """What multiplies two matrices on an engine.

    Attributes
    ----------
    commands : list of int
        Payloads of the stream ``command``.
    rows : dict of ``a`` and ``b`` to lists of rows
        What to send on them; every row is a packet.
    places : list of (row, column, elements)
        Where in the result the elements of each packet belong.
    shape : (M, N)
    vectors : int
        That are multiplied, over all tiles: what no engine of this size does in fewer cycles.
    """

    shape: tuple[int, int]
    commands: list[int] = field(default_factory=list)
    rows: dict[str, list[NDArray[np.uint64]]] = field(default_factory=lambda: {"a": [], "b": []})
    places: list[tuple[int, int, int]] = field(default_factory=list)
    vectors: int = 0

    def assemble(self, packets: Sequence[Sequence[int] | NDArray[np.uint64]]) -> NDArray[np.uint64]:
        """Return the result of which ``packets`` are the parts."""
        result = np.zeros(self.shape, np.uint64)
        for (row, column, count), packet in zip(self.places, packets, strict=True):
            if len(packet) != count:
                raise ValueError(f"a packet has {len(packet)} elements, not {count}")
            result[row, column : column + count] = packet
        return result


class _Pad:
    """What lies in a scratchpad: chunks in slots of the same size, the oldest of which goes."""

    def __init__(self, blocks: int, chunk: int):
        self.chunk = chunk
        self.slots: list[tuple[int, int] | None] = [None] * max(1, blocks // chunk)
        self.used_at = [0] * len(self.slots)

    def find(self, key: tuple[int, int]) -> int | None:
        return self.slots.index(key) if key in self.slots else None

    def oldest(self) -> int:
        return min(range(len(self.slots)), key=lambda s: (self.used_at[s], s))


def plan_product(
    engine: Matmul,
    a: NDArray[np.uint64],
    b: NDArray[np.uint64],
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    mode: int = 0,
    saturate: bool = False,
) -> Product:
    """Return what computes ``a b`` of two matrices of bit patterns, either one transposed or not.

    Both are sent as they lie. A matrix that does not fit is sent in chunks, as often as it takes.

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
    wide = columns // size
    tiles_m, tiles_k, tiles_n = -(-rows // size), -(-inner // size), -(-width // columns)
    cut_m, cut_k, cut_n = _chunks(engine, rows, tiles_m, tiles_k, tiles_n)
    product = Product((rows, width))
    pads = {
        "a": _Pad(engine.a_blocks, cut_m * cut_k),
        "b": _Pad(engine.b_blocks, cut_k * cut_n * wide),
    }
    multiplies = 0

    def emit(**fields: Any) -> None:
        product.commands.append(encode_command(engine.count_bits, **fields))

    for n0 in range(0, tiles_n, cut_n):
        for m0 in range(0, tiles_m, cut_m):
            for k0 in range(0, tiles_k, cut_k):
                spans = {
                    "m": _span(m0 * size, cut_m * size, rows),
                    "k": _span(k0 * size, cut_k * size, inner),
                    "n": _span(n0 * columns, cut_n * columns, width),
                }
                operands: dict[str, dict[str, int]] = {}
                for name, matrix, turned, other, key in (
                    ("a", a, transpose_a, "m", (m0, k0)),
                    ("b", b, not transpose_b, "n", (k0, n0)),
                ):
                    pad = pads[name]
                    # As it lies: the inner dimension runs down where vectors are columns.
                    down, along = ("k", other) if turned else (other, "k")
                    stride = -(-len(spans[along]) // size)
                    slot = pad.find(key)
                    if slot is None:
                        slot = pad.oldest()
                        pad.slots[slot] = key
                        part = matrix[spans[down].start : spans[down].stop]
                        part = part[:, spans[along].start : spans[along].stop]
                        product.rows[name] += list(part)
                        emit(
                            kind=Kind.LOAD_A if name == "a" else Kind.LOAD_B,
                            multiplies_left=min(multiplies - pad.used_at[slot], FREE),
                            a={"block": slot * pad.chunk, "across": stride},
                            vectors=len(part),
                        )
                    operands[name] = {
                        "block": slot * pad.chunk,
                        "along": stride if turned else 1,
                        "across": 1 if turned else stride,
                        "columns": int(turned),
                    }
                operands["b"]["block"] += (wide - 1) * operands["b"]["across"]
                m, k, n = (len(spans[name]) for name in "mkn")
                across, last = -(-n // columns), k0 + cut_k >= tiles_k
                emit(
                    kind=Kind.MULTIPLY,
                    after_loads=1,
                    multiplies_left=FREE,
                    vectors=m,
                    tiles_k=-(-k // size),
                    tiles_n=across,
                    last_k=(k - 1) % size + 1,
                    last_n=(n - 1) % columns + 1,
                    sums=m * across,
                    accumulate=int(k0 > 0),
                    hold=int(not last),
                    mode=mode,
                    saturate=int(saturate),
                    **operands,
                )
                multiplies += 1
                for pad, key in ((pads["a"], (m0, k0)), (pads["b"], (k0, n0))):
                    slot = pad.find(key)
                    assert slot is not None
                    pad.used_at[slot] = multiplies
                product.vectors += m * across * -(-k // size)
                if last:
                    product.places += _places(spans["m"], spans["n"], columns)
    return product


def drive_product(
    engine: Matmul, arrays: Mapping[str, NDArray[np.uint64]], texts: Mapping[str, str]
) -> Driven:
    """Return what multiplies ``a`` by ``b``; see :meth:`sluice.array.Matmul.drive`.

    Raises
    ------
    ValueError
        Naming the matrix or the setting that is wrong.
    """
    for name, array in arrays.items():
        if array.ndim != 2:
            raise ValueError(f"{name} must be a matrix, not an array of shape {array.shape}")
    plain = {k: v for k, v in texts.items() if k != "mode"}
    known = ["transpose_a", "transpose_b", *engine.settings]
    mode = 0
    for name in texts:
        if name not in known:
            raise ValueError(f"no setting {name!r}: there are {' '.join(known)}")
    if "mode" in texts:
        modes = engine.modes.split(",")
        if texts["mode"] not in modes:
            raise ValueError(f"mode must be one of {' '.join(modes)}, not {texts['mode']!r}")
        mode = MODES.index(texts["mode"])
    flags = {name: parse_whole(name, text) for name, text in plain.items()}
    for name, value in flags.items():
        if value not in (0, 1):
            raise ValueError(f"{name} must be true or false, not {texts[name]!r}")
    turned = {name: bool(flags.get(name)) for name in ("transpose_a", "transpose_b")}
    product = plan_product(
        engine, arrays["a"], arrays["b"], **turned, mode=mode, saturate=bool(flags.get("saturate"))
    )
    return Driven(
        product.rows,
        {"command": product.commands},
        len(product.places),
        lambda packets: list(product.assemble(packets)),
    )


def _shape(matrix: NDArray[np.uint64], transposed: bool) -> str:
    return "x".join(map(str, matrix.shape)) + (" transposed" if transposed else "")


def _span(start: int, count: int, end: int) -> range:
    return range(start, min(start + count, end))


def _places(rows: range, across: range, columns: int) -> Iterator[tuple[int, int, int]]:
    for column in range(across.start, across.stop, columns):
        for row in rows:
            yield row, column, min(columns, across.stop - column)


def _chunks(
    engine: Matmul, rows: int, tiles_m: int, tiles_k: int, tiles_n: int
) -> tuple[int, int, int]:
    """Return how many tiles of each dimension one command takes.

    As few columns as keep the array busy, since every command is a chunk of sums; as many rows as
    there are sums for, and all of the inner dimension if that fits.
    """
    size, wide = engine.size, engine.columns // engine.size
    most = (1 << engine.count_bits) - 1
    cut_m = min(tiles_m, max(1, engine.sums // size), max(1, most // size))
    many = cut_m < tiles_m
    # A second slot lets loading go on beside computing, where there is more than one chunk.
    a_blocks = engine.a_blocks // 2 if many and engine.a_blocks > 1 else engine.a_blocks
    cut_m = min(cut_m, a_blocks)
    while cut_m > 1 and cut_m * tiles_k > a_blocks and cut_m * size > engine.pipeline.latency:
        cut_m = -(-cut_m // 2)
    b_blocks = (
        engine.b_blocks // 2 if tiles_n > 1 and engine.b_blocks >= 2 * wide else engine.b_blocks
    )
    cut_k = min(tiles_k, a_blocks // cut_m, b_blocks // wide)
    if cut_k < tiles_k:
        cut_k = max(1, min(engine.a_blocks // (2 * cut_m), engine.b_blocks // (2 * wide)))
    vectors = min(rows, cut_m * size)
    cut_n = -(-(engine.pipeline.latency + 8) // vectors)
    cut_n = min(cut_n, tiles_n, engine.sums // vectors, b_blocks // (cut_k * wide))
    return cut_m, max(1, cut_k), max(1, cut_n)
