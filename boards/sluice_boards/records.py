"""Area and speed of parts that are in no catalogue, kept with the netlist that they are of."""

import importlib.metadata
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sluice.datasheet import LUT4, REGISTERS, digest, net_area
from sluice.export import to_rtlil
from sluice.files import keep_json
from sluice_boards.measure import find_device, measure, tool_versions

__all__ = ["DEVICE", "fingerprint", "keep_record", "load_records", "record"]

DEVICE, PACKED = "ecp5-85k", "ecp5-85k-packed"


def fingerprint(part: Any) -> str:
    """Return a digest of the part's netlist; measurements of another one are stale."""
    return digest(to_rtlil(part, "top", find_device(DEVICE).technology))


def record(
    part: Any, *, seeds: int, pins: bool = True, known: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Measure ``part`` with so many seeds; ``comb`` and ``ff`` are without the harness.

    Without seeds it is not placed, and has no speed. Seeds of a record that is ``known`` of the
    same netlist and tools are not tried again.
    """
    device = find_device(DEVICE if seeds else PACKED)
    key = {"netlist": fingerprint(part), "amaranth": importlib.metadata.version("amaranth")}
    same = {**key, "tools": tool_versions(device)}
    if known and same != {name: known[name] for name in same}:
        known = None
    tried = dict(zip(known["seeds"], known["fmax_mhz"], strict=True)) if known and seeds else {}
    todo = [seed for seed in range(1, seeds + 1) if seed not in tried]
    if known and not todo:
        return known
    found = measure(part, device, seeds=todo, pins=pins)
    if seeds:
        speeds = tried | dict(zip(todo, found["fmax_mhz"], strict=True))
        found |= {"seeds": list(speeds), "fmax_mhz": list(speeds.values())}
        found |= {"worst_mhz": min(speeds.values())}
    area = net_area(found)
    return {**key, **found, "comb": area[LUT4], "ff": area[REGISTERS]}


def load_records(path: Path) -> dict[str, Any]:
    """Return what is kept in ``path``, or nothing."""
    return json.loads(path.read_text()) if path.exists() else {}


def keep_record(path: Path, name: str, found: dict[str, Any], order: Iterable[str]) -> None:
    """Put a record into ``path``, and leave out those that are not in ``order``."""
    # Another one may have been kept meanwhile.
    records = {**load_records(path), name: found}
    path.parent.mkdir(exist_ok=True)
    keep_json(path, {n: records[n] for n in order if n in records})
