"""Write docs/datasheets and the README's table from the catalogue and the measurements.

Usage: scripts/datasheets [--check]
"""

import json
import sys
import tomllib
from pathlib import Path

from sluice.catalogue import CATALOGUE, Entry
from sluice.datasheet import datasheet
from sluice.files import replace_between

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/datasheets"
MEASURED = ROOT / "boards/sluice_boards/results"
MUTANTS = ROOT / "sim/sluice_sim/results"
README = ROOT / "README.md"
START, END = "<!-- blocks: written by scripts/datasheets -->", "<!-- end of blocks -->"


def text_of(entry: Entry) -> str:
    """Return the datasheet of ``entry`` from the results that are kept."""
    measured, mutants = MEASURED / f"{entry.name}.json", MUTANTS / f"{entry.name}.json"
    parts = MEASURED / "parts" / f"{entry.name}.json"
    why = tomllib.loads((MUTANTS / "survivors.toml").read_text())
    return datasheet(
        entry,
        json.loads(measured.read_text()) if measured.exists() else [],
        json.loads(mutants.read_text()) if mutants.exists() else None,
        why.get(entry.name, {}),
        json.loads(parts.read_text()) if parts.exists() else None,
    )


def row_of(entry: Entry) -> str:
    """Return the line of ``entry`` in the README's table."""
    measured, mutants = MEASURED / f"{entry.name}.json", MUTANTS / f"{entry.name}.json"
    fmax = mutation = "not measured"
    if measured.exists():
        first = json.loads(measured.read_text())[0]
        fmax = f"{first['worst_mhz']:.0f} MHz" if "worst_mhz" in first else fmax
    if mutants.exists():
        facts = json.loads(mutants.read_text())
        mutation = f"{100 * facts['score']:.0f} %" if facts["faults"] else "wires only"
    status = f"{len(list(entry.variants()))} benches, {len(entry.proofs)} proofs"
    name = f"[{entry.name}](docs/datasheets/{entry.name}.md){' (preview)' if entry.preview else ''}"
    systems = ", ".join(entry.systems) or "-"
    return f"| {name} | {entry.summary} | {systems} | {status} | {mutation} | {fmax} |"


def readme_text() -> str:
    """Return the README with the table of blocks as it must be."""
    table = [
        "| block | what it does | systems | verified by | mutants killed | Fmax |",
        "| --- | --- | --- | --- | --- | --- |",
        *map(row_of, CATALOGUE.values()),
        "",
        "Fmax: the default preset in the harness, ECP5 speed grade 6, worst of three seeds.",
    ]
    return replace_between(README.read_text(), START, END, "\n".join(table))


def main() -> None:
    """Write what is stale, or with ``--check`` name it and end with status 1."""
    FOLDER.mkdir(exist_ok=True)
    texts = {FOLDER / f"{name}.md": text_of(entry) for name, entry in CATALOGUE.items()}
    texts[README] = readme_text()
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
    print(f"{len(CATALOGUE)} datasheets in {FOLDER.relative_to(ROOT)}, {len(stale)} files changed")


if __name__ == "__main__":
    main()
