"""Commands of the matrix-product engine, and what keeps them apart."""

import enum
from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Dispatcher", "Kind", "command_layout", "encode_command", "operand_layout"]


class Kind(enum.IntEnum):
    """What a command does."""

    LOAD_A = 0
    LOAD_B = 1
    LOAD_MAP = 2
    MULTIPLY = 3


def operand_layout(count_bits: int) -> data.StructLayout:
    """Return the layout of an operand.

    ``block`` is where it begins; ``along`` the blocks to the next ones along the inner dimension,
    ``across`` those to the next ones along the other; ``columns`` says that the vectors along the
    inner dimension are columns of its blocks, not rows. All modulo ``2**count_bits``.
    """
    return data.StructLayout(
        {"block": count_bits, "along": count_bits, "across": count_bits, "columns": 1}
    )


def command_layout(count_bits: int) -> data.StructLayout:
    """Return the layout of a command.

    Parameters
    ----------
    count_bits : int
        Of counts and block addresses.

    Members
    -------
    kind : 2
        See :class:`Kind`.
    after_loads : 1
        It begins when all loads before it have ended.
    after_multiplies : 1
        It begins when all multiplications before it have read their operands. The last one but one
        has in any case, when the last one begins.
    a, b : operand
        A load uses ``block`` and ``across`` of ``a``, whatever it loads.
    vectors : count_bits
        Rows of the result, or packets of a load.
    tiles_k, tiles_n : count_bits
        Tiles of ``b`` along the inner dimension and across it.
    last_k, last_n : 8
        The last row and column that are in use of the last ones.
    sums : count_bits
        ``vectors * tiles_n``.
    map : count_bits
        The entry of the first pass, where a load of them begins.
    sparse : 1
        ``b`` has rows with a tag in each column, and every tile an entry of the map.
    accumulate, hold : 1
        Sums begin with those that are held; they are held, and do not leave.
    mode, saturate : 2, 1
        Settings of the rounding unit.
    """
    counts = dict.fromkeys(("vectors", "tiles_k", "tiles_n", "sums", "map"), count_bits)
    return data.StructLayout(
        {
            "kind": 2,
            "after_loads": 1,
            "after_multiplies": 1,
            "a": operand_layout(count_bits),
            "b": operand_layout(count_bits),
            **counts,
            "last_k": 8,
            "last_n": 8,
            "sparse": 1,
            "accumulate": 1,
            "hold": 1,
            "mode": 2,
            "saturate": 1,
        }
    )


def encode_command(count_bits: int, **fields: Any) -> int:
    """Return the payload of a command; fields that are not given are zero."""
    layout: Any = command_layout(count_bits)
    return layout.const(fields).as_value().value


class Dispatcher(wiring.Component):
    """Give commands to those who carry them out, in order, each when what it waits for is done.

    Members
    -------
    i : In(stream.Signature(command_layout(count_bits)))
    o : Out(stream.Signature(command_layout(count_bits))), one per :class:`Kind`
    loaded : In(3)
        A load has ended, by :class:`Kind`.
    multiplied : In(1)
        A multiplication has ended.
    """

    i: stream.Interface
    o: Any
    loaded: Signal
    multiplied: Signal

    def __init__(self, *, count_bits: int):
        commands = stream.Signature(command_layout(count_bits))
        super().__init__(
            {
                "i": In(commands),
                "o": Out(commands).array(len(Kind)),
                "loaded": In(3),
                "multiplied": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command = self.i.payload
        # Under way, by kind: of each there is one at most.
        pending, sent = Signal(len(Kind)), Signal(len(Kind))
        loads, multiplies = pending[: Kind.MULTIPLY].any(), pending[Kind.MULTIPLY]
        # What was true a cycle ago holds for a command that has waited for it, since only
        # commands that leave from here can make it untrue.
        may, known = Signal(), Signal()
        m.d.sync += [
            may.eq(~(command.after_loads & loads | command.after_multiplies & multiplies)),
            known.eq(self.i.valid & ~self.i.ready),
            pending.eq(pending & ~Cat(self.loaded, self.multiplied) | sent),
        ]
        for kind in Kind:
            o = self.o[kind]
            m.d.comb += [
                o.payload.eq(command),
                o.valid.eq(self.i.valid & known & may & (command.kind == kind)),
                sent[kind].eq(o.valid & o.ready),
            ]
        m.d.comb += self.i.ready.eq(sent.any())
        return m
