"""Drivers and monitors of a stream for cocotb; Verilog names are ``<port>__<member>``."""

import itertools
import random
from collections.abc import Callable, Iterable, Sequence

from cocotb.clock import Clock
from cocotb.handle import LogicObject
from cocotb.triggers import RisingEdge

from sluice_sim.bench.spec import Word

__all__ = ["StreamPort", "attend", "start_clock_and_reset"]


async def start_clock_and_reset(dut, *, cycles: int = 2) -> None:
    """Start a 10 ns clock and hold ``rst`` for ``cycles`` edges."""
    dut.rst.value = 1
    # Low first: this clock rises at once, and what else is driven now comes a little later.
    Clock(dut.clk, 10, unit="ns", impl="gpi").start(start_high=False)
    for _ in range(cycles):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


async def attend(ports: Sequence["StreamPort"], reset: LogicObject) -> None:
    """Look at all ``ports`` at every clock edge, for ever.

    One task for all of them: most of a simulation's time is spent on waking tasks up.
    """
    for edge in itertools.count():
        await RisingEdge(ports[0].clk)
        in_reset = bool(reset.value)
        for port in ports:
            port.look(edge, in_reset=in_reset)


class StreamPort:
    """One stream of the design: ``send`` or ``receive`` words, with random stalls.

    ``active`` is the chance, per cycle, that valid (``send``) or ready (``receive``) is offered.
    A stream whose members are those of AXI4-Stream (``name`` ends in ``axis``) is driven by the
    same code: its payload is ``tdata``, ``tkeep`` and ``tlast``, from the low bits up.

    Attributes
    ----------
    moved : list of int
        Clock edges of all transfers, counted by :func:`attend`.
    words : list of int
        Payloads that the design sent.
    """

    def __init__(
        self, dut, name: str, *, rng: random.Random, active: float = 1.0, sends: bool = False
    ):
        self.clk, self.rng, self.active, self.name, self.sends = dut.clk, rng, active, name, sends
        if name.endswith("axis"):
            names = [f"{name}_tdata", f"{name}_tkeep", f"{name}_tlast"]
            self.valid = getattr(dut, f"{name}_tvalid")
            self.ready = getattr(dut, f"{name}_tready")
        else:
            names = [f"{name}__payload"]
            self.valid = getattr(dut, f"{name}__valid")
            self.ready = getattr(dut, f"{name}__ready")
        self.fields = [getattr(dut, n) for n in names]
        self.widths = [1 if isinstance(f, LogicObject) else len(f) for f in self.fields]
        self.shy = False
        # After so many beats a port that receives pauses once, for so many cycles.
        self.pause: tuple[int, int] | None = None
        self.moved: list[int] = []
        self.words: list[int] = []
        self.receives = False
        self._waits = 0
        self._held: int | None = None

    def drive(self, word: int) -> None:
        for field, width in zip(self.fields, self.widths, strict=True):
            field.value = word & ((1 << width) - 1)
            word >>= width

    def sample(self) -> int:
        """Return the payload as it stands."""
        word, shift = 0, 0
        for field, width in zip(self.fields, self.widths, strict=True):
            word |= int(field.value) << shift
            shift += width
        return word

    async def send(
        self, words: Iterable[Word], settings: Callable[[int | None], None] = lambda _: None
    ) -> None:
        """Send ``words`` in order; returns when the last one was accepted.

        Between words the payload is noise.
        ``settings`` is called with the settings of each word in the cycle in which it is first
        offered, and with ``None`` where nobody may look at them: between words.
        """
        offers = False
        for word in words:
            while self.rng.random() >= self.active:
                if offers:
                    self._withdraw()
                    offers = False
                settings(None)
                await RisingEdge(self.clk)
            settings(word.config)
            self.drive(word.payload)
            if not offers:
                self.valid.value = 1
                offers = True
            await RisingEdge(self.clk)
            while not self.ready.value:
                await RisingEdge(self.clk)
        self._withdraw()
        settings(None)

    def _withdraw(self) -> None:
        self.valid.value = 0
        self.drive(self.rng.getrandbits(sum(self.widths)))

    def receive(self) -> None:
        """Offer ``ready`` from here on, with random stalls, and ``pause`` once.

        A shy port takes a beat only in the cycle after it has seen it.
        """
        self.receives, self._waits = True, 0
        self.ready.value = 0
        self._offer(valid=False, ready=False)

    def stop(self) -> None:
        """Leave ``ready`` as it is."""
        self.receives = False

    def _offer(self, *, valid: bool, ready: bool) -> None:
        """Set ``ready`` for the next cycle; in this one it was ``ready``."""
        if self.pause and len(self.moved) >= self.pause[0]:
            self._waits, self.pause = self.pause[1], None
        if self._waits:
            self._waits -= 1
            offered = False
        elif self.shy:
            offered = valid and not ready
        else:
            offered = self.rng.random() < self.active
        if offered != ready:
            self.ready.value = int(offered)

    def look(self, edge: int, *, in_reset: bool) -> None:
        """Log a transfer at this ``edge``, fail on a broken rule, and offer ``ready``.

        Once valid, a stream that the design sends holds valid and payload until ready.
        """
        if in_reset:
            self._held = None
            return
        valid, ready = bool(self.valid.value), bool(self.ready.value)
        if valid and ready:
            self.moved.append(edge)
        if self.sends:
            return
        word = self.sample() if valid else None
        if self._held is not None:
            assert valid, f"{self.name}: valid dropped before ready"
            assert word == self._held, f"{self.name}: payload changed before ready"
        self._held = None if ready else word
        if word is not None and ready:
            self.words.append(word)
        if self.receives:
            self._offer(valid=valid, ready=ready)
