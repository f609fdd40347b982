"""Drivers and monitors of a stream for cocotb; Verilog names are ``<port>__<member>``."""

import itertools
import random
from collections.abc import Callable, Iterable

import cocotb
from cocotb.clock import Clock
from cocotb.handle import LogicObject
from cocotb.triggers import RisingEdge

from sluice_sim.bench.spec import Word

__all__ = ["StreamPort", "start_clock_and_reset"]


async def start_clock_and_reset(dut, *, cycles: int = 2) -> None:
    """Start a 10 ns clock and hold ``rst`` for ``cycles`` edges."""
    dut.rst.value = 1
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    for _ in range(cycles):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


class StreamPort:
    """One stream of the design: ``send`` or ``receive`` words, with random stalls.

    ``active`` is the chance, per cycle, that valid (``send``) or ready (``receive``) is offered.
    A stream whose members are those of AXI4-Stream (``name`` ends in ``axis``) is driven by the
    same code: its payload is ``tdata``, ``tkeep`` and ``tlast``, from the low bits up.
    """

    def __init__(self, dut, name: str, *, rng: random.Random, active: float = 1.0):
        self.clk, self.rng, self.active, self.name = dut.clk, rng, active, name
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
        # After so many beats `receive` pauses once, for so many cycles.
        self.pause: tuple[int, int] | None = None
        self.moved: list[int] = []
        self.words: list[int] = []

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
        for word in words:
            while self.rng.random() >= self.active:
                settings(None)
                await RisingEdge(self.clk)
            settings(word.config)
            self.drive(word.payload)
            self.valid.value = 1
            await RisingEdge(self.clk)
            while not self.ready.value:
                await RisingEdge(self.clk)
            self.valid.value = 0
            self.drive(self.rng.getrandbits(sum(self.widths)))
        settings(None)

    async def receive(self) -> None:
        """Offer ``ready`` for ever, with random stalls, and ``pause`` once.

        A shy port takes a beat only in the cycle after it has seen it.
        """
        self.ready.value = 0
        while True:
            if self.pause and len(self.moved) >= self.pause[0]:
                self.ready.value, cycles, self.pause = 0, self.pause[1], None
                for _ in range(cycles):
                    await RisingEdge(self.clk)
            if not self.shy:
                self.ready.value = int(self.rng.random() < self.active)
            await RisingEdge(self.clk)
            if self.shy:
                self.ready.value = int(bool(self.valid.value) and not self.ready.value)

    async def watch(self, reset) -> None:
        """Log every transfer in ``words`` and ``moved`` (its clock edge); fail on a broken rule.

        Once valid, a stream holds valid and payload until ready.
        """
        held = None
        for edge in itertools.count():
            await RisingEdge(self.clk)
            if reset.value:
                held = None
                continue
            valid, ready = bool(self.valid.value), bool(self.ready.value)
            if held is not None:
                assert valid, f"{self.name}: valid dropped before ready"
                assert self.sample() == held, f"{self.name}: payload changed before ready"
            held = self.sample() if valid and not ready else None
            if valid and ready:
                self.moved.append(edge)
                self.words.append(self.sample())
