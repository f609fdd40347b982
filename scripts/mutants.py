"""Measure mutation coverage of every block: scripts/mutants [BLOCK]... [--count N] [--all].

What is measured already, of the same netlist, is left out unless ``--all`` is given. Results are
kept in sim/sluice_sim/results, from where the datasheets take them.
"""

import argparse
import importlib.metadata
import json
from pathlib import Path

from sluice.catalogue import CATALOGUE, Entry, find_block
from sluice.datasheet import fingerprint
from sluice.files import keep_json
from sluice_sim.mutation import coverage

RESULTS = Path(__file__).resolve().parents[1] / "sim/sluice_sim/results"


def measure_entry(entry: Entry, count: int, *, anew: bool) -> None:
    """Measure one block and keep the record."""
    path = RESULTS / f"{entry.name}.json"
    key = {
        "netlist": fingerprint(entry, entry.mutants),
        "amaranth": importlib.metadata.version("amaranth"),
        "count": count,
        "seed": 1,
    }
    if path.exists() and not anew and key.items() <= json.loads(path.read_text()).items():
        return
    facts = key | coverage(entry, count, seed=1)
    keep_json(path, facts)
    print(
        f"{entry.name:18} {100 * facts['score']:5.1f} %, {facts['survived']} survived", flush=True
    )
    for fault in facts["survivors"]:
        print(f"  {fault}", flush=True)


def main() -> None:
    """Measure the named blocks, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("blocks", nargs="*")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--all", action="store_true")
    asked = parser.parse_args()
    for entry in [find_block(n) for n in asked.blocks] or CATALOGUE.values():
        measure_entry(entry, asked.count, anew=asked.all)


if __name__ == "__main__":
    main()
