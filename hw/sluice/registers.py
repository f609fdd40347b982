"""The register map: where each field of a block's settings, status and counters lies."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

from sluice.block import Block
from sluice.export import ports_of

__all__ = ["Field", "fields_of", "pack_fields", "register_map"]


@dataclass(frozen=True)
class Field:
    """Some bits of a port that is not a stream."""

    name: str
    low: int
    width: int
    signed: bool


def fields_of(shape: Any, prefix: str = "", low: int = 0) -> Iterator[Field]:
    """Yield the leaves of a layout, in order: ``terms[0].kind`` and the like."""
    if isinstance(shape, data.Layout):
        for key, field in shape:
            name = f"{prefix}[{key}]" if isinstance(key, int) else f"{prefix}.{key}".lstrip(".")
            yield from fields_of(field.shape, name, low + field.offset)
    else:
        cast = Shape.cast(shape)
        yield Field(prefix, low, cast.width, cast.signed)


def pack_fields(shape: Any, values: dict[str, int]) -> int:
    """Return the bits of a port with the given fields; the others are zero.

    Raises
    ------
    ValueError
        Naming the field that does not exist or whose value does not fit, and the range.
    """
    fields = {f.name: f for f in fields_of(shape)}
    word = 0
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"no setting {name!r}: there are {' '.join(fields) or 'none'}")
        field = fields[name]
        low = -(1 << field.width - 1) if field.signed else 0
        high = low + (1 << field.width) - 1
        if not low <= value <= high:
            raise ValueError(f"{name} must be in {low}..{high}, not {value}")
        word |= (value & ((1 << field.width) - 1)) << field.low
    return word


def register_map(block: Block) -> list[dict[str, Any]]:
    """Return every port beside the streams with its fields, for JSON."""
    result = []
    for port in ports_of(block):
        if port.name.endswith(("__payload", "__valid", "__ready")) or "_axis" in port.name:
            continue
        fields = [asdict(field) for field in fields_of(port.shape)]
        result.append(
            {
                "port": port.name,
                "access": "write" if port.is_input else "read",
                "width": port.width,
                "fields": fields,
            }
        )
    return result
