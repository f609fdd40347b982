"""The texts that people write for masks mean what the golden model makes of their terms."""

from typing import Any

import numpy as np
import pytest

from sluice.catalogue import find_block
from sluice.masking import Alternative, Kind, Operation
from sluice_sim.golden.masking import mask_rows

SHAPE = (7, 9)
R, C = np.indices(SHAPE)
OWNER_R, OWNER_C = np.searchsorted([3, 7], R, "right"), np.searchsorted([3, 7], C, "right")
TEXTS = {
    "all": R >= 0,
    "none": R < 0,
    "lower": C <= R,
    "lower(-2)": C <= R - 2,
    "upper(1)": C >= R + 1,
    "band(3)": abs(R - C) < 3,
    "~band(1)": R != C,
    "columns(4)": C < 4,
    "rows(2)": R < 2,
    "padding(5, 6)": (R < 5) & (C < 6),
    "~padding(5, 6)": (R >= 5) | (C >= 6),
    "prefix(3)": (C < 3) | (C <= R),
    "~prefix(3)": (C >= 3) & (C > R),
    "lower(0) & columns(5)": (C <= R) & (C < 5),
    "rows(1) | upper(4)": (R < 1) | (C >= R + 4),
    "padding(5, 6) & lower": (R < 5) & (C < 6) & (C <= R),
    "segments": (OWNER_R == OWNER_C) & (R < 7) & (C < 7),
    "segments & lower": (OWNER_R == OWNER_C) & (R < 7) & (C < 7) & (C <= R),
}


def read(texts, **changes: Any) -> dict[str, int]:
    [settings] = find_block("masking").make(**changes).read_settings(texts, packets=SHAPE[0])
    return settings


@pytest.mark.parametrize("text", TEXTS)
def test_text(text):
    """The fields that a text is read into give the mask that it is written for."""
    settings = read({"mask": text, "segments": "3,4,0"}, terms=3, segments=3)
    terms = [
        {
            "kind": Kind(settings[f"terms[{k}].kind"]).name.lower(),
            "a": settings[f"terms[{k}].a"],
            "b": settings[f"terms[{k}].b"],
            "invert": bool(settings[f"terms[{k}].invert"]),
            "operation": Operation(settings[f"terms[{k}].operation"]).name.lower(),
        }
        for k in range(3)
    ]
    segments = [settings[f"segments[{k}]"] for k in range(3)]
    assert np.array_equal(mask_rows(SHAPE, terms, segments=segments), TEXTS[text])
    assert settings["rows"] == SHAPE[0]


def test_value_chooses_itself():
    settings = read({"mask": "lower", "value": "-1"})
    assert settings["alternative"] == Alternative.VALUE
    assert settings["value"] == 0xBF80
    assert read({"alternative": "lowest"})["alternative"] == Alternative.LOWEST


@pytest.mark.parametrize(
    ("texts", "changes", "message"),
    [
        ({"mask": "band(2)"}, {"kinds": "lower,columns"}, "mask needs band, this circuit has"),
        ({"mask": "external"}, {}, "mask needs external"),
        ({"mask": "segments"}, {}, "mask needs segments"),
        ({"mask": "lower & rows(1) & columns(1)"}, {}, "needs 3 terms"),
        ({"mask": "triangle"}, {}, "no mask 'triangle'"),
        ({"alternative": "big"}, {}, "alternative must be one of"),
        ({"segments": "1,2"}, {"segments": 1}, "segments has 2 lengths"),
    ],
)
def test_bad_text(texts, changes, message):
    with pytest.raises(ValueError, match=message):
        read(texts, **changes)


@pytest.mark.parametrize("kinds", ["lower,,upper", "lower,lower", "external", "Lower"])
def test_bad_kinds(kinds):
    with pytest.raises(ValueError, match="kinds"):
        find_block("masking").make(kinds=kinds)


def test_kinds_in_normal_form():
    block: Any = find_block("masking").make(kinds="columns, lower")
    assert block.kinds == "lower,columns"
    assert find_block("masking").parse({"kinds": ""}) == {"kinds": ""}
