"""The payload and the handshake: the only place where ``ready`` and ``valid`` are made."""

from sluice.stream.arbiter import Arbiter
from sluice.stream.axi_stream import (
    AxiStreamMaster,
    AxiStreamSlave,
    axi_stream_members,
    element_bytes,
)
from sluice.stream.beat import Beat, Payload, beat_signature, run_of
from sluice.stream.demux import Demux
from sluice.stream.fifo import Fifo
from sluice.stream.fork import Fork
from sluice.stream.join import Join, join, uneven
from sluice.stream.narrow import Narrow
from sluice.stream.packet_counter import PacketCounter
from sluice.stream.packet_splitter import PacketSplitter
from sluice.stream.pipeline import Pipeline
from sluice.stream.register_slice import RegisterSlice
from sluice.stream.repack import Repack
from sluice.stream.settings import enter_with_settings, sample_settings
from sluice.stream.skid_buffer import SkidBuffer
from sluice.stream.widen import Widen

__all__ = [
    "Arbiter",
    "AxiStreamMaster",
    "AxiStreamSlave",
    "Beat",
    "Demux",
    "Fifo",
    "Fork",
    "Join",
    "Narrow",
    "PacketCounter",
    "PacketSplitter",
    "Payload",
    "Pipeline",
    "RegisterSlice",
    "Repack",
    "SkidBuffer",
    "Widen",
    "axi_stream_members",
    "beat_signature",
    "element_bytes",
    "enter_with_settings",
    "join",
    "run_of",
    "sample_settings",
    "uneven",
]
