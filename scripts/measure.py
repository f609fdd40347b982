"""Measure area and Fmax of every block: scripts/measure [BLOCK]... [--all].

What is measured already, of the same netlist with the same tools, is left out unless ``--all``
is given. Results are kept in boards/sluice_boards/results, from where the datasheets take them.
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice.catalogue import CATALOGUE, Entry, find_block
from sluice.datasheet import fingerprint
from sluice.files import keep_json
from sluice_boards.measure import find_device, measure

RESULTS = Path(__file__).resolve().parents[1] / "boards/sluice_boards/results"


def measure_entry(entry: Entry, console: Console, *, anew: bool) -> None:
    """Measure what the entry names, and keep the records."""
    path = RESULTS / f"{entry.name}.json"
    kept = json.loads(path.read_text()) if path.exists() and not anew else []
    records: list[dict[str, Any]] = []
    for preset, device in entry.measured:
        key = {
            "preset": preset,
            "device": device,
            "netlist": fingerprint(entry, entry.presets[preset]),
            "amaranth": importlib.metadata.version("amaranth"),
        }
        found = next((r for r in kept if key.items() <= r.items()), None)
        if found is None:
            with console.status("") as status:
                found = key | measure(
                    entry.make(preset),
                    find_device(device),
                    report=lambda step, what=f"{entry.name} {preset}, {device}": status.update(
                        f"{what}: {step}"
                    ),
                )
        console.print(f"{entry.name:18} {preset:10} {device:9} {found.get('worst_mhz', '-')} MHz")
        records.append(found)
        keep_json(path, records)


def main() -> None:
    """Measure the named blocks, or all of them."""
    names = [a for a in sys.argv[1:] if a != "--all"]
    console = Console()
    for entry in [find_block(n) for n in names] or CATALOGUE.values():
        measure_entry(entry, console, anew="--all" in sys.argv)


if __name__ == "__main__":
    main()
