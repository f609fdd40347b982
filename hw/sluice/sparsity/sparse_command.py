"""Commands of the product of a sparse matrix and a dense one."""

from typing import Any

from amaranth.lib import data

__all__ = ["command_layout", "encode_command"]


def command_layout(count_bits: int) -> data.StructLayout:
    """Return the layout of a command: a part of a product that fits into the memories.

    Parameters
    ----------
    count_bits : int
        Of a number of rows.

    Members
    -------
    transpose : 1
        Sums are those of the columns of the sparse matrix, not of its rows.
    hold : 1
        Sums stay where they are, and the next command adds to them.
    slices : 4
        Beats of a row of the dense matrix, as a power of two: the exponent.
    beats, lanes : 8
        How many of these count, less one; and how many lanes of the last one, less one.
    a_rows : count_bits
        Rows of the sparse matrix, 1 or more.
    d_rows : count_bits
        Rows of the dense matrix that are loaded first; with none those that lie there are used.
    o_rows : count_bits
        Rows of sums, 1 or more.
    """
    counts = dict.fromkeys(("a_rows", "d_rows", "o_rows"), count_bits)
    return data.StructLayout(
        {"transpose": 1, "hold": 1, "slices": 4, "beats": 8, "lanes": 8, **counts}
    )


def encode_command(count_bits: int, **fields: int) -> int:
    """Return the payload of a command; fields that are not given are zero."""
    layout: Any = command_layout(count_bits)
    return layout.const(fields).as_value().value
