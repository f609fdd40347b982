"""The compression blocks of the catalogue."""

from sluice.entry import Entry

__all__ = ["COMPRESSION"]

COMPRESSION: tuple[Entry, ...] = ()
