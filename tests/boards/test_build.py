"""Bitstreams of both boards: timing met, a picture, and a clear line where a block does not fit."""

import json

import pytest

from sluice.catalogue import RequestError, find_block
from sluice_boards.build import build_bitstream
from sluice_boards.targets import BOARDS, find_board


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("block", ["masking", "rounding"])
def test_bitstream(block, board, tmp_path):
    target, entry = find_board(board), find_block(block)
    result = build_bitstream(entry, entry.make(target.preset(block)), target, tmp_path)
    assert result["fmax_mhz"] >= result["clock_mhz"] == target.clock_mhz
    assert (tmp_path / result["bitstream"]).stat().st_size > 10_000
    assert json.loads((tmp_path / "build.json").read_text()) == result
    assert {p.name for p in tmp_path.iterdir()} == {result["bitstream"], "build.json", "report.png"}


@pytest.mark.slow
def test_too_large(tmp_path):
    entry = find_block("fifo")
    with pytest.raises(
        RequestError, match="does not fit icebreaker, which has too few ICESTORM_RAM: choose"
    ):
        build_bitstream(entry, entry.make(), find_board("icebreaker"), tmp_path)


@pytest.mark.parametrize("name", BOARDS)
def test_board_is_one_short_file(name):
    """Every preset that a board names exists, and its clock is the one that it says."""
    board = BOARDS[name]
    for block, preset in board.presets.items():
        assert preset in find_block(block).presets
    assert board.make_platform().default_clk
    assert board.clock_mhz * 1e6 / board.baud >= 8
