"""Products with a matrix of indices: what to send."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Driven
from sluice.compression.gather_walk import encode_command
from sluice.params import check_matrices, parse_flags

__all__ = ["drive_product"]


def drive_product(
    engine: Any, arrays: Mapping[str, NDArray[np.uint64]], texts: Mapping[str, str]
) -> Driven:
    """Return what multiplies ``x`` by ``indices``; see :meth:`CentroidMatmul.drive`.

    Raises
    ------
    ValueError
        Naming the matrix or the setting that is wrong.
    """
    x, indices, table = (arrays[name] for name in ("x", "indices", "table"))
    matrices = {"x": x, "indices": indices}
    check_matrices(matrices)
    for name, array in matrices.items():
        if not array.size:
            raise ValueError(f"{name} must be a matrix, not an array of shape {array.shape}")
    transpose = parse_flags(texts, ["transpose"]).get("transpose", False)
    rows, columns = indices.shape
    inner, turned = (columns, " transposed") if transpose else (rows, "")
    if x.shape[1] != inner:
        raise ValueError(
            f"x must have {inner} columns, for indices of {rows}x{columns}{turned}, "
            f"and is {x.shape[0]}x{x.shape[1]}"
        )
    lanes, count = engine.lanes, 1 << engine.index_bits
    blocks = -(-rows // lanes) * -(-columns // lanes)
    if blocks > engine.blocks:
        raise ValueError(
            f"indices of {rows}x{columns} take {blocks} blocks of {lanes}x{lanes}, "
            f"and there is room for {engine.blocks}"
        )
    if inner > engine.beats * lanes:
        raise ValueError(f"x must have at most {engine.beats * lanes} columns, not {inner}")
    if max(len(x), rows, columns) > 1 << engine.count_bits:
        most = 1 << engine.count_bits
        raise ValueError(f"x and indices must have at most {most} rows and columns")
    if table.size > count or (table.ndim > 1 and len(table) > 1):
        raise ValueError(f"table must be a row of at most {count}, not of shape {table.shape}")
    if int(indices.max()) >= table.size:
        raise ValueError(f"indices must be in 0..{table.size - 1}, as the table is")
    centroids = np.zeros(count, np.uint64)
    centroids[: table.size] = table.ravel()
    command = encode_command(
        engine.count_bits,
        fresh=1,
        transpose=int(transpose),
        last_row=rows - 1,
        last_column=columns - 1,
        last_vector=len(x) - 1,
    )
    return Driven(
        {"x": list(x), "indices": list(indices), "table": [centroids]},
        {"command": [command]},
        len(x),
        list,
    )
