"""Golden model of :class:`sluice.masking.Masking`, by the definition of each mask."""

from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

__all__ = ["alternative_value", "mask_matrix", "mask_rows", "term_mask"]


def term_mask(
    term: Mapping[str, Any],
    shape: tuple[int, int],
    *,
    segments: Sequence[int] = (),
    external: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Return the mask of one term, of shape ``(rows, columns)``; true passes.

    ``term`` has ``kind`` (a word), ``a``, ``b`` and ``invert``. ``segments`` are lengths; rows and
    columns behind their sum belong to none. ``external`` has the shape of the mask.
    """
    rows, columns = np.indices(shape)
    a, b = term["a"], term["b"]
    kind = term["kind"]
    if kind == "none":
        mask = np.zeros(shape, bool)
    elif kind == "all":
        mask = np.ones(shape, bool)
    elif kind == "lower":
        mask = np.tril(np.ones(shape, bool), a)
    elif kind == "upper":
        mask = np.triu(np.ones(shape, bool), a)
    elif kind == "band":
        mask = (rows + a <= columns) & (columns <= rows + b)
    elif kind == "columns":
        mask = columns < a
    elif kind == "rows":
        mask = rows < a
    elif kind == "segments":
        lengths = list(segments)
        if 0 in lengths:
            lengths = lengths[: lengths.index(0)]
        size = max(*shape, sum(lengths)) + 1
        owner = np.full(size, -1)
        owner[: sum(lengths)] = np.repeat(np.arange(len(lengths)), lengths)
        mask = (owner[rows] == owner[columns]) & (owner[rows] >= 0)
    elif kind == "external":
        if external is None:
            raise ValueError("an external term needs the external mask")
        mask = external.copy()
    else:
        raise ValueError(f"no mask {kind!r}")
    return ~mask if term["invert"] else mask


def mask_rows(
    shape: tuple[int, int],
    terms: Sequence[Mapping[str, Any]],
    *,
    segments: Sequence[int] = (),
    external: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Return the joined mask of shape ``(rows, columns)``: ``mask = mask op term``, in order."""
    mask: NDArray[np.bool_] | None = None
    for term in terms:
        one = term_mask(term, shape, segments=segments, external=external)
        joined = one if mask is None else mask | one if term["operation"] == "or" else mask & one
        mask = joined
    if mask is None:
        raise ValueError("a mask needs at least one term")
    return mask


def alternative_value(choice: str, dtype: Any, value: Any = 0) -> Any:
    """Return what stands for a masked element of ``dtype``."""
    dtype = np.dtype(dtype)
    if choice == "value":
        return dtype.type(value)
    if choice == "zero":
        return dtype.type(0)
    if np.issubdtype(dtype, np.integer) or dtype.name in ("int4", "uint4"):
        info = ml_dtypes.iinfo(dtype)
        return dtype.type(info.min)
    finite = ml_dtypes.finfo(dtype)
    infinity = dtype.type(-np.inf)
    if choice == "minus_infinity" and np.isinf(infinity.astype(np.float32)):
        return infinity
    return dtype.type(finite.min)


def mask_matrix(
    x: NDArray[Any],
    terms: Sequence[Mapping[str, Any]],
    *,
    alternative: str = "zero",
    value: Any = 0,
    segments: Sequence[int] = (),
    external: NDArray[np.bool_] | None = None,
) -> NDArray[Any]:
    """Return ``x`` of shape ``(rows, columns)`` with the alternative where the mask is not set."""
    mask = mask_rows((x.shape[0], x.shape[1]), terms, segments=segments, external=external)
    return np.where(mask, x, alternative_value(alternative, x.dtype, value))
