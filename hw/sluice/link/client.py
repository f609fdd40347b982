"""The host's side of the link."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from sluice.catalogue import RequestError
from sluice.link.carrier import COUNT_BITS
from sluice.link.exchange import Exchange
from sluice.link.framing import pack_frame, unpack_frame
from sluice.link.protocol import ANSWER, VERSION, Code, Identity, Op, bytes_of

__all__ = ["Client", "LinkError", "Status"]

# Silence, in seconds, after which nothing more of an earlier answer is on its way.
SILENCE = 0.03


class LinkError(RuntimeError):
    """The device cannot be worked with: one line that names the port and the remedy."""


@dataclass(frozen=True)
class Status:
    """What a device says of its state.

    Attributes
    ----------
    bits : int
        The block's outputs beside its streams.
    inputs, outputs : tuple of int
        Beats that entered and left the block, per stream, modulo 2**32.
    answers : mapping of Code to int
        How often each was answered, up to 65535; repeated answers count once.
    """

    bits: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    answers: Mapping[Code, int]


class Client:
    """Talk to a block behind a :class:`sluice.link.HostLink`; a context manager.

    Parameters
    ----------
    port : str
        Of a board, or of a simulated device.
    baud : int
        Bits per second; a simulated device ignores it.
    timeout : float, seconds
        For one answer, and for a block that gives nothing.
    digest : bytes, optional
        What the block must be, see :func:`sluice.link.digest_of`.
    retries : int
        How often an unanswered or damaged request is sent again.

    Attributes
    ----------
    identity : Identity
        What the device said of itself when the context was entered.

    Raises
    ------
    LinkError
        By every method, when the device does not answer, is another one or refuses.
    RequestError
        On entry, if there is no such port.
    """

    identity: Identity

    def __init__(
        self,
        port: str,
        *,
        baud: int = 115200,
        timeout: float = 1.0,
        digest: bytes | None = None,
        retries: int = 4,
    ):
        self.port, self.baud, self.timeout = port, baud, timeout
        self.digest, self.retries = digest, retries
        self._wire: Any = None
        self._seq = os.urandom(1)[0]
        self._came = bytearray()
        self._exchange: Exchange | None = None

    def __enter__(self) -> "Client":
        self._wire = self._open()
        try:
            self.identify()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the port; harmless when it is closed."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _open(self) -> Any:
        try:
            import serial
        except ImportError as e:
            raise RequestError(f"{self.port} needs pyserial: pip install 'sluice[boards]'") from e
        try:
            return serial.Serial(
                self.port, self.baud, timeout=self.timeout, write_timeout=max(5.0, self.timeout)
            )
        except (OSError, ValueError) as e:
            why = getattr(e, "strerror", None) or e
            raise RequestError(f"cannot open {self.port}: {why}; check name and rights") from e

    def identify(self) -> Identity:
        """Ask what the device is, and begin to count requests."""
        payload = self._request(Op.IDENTIFY)
        try:
            self.identity = Identity.unpack(payload)
        except ValueError as e:
            raise LinkError(
                f"{self.port}: the device does not speak version {VERSION} of the link; "
                "build and load it again"
            ) from e
        if self.digest is not None and self.digest != self.identity.digest:
            raise LinkError(
                f"{self.port}: the device carries another block or other parameters "
                f"({self.identity.digest.hex()}, expected {self.digest.hex()}); "
                "build and load the one that is asked for"
            )
        return self.identity

    def configure(self, bits: int) -> None:
        """Give the settings, once the block has taken all that was pushed before."""
        self._patiently("settings", lambda: self.try_configure(bits))

    def push(self, stream: int, beats: Sequence[int]) -> None:
        """Push all ``beats``, in as many requests as it takes."""
        rest = list(beats)
        chunk = self.push_limit(stream)
        while rest:
            chunk = min(chunk, len(rest))

            def attempt(chunk: int = chunk) -> bool:
                return self.try_push(stream, rest[:chunk])

            if chunk > 1 and not attempt():
                chunk //= 2
                continue
            if chunk == 1:
                self._patiently(f"beats on stream {stream}", attempt)
            del rest[:chunk]

    def pull(self, stream: int, most: int) -> list[int]:
        """Return up to ``most`` beats that are there, in one request."""
        request = bytes([stream]) + min(most, 0xFFFF).to_bytes(2, "little")
        payload = self._request(Op.PULL, request)
        size = self.identity.outputs[stream].beat_bytes
        return [
            int.from_bytes(payload[k : k + size], "little") for k in range(0, len(payload), size)
        ]

    def status(self) -> Status:
        """Return the block's status and the counters."""
        payload = self._request(Op.STATUS)
        sizes = [bytes_of(self.identity.status_bits)]
        streams = len(self.identity.inputs) + len(self.identity.outputs)
        sizes += [COUNT_BITS // 8] * streams + [2] * len(Code)
        values, at = [], 0
        for size in sizes:
            values.append(int.from_bytes(payload[at : at + size], "little"))
            at += size
        split = 1 + len(self.identity.inputs)
        return Status(
            values[0],
            tuple(values[1:split]),
            tuple(values[split : 1 + streams]),
            dict(zip(Code, values[1 + streams :], strict=True)),
        )

    def reset(self) -> None:
        """Reset the block, its queues, settings and counters."""
        self._request(Op.RESET)
        self._exchange = None

    def exchange(
        self,
        inputs: Mapping[int, Sequence[tuple[int, int | None]]],
        packets: Mapping[int, int | None],
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> dict[int, list[int]]:
        """Push ``inputs`` and pull until each output stream gave its number of packets.

        Parameters
        ----------
        inputs : mapping of stream number to beats
            A beat is its payload and the settings it needs; ``None`` keeps those that are.
        packets : mapping of stream number to packets
            The top bit of a payload ends a packet. With ``None`` the stream is pulled until
            nothing has moved for half a second.
        progress : callable
            Called with the beats that have been pushed, and how many there are.

        Returns
        -------
        dict of stream number to payloads
            What comes after the last packet asked for is kept for the next exchange.
        """
        self._exchange = self._exchange or Exchange(self, self.timeout)
        try:
            return self._exchange.run(inputs, packets, progress)
        except TimeoutError as e:
            raise LinkError(f"{self.port}: {e}; check the packets, or reset the device") from e

    def try_configure(self, bits: int) -> bool:
        """Give the settings if the device takes them at once; return whether it did."""
        size = bytes_of(self.identity.config_bits)
        return self._taken(Op.CONFIGURE, bits.to_bytes(size, "little"))

    def try_push(self, stream: int, beats: Sequence[int]) -> bool:
        """Push ``beats`` in one request if there is room for all; return whether there was."""
        size = self.identity.inputs[stream].beat_bytes
        payload = bytes([stream]) + b"".join(beat.to_bytes(size, "little") for beat in beats)
        return self._taken(Op.PUSH, payload)

    def push_limit(self, stream: int) -> int:
        """Return how many beats one request can carry and an empty queue can take."""
        facts = self.identity.inputs[stream]
        return min(facts.depth, (self.identity.largest_payload - 1) // facts.beat_bytes)

    def _patiently(self, what: str, attempt: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.timeout
        while not attempt():
            if time.monotonic() > deadline:
                raise LinkError(
                    f"{self.port}: the block takes no {what}; pull its outputs, or reset it"
                )

    def _taken(self, op: Op, payload: bytes) -> bool:
        code, _ = self._ask(op, payload)
        if code not in (Code.OK, Code.BUSY):
            raise LinkError(self._refusal(op, code))
        return code == Code.OK

    def _request(self, op: Op, payload: bytes = b"") -> bytes:
        code, answer = self._ask(op, payload)
        if code != Code.OK:
            raise LinkError(self._refusal(op, code))
        return answer

    def _refusal(self, op: Op, code: int) -> str:
        name = Code(code).name if code in list(Code) else str(code)
        remedy = "open the port again" if code == Code.SEQUENCE else "update host or device"
        return f"{self.port}: the device refused {op.name} ({name}); {remedy}"

    def _ask(self, op: Op, payload: bytes) -> tuple[int, bytes]:
        """Send one request until it is answered; return the answer's code and payload."""
        if self._wire is None:
            raise LinkError(f"{self.port}: is not open; use the client in a with statement")
        seq = (self._seq + 1) & 0xFF
        request = pack_frame(bytes([op, seq]) + payload)
        try:
            for attempt in range(self.retries + 1):
                if attempt or op == Op.IDENTIFY:
                    self._silence()
                    self._wire.write(b"\0\0")
                self._wire.write(request)
                answer = self._answer(op, seq)
                if answer is not None:
                    self._seq = seq
                    return answer[2], answer[3:]
        except OSError as e:
            raise LinkError(f"{self.port}: was lost ({e}); connect it and try again") from e
        raise LinkError(
            f"{self.port}: no answer to {op.name} in {self.retries + 1} attempts; "
            "check port, baud rate and whether the device is loaded"
        )

    def _answer(self, op: Op, seq: int) -> bytes | None:
        """Return the answer to this request, or ``None`` if it must be sent again."""
        deadline = time.monotonic() + self.timeout
        while (stuffed := self._frame(deadline)) is not None:
            if not stuffed:
                continue
            content = unpack_frame(stuffed)
            if content is None or len(content) < 3 or content[0] == ANSWER:
                return None
            if content[0] == op | ANSWER and content[1] == seq:
                return content
        return None

    def _frame(self, deadline: float) -> bytes | None:
        while b"\0" not in self._came:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._wire.timeout = left
            self._came += self._wire.read(max(1, self._wire.in_waiting))
        stuffed, _, rest = bytes(self._came).partition(b"\0")
        self._came = bytearray(rest)
        return stuffed

    def _silence(self) -> None:
        """Forget what has come, and wait for the end of what is coming."""
        self._wire.timeout = SILENCE
        deadline = time.monotonic() + self.timeout
        while self._wire.read(4096) and time.monotonic() < deadline:
            pass
        self._came.clear()
