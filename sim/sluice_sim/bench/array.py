"""Making arrays for benches."""

from typing import Any

from sluice.array import SystolicArray, make_mac
from sluice.formats import FORMATS

__all__ = ["make_array"]


def make_array(
    *,
    operand: str,
    total: str,
    rows: int,
    columns: int,
    stages: int,
    flush: bool = False,
    group: int = 1,
    gating: bool = False,
) -> Any:
    """Return an array of the formats called ``operand`` and ``total``."""
    mac = make_mac(FORMATS[operand], FORMATS[total], stages=stages, flush=flush)
    return SystolicArray(rows=rows, columns=columns, mac=mac, group=group, gating=gating)
