"""AXI4-Stream ports of every block: each stream has its own."""

import pytest

from sluice.axis import axis_name
from sluice.catalogue import CATALOGUE
from sluice.export import streams_of


@pytest.mark.parametrize("name", CATALOGUE)
def test_streams_have_names_of_their_own(name):
    streams = [*streams_of(CATALOGUE[name].make())]
    names = [axis_name(s.name, is_input=s.is_input) for s in streams]
    assert len(set(names)) == len(streams)


@pytest.mark.parametrize(
    ("stream", "is_input", "name"),
    [
        ("i", True, "s_axis"),
        ("o", False, "m_axis"),
        ("o_m", False, "m_axis_m"),
        ("i__3", True, "s_axis_3"),
        ("report", False, "m_axis_report"),
        ("a", True, "s_axis_a"),
    ],
)
def test_names(stream, is_input, name):
    assert axis_name(stream, is_input=is_input) == name
