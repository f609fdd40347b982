"""Every board by name: one file a board, one line here."""

import difflib

from sluice.catalogue import RequestError
from sluice_boards.board import Board
from sluice_boards.targets import icebreaker, ulx3s_85f

__all__ = ["BOARDS", "find_board"]

BOARDS: dict[str, Board] = {board.name: board for board in (ulx3s_85f.BOARD, icebreaker.BOARD)}


def find_board(name: str) -> Board:
    """Return the board called ``name``, or raise :class:`RequestError` with the near misses."""
    if name not in BOARDS:
        near = difflib.get_close_matches(name.lower().replace("_", "-"), BOARDS, 1)
        hint = f" did you mean {near[0]}?" if near else ""
        raise RequestError(f"no board {name!r};{hint} there are {' '.join(BOARDS)}")
    return BOARDS[name]
