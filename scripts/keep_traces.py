"""What scripts that make reference traces have in common: the file that these are kept in."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["keep_traces"]


def keep_traces(doc: str | None, out: Path, make: Callable[[], Mapping[str, Any]]) -> None:
    """Write the arrays that ``make`` gives to ``out``, or where the command line says."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--out", type=Path, default=out, help="file to write")
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, allow_pickle=False, **make())
    print(f"{out}: {out.stat().st_size} bytes")
