"""A byte link between a host and a block on a board or in a simulator."""

from sluice.link.client import Client, LinkError
from sluice.link.cobs import CobsDecoder, CobsEncoder
from sluice.link.host_link import HostLink
from sluice.link.protocol import Code, Identity, Op, StreamFacts, digest_of
from sluice.link.top import LinkTop
from sluice.link.uart import Uart

__all__ = [
    "Client",
    "CobsDecoder",
    "CobsEncoder",
    "Code",
    "HostLink",
    "Identity",
    "LinkError",
    "LinkTop",
    "Op",
    "StreamFacts",
    "Uart",
    "digest_of",
]
