"""Codewords in memories of two banks, of which one is loaded while the other is read."""

from collections.abc import Mapping
from typing import Any

from amaranth import Module, Signal, Value, unsigned
from amaranth.lib import stream

from sluice.compression.lut_tables import Table, TableLoader
from sluice.delay import delay
from sluice.params import parse_whole
from sluice.stream import Beat, sample_settings

__all__ = ["Codebook", "codebook_settings"]


class Codebook:
    """A codebook, and the wait of a packet that wants another one.

    Parameters
    ----------
    m : Module
    codebook : stream of Beat(element, lanes)
        A codeword per beat.
    i : stream
        Whose packets are made with it.
    config : view
        With a field ``fresh``.
    bits : int, >= 1
        Of an index.
    engines : int
        Codewords that are read at once, a power of two.

    Attributes
    ----------
    bits : int
        Of the number of a row of codewords, which are read at once.
    settings : view
        Of the packet under way.
    waits : Signal
        The beat on ``i`` must not be taken, as the codebook that it wants is not there.
    bank : Signal
        Of the codebook in use,
    changes : Signal
        which is in the other one from this beat on.
    wrong : Signal
        A packet of ``codebook`` was too short or too long, some cycles ago.
    """

    def __init__(
        self,
        m: Module,
        codebook: Any,
        *,
        i: Any,
        config: Any,
        bits: int,
        engines: int = 1,
    ):
        self.width = codebook.payload.shape().data_bits
        self.bank, self.changes, self.waits = Signal(name="bank"), Signal(), Signal()
        words = stream.Signature(Beat(unsigned(self.width), 1)).create()
        m.d.comb += [
            words.valid.eq(codebook.valid),
            codebook.ready.eq(words.ready),
            words.payload.data[0].eq(Value.cast(codebook.payload.data)),
            # What is not whole is no codeword.
            words.payload.keep.eq(codebook.payload.keep.all()),
            words.payload.last.eq(codebook.payload.last),
        ]
        taken, moves, first = Signal(), Signal(), Signal(init=1)
        loader = TableLoader(m, words, (1 << bits,), taken=taken)
        self.wrong = loader.wrong
        self.settings = sample_settings(m, config, i)
        m.d.comb += [
            self.changes.eq(first & self.settings.fresh),
            self.waits.eq(self.changes & ~loader.full),
            moves.eq(i.valid & i.ready),
            taken.eq(moves & self.changes),
        ]
        with m.If(moves):
            m.d.sync += first.eq(i.payload.last)
        m.d.sync += self.bank.eq(self.bank ^ taken)
        # Codewords are dealt out, so that those that are read at once follow each other.
        low = engines.bit_length() - 1
        self.bits = bits - low
        self.tables = [
            Table(m, f"codewords_{e}", width=self.width, bits=self.bits) for e in range(engines)
        ]
        word, row = delay(m, "word", loader.word, 1), delay(m, "word_row", loader.at[low:], 1)
        for e, table in enumerate(self.tables):
            mine = loader.writes[0] & (loader.at[:low] == e)
            table.write(delay(m, f"writes_{e}", mine, 1, reset=True), ~self.bank, row, word)

    def read(self, bank: Value, at: Value) -> list[Value]:
        """Return the codewords of two cycles ago; those of row ``at``."""
        return [table.read(bank, at[: self.bits]) for table in self.tables]


def codebook_settings(texts: Mapping[str, str]) -> list[dict[str, int]]:
    """Return what :meth:`sluice.block.Block.read_settings` does, of a block with ``fresh``.

    An empty packet takes the codebook, and all others are made with it, unless it is said that
    there is one for ``each``.
    """
    given = {name: text for name, text in texts.items() if name != "fresh"}
    fields = {name: parse_whole(name, text) for name, text in given.items()}
    text = texts.get("fresh", "true")
    if text == "each":
        return [fields | {"fresh": 1}]
    try:
        fresh = parse_whole("fresh", text)
    except ValueError:
        raise ValueError(f"fresh must be true, false or each, not {text!r}") from None
    ahead = [fields | {"fresh": fresh}] if fresh else []
    return [*ahead, fields | {"fresh": 0}]
