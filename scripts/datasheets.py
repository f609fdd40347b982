"""Write docs/datasheets from the catalogue and the measurements: scripts/datasheets [--check]."""

import json
import sys
import tomllib
from pathlib import Path

from sluice.catalogue import CATALOGUE, Entry
from sluice.datasheet import datasheet

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/datasheets"
MEASURED = ROOT / "boards/sluice_boards/results"
MUTANTS = ROOT / "sim/sluice_sim/results"


def text_of(entry: Entry) -> str:
    """Return the datasheet of ``entry`` from the results that are kept."""
    measured, mutants = MEASURED / f"{entry.name}.json", MUTANTS / f"{entry.name}.json"
    why = tomllib.loads((MUTANTS / "survivors.toml").read_text())
    return datasheet(
        entry,
        json.loads(measured.read_text()) if measured.exists() else [],
        json.loads(mutants.read_text()) if mutants.exists() else None,
        why.get(entry.name, {}),
    )


def main() -> None:
    """Write every datasheet, or with ``--check`` say which are stale and end with status 1."""
    FOLDER.mkdir(exist_ok=True)
    texts = {FOLDER / f"{name}.md": text_of(entry) for name, entry in CATALOGUE.items()}
    stale = [p for p, text in texts.items() if not p.exists() or p.read_text() != text]
    stale += [p for p in FOLDER.glob("*.md") if p not in texts]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run scripts/datasheets")
        sys.exit(bool(stale))
    for path in FOLDER.glob("*.md"):
        if path not in texts:
            path.unlink()
    for path, text in texts.items():
        path.write_text(text)
    print(f"{len(texts)} datasheets in {FOLDER.relative_to(ROOT)}, {len(stale)} changed")


if __name__ == "__main__":
    main()
