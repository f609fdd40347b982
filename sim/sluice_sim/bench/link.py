"""Requests for a host link: good ones, and every kind of damage that a line can do."""

import random
from collections.abc import Sequence

from sluice.link import HostLink
from sluice.stream import Demux
from sluice_sim.golden.link import LinkModel, encode, frame

__all__ = ["FUZZED", "DemuxModel", "Fuzzer", "fuzzed_link", "model_of"]

# Small, so that queues fill up and frames are soon too long.
FUZZED = {"queue_depth": 5, "frame_bytes": 64}
SHAPE, OUTPUTS = "int4x2", 3


def fuzzed_link() -> HostLink:
    """Return a link to a block with settings, status and several outputs."""
    return HostLink(Demux(shape=SHAPE, outputs=OUTPUTS), **FUZZED)


class DemuxModel:
    """Each packet goes to the output that the settings name at its first beat."""

    def __init__(self, outputs: int, last: int):
        self.outputs, self.last = outputs, last
        self.reset()

    def reset(self) -> None:
        self.status, self.unfinished, self.select = 0, False, 0

    def take(self, config: int, beat: int, room: Sequence[int]) -> int | None:
        select = self.select if self.unfinished else config
        if select < self.outputs and not room[select]:
            return None
        self.select, self.unfinished = select, not beat >> self.last & 1
        self.status |= select >= self.outputs
        return min(select, self.outputs)


def model_of(link: HostLink) -> LinkModel:
    """Return the golden model of :func:`fuzzed_link`."""
    facts = link.identity.inputs[0]
    return LinkModel(
        DemuxModel(OUTPUTS, facts.bits - 1),
        identity=link.identity.pack(),
        frame_bytes=link.frame_bytes,
        depth=facts.depth,
        bits=facts.bits,
        outputs=OUTPUTS,
        config_bits=link.identity.config_bits,
        status_bits=link.identity.status_bits,
    )


class Fuzzer:
    """Makes bytes for a link, and says with the golden model what it must answer.

    Attributes
    ----------
    seen : dict of code to int
        How often each was answered, so that a run can show that it met them all.
    """

    def __init__(self, model: LinkModel, seed: int):
        self.model, self.rng = model, random.Random(seed)
        self.pending = b""
        self.seen: dict[int, int] = {}

    def next(self) -> tuple[bytes, bytes]:
        """Return bytes to send, and the bytes that must come back."""
        sent = self.damaged(self.request())
        *frames, self.pending = (self.pending + sent).split(b"\0")
        answers = [a for f in frames if (a := self.model.receive(f)) is not None]
        for answer in answers:
            self.seen[answer[2]] = self.seen.get(answer[2], 0) + 1
        return sent, b"".join(map(frame, answers))

    def request(self) -> bytes:
        """Return the content of a request, more often than not one that is in order."""
        rng, size = self.rng, self.model.size
        seq = ((self.model.last_seq or 0) + 1) % 256
        if rng.random() < 0.08:
            seq = rng.choice([seq - 1, seq - 2, seq + 1, rng.randrange(256)]) % 256
        op = rng.choices(range(1, 7), [2, 8, 16, 16, 3, 0.4])[0]
        payload = b""
        if op == 2:
            payload = rng.randbytes(1)
        elif op == 3:
            beats = rng.choices(range(8), [1, 4, 4, 4, 2, 2, 1, 1])[0]
            payload = bytes(1) + rng.randbytes(beats * size)
        elif op == 4:
            most = rng.choice([0, 1, 2, 5, 0xFFFF])
            payload = bytes([rng.randrange(self.model.outputs)]) + most.to_bytes(2, "little")
        if rng.random() < 0.04:
            op = rng.choice([0, 7, 8, 0x80, 0x83, rng.randrange(256)])
        if rng.random() < 0.04:
            payload = rng.randbytes(rng.randrange(8)) + payload[rng.randrange(2) :]
        if rng.random() < 0.03:
            # At the largest frame, and one byte past it.
            payload = bytes(1) + rng.randbytes(self.model.frame_bytes - rng.choice([6, 7, 8]))
        return bytes([op, seq]) + payload

    def damaged(self, content: bytes) -> bytes:
        """Return the frame of ``content`` as it comes out of a bad line."""
        rng = self.rng
        sent = bytearray(frame(content))
        kind = rng.random()
        if kind < 0.03:
            sent[rng.randrange(len(sent))] ^= 1 << rng.randrange(8)
        elif kind < 0.05:
            del sent[rng.randrange(len(sent))]
        elif kind < 0.07:
            sent.insert(rng.randrange(len(sent)), rng.randrange(256))
        elif kind < 0.09:
            sent = sent[: rng.randrange(len(sent))] + b"\0"
        elif kind < 0.11:
            sent = bytearray(rng.randbytes(rng.randrange(1, 12)))
        elif kind < 0.12:
            sent = bytearray(rng.randbytes(rng.randrange(100, 400)))
        elif kind < 0.14:
            sent += bytes(rng.randrange(1, 5))
        elif kind < 0.15:
            sent = bytearray(encode(content))
        elif kind < 0.16:
            sent = bytearray(encode(rng.randbytes(rng.randrange(8))))
        elif kind < 0.19:
            sent = sent * 2
        return bytes(sent)

    def recovery(self) -> tuple[bytes, bytes]:
        """Return what brings the line to order after anything, and the bytes that come back."""
        sent = b"\0\0" + frame(bytes([1, self.rng.randrange(256)]))
        *frames, self.pending = (self.pending + sent).split(b"\0")
        answers = [a for f in frames if (a := self.model.receive(f)) is not None]
        return sent, b"".join(map(frame, answers))
