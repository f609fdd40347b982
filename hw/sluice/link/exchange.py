"""Push and pull side by side, so that neither waits for the other for ever."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Exchange", "Peer"]

ALL = 0xFFFF


class Peer(Protocol):
    """What an exchange needs of a client."""

    identity: Any

    def try_configure(self, bits: int) -> bool: ...
    def try_push(self, stream: int, beats: Sequence[int]) -> bool: ...
    def push_limit(self, stream: int) -> int: ...
    def pull(self, stream: int, most: int) -> list[int]: ...


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
        packets: Mapping[int, int],
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
        got = {k: list(self.kept.get(k, ())) for k in packets}
        ends = {k: self._ends(k, got[k], packets[k]) for k in packets}
        moved_at = time.monotonic()
        while any(end is None for end in ends.values()) or sum(sent.values()) < total:
            moved = False
            for k, beats in inputs.items():
                count = self._push(k, beats, sent[k])
                sent[k] += count
                moved |= count > 0
            if moved:
                progress(sum(sent.values()), total)
            for k, end in ends.items():
                if end is None:
                    came = self.peer.pull(k, ALL)
                    got[k] += came
                    moved |= bool(came)
                    ends[k] = self._ends(k, got[k], packets[k]) if came else None
            if moved:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > self.patience:
                missing = ", ".join(
                    f"{len(got[k])} beats of stream {k}" for k, end in ends.items() if end is None
                )
                raise TimeoutError(
                    f"nothing moves after {sum(sent.values())} of {total} beats in"
                    + (f" and only {missing} out" if missing else "")
                )
        for k, end in ends.items():
            assert end is not None
            self.kept[k] = got[k][end:]
            got[k] = got[k][:end]
        return got

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

    def _ends(self, k: int, beats: Sequence[int], packets: int) -> int | None:
        """Return how many of ``beats`` hold the first ``packets`` packets, or ``None``."""
        last = self.peer.identity.outputs[k].bits - 1
        for n, beat in enumerate(beats):
            if packets == 0:
                return n
            packets -= beat >> last
        return None if packets else len(beats)
