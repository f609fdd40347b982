"""Push and pull side by side, so that neither waits for the other for ever."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Exchange", "Peer"]

ALL = 0xFFFF
# Silence, in seconds, after which a stream that may give anything is thought to give no more.
QUIET = 0.5


class Peer(Protocol):
    """What an exchange needs of a client."""

    identity: Any

    def try_configure(self, bits: int) -> bool: ...
    def try_push(self, stream: int, beats: Sequence[int]) -> bool: ...
    def push_limit(self, stream: int) -> int: ...
    def pull(self, stream: int, most: int) -> list[int]: ...


class Gathered:
    """What came of one output stream.

    Parameters
    ----------
    last : int
        Bit of a payload that ends a packet.
    packets : int or None
        To gather; with ``None`` there is no end.

    Attributes
    ----------
    end : int or None
        Beats of the packets to gather, once they are all there.
    """

    def __init__(self, last: int, packets: int | None):
        self.last, self.left = last, packets
        self.beats: list[int] = []
        self.end = 0 if packets == 0 else None

    def add(self, beats: Sequence[int]) -> None:
        """Take what came."""
        if self.left is not None and self.end is None:
            for n, beat in enumerate(beats, len(self.beats) + 1):
                self.left -= beat >> self.last
                if not self.left:
                    self.end = n
                    break
        self.beats += beats


class Exchange:
    """Moves beats between a host and a device.

    Parameters
    ----------
    peer : Peer
    patience : float, seconds
        Without a beat in either direction, after which the exchange gives up.
    """

    def __init__(self, peer: Peer, patience: float):
        self.peer, self.patience = peer, patience
        self.config: int | None = None
        self.chunk: dict[int, int] = {}
        self.kept: dict[int, list[int]] = {}

    def run(
        self,
        inputs: Mapping[int, Sequence[tuple[int, int | None]]],
        packets: Mapping[int, int | None],
        progress: Callable[[int, int], None],
    ) -> dict[int, list[int]]:
        """Do one exchange; see :meth:`sluice.link.Client.exchange`.

        Raises
        ------
        TimeoutError
            If nothing moves any more; says how far it came.
        """
        total = sum(map(len, inputs.values()))
        sent = dict.fromkeys(inputs, 0)
        got: dict[int, Gathered] = {}
        for k, count in packets.items():
            got[k] = Gathered(self.peer.identity.outputs[k].bits - 1, count)
            got[k].add(self.kept.get(k, ()))
        moved_at = time.monotonic()
        while True:
            moved = False
            for k, beats in inputs.items():
                count = self._push(k, beats, sent[k])
                sent[k] += count
                moved |= count > 0
            if moved:
                progress(sum(sent.values()), total)
            for k, stream in got.items():
                if stream.end is None:
                    came = self.peer.pull(k, ALL)
                    stream.add(came)
                    moved |= bool(came)
            still = time.monotonic() - moved_at
            if moved:
                moved_at = time.monotonic()
            all_sent = sum(sent.values()) == total
            missing = [k for k, s in got.items() if s.end is None and s.left is not None]
            if all_sent and not missing:
                endless = any(stream.end is None for stream in got.values())
                if not endless or (not moved and still > QUIET):
                    break
            elif not moved and still > self.patience:
                raise TimeoutError(
                    f"nothing moves after {sum(sent.values())} of {total} beats in"
                    + "".join(f" and {len(got[k].beats)} of stream {k} out" for k in missing)
                )
        self.kept = {k: s.beats[s.end :] if s.end is not None else [] for k, s in got.items()}
        return {k: s.beats[: s.end] for k, s in got.items()}

    def _push(self, k: int, beats: Sequence[tuple[int, int | None]], at: int) -> int:
        """Push what may go under the settings that are, or change them; return beats pushed."""
        if at == len(beats):
            return 0
        wanted = beats[at][1]
        if wanted is not None and wanted != self.config:
            if not self.peer.try_configure(wanted):
                return 0
            self.config = wanted
        limit = self.peer.push_limit(k)
        chunk = self.chunk.get(k, limit)
        batch = [beats[at][0]]
        for payload, config in beats[at + 1 : at + chunk]:
            if config is not None and config != self.config:
                break
            batch.append(payload)
        if self.peer.try_push(k, batch):
            self.chunk[k] = min(limit, 2 * chunk)
            return len(batch)
        self.chunk[k] = max(1, len(batch) // 2)
        return 0
