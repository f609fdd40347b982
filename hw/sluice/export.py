"""From a block to Verilog, and the names that Verilog gives to its ports."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth import ClockDomain, Module, Value
from amaranth.back import rtlil, verilog  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
from amaranth.hdl import Shape
from amaranth.hdl._ir import PortDirection
from amaranth.lib import stream, wiring

from sluice.block import Block
from sluice.technology import GENERIC, Target, Technology

# Yosys puts this register into every `always @*` so that the block runs once when a simulation
# starts. Icarus sets it before the blocks begin to wait, and outputs whose inputs keep their first
# values would stay undefined. A change in the first time step wakes them.
_WAKE = re.compile(r"^  reg (\\\$auto\$verilog_backend\S+ ) = 0;$", re.MULTILINE)

# An element of an array is a wire called `data[3]`, which is also how abc9 calls bit 3 of a wire
# called `data`. Where both are at its boundary, Yosys stops with a failed assertion in
# abc_ops_reintegrate, and says so only in a log file. An element is therefore called `data.3`.
_ESCAPED = re.compile(r"\\\S+")
_INDEX = re.compile(r"\[(\d+)\]")

__all__ = [
    "Port",
    "StreamPort",
    "name_elements",
    "ports_of",
    "streams_of",
    "to_rtlil",
    "to_verilog",
]


@dataclass(frozen=True)
class Port:
    """A Verilog port of a block."""

    name: str
    is_input: bool
    shape: Any
    value: Any

    @property
    def width(self) -> int:
        return Shape.cast(self.shape).width


@dataclass(frozen=True)
class StreamPort:
    """A stream of a block: its Verilog prefix, direction and payload."""

    name: str
    is_input: bool
    shape: Any
    interface: Any


def ports_of(block: Block) -> Iterator[Port]:
    """Yield the ports of ``block`` in order, without clock and reset."""
    for path, member, value in block.signature.flatten(block):
        name = "__".join(str(part) for part in path)
        yield Port(name, member.flow is wiring.In, member.shape, value)


def streams_of(block: Block) -> Iterator[StreamPort]:
    """Yield the streams of ``block`` in order, those in arrays one by one."""

    def walk(name: str, value: Any, member: Any, dimensions: tuple[int, ...]) -> Iterator[Any]:
        if dimensions:
            for k in range(dimensions[0]):
                yield from walk(f"{name}__{k}", value[k], member, dimensions[1:])
        else:
            shape = value.payload.shape()
            yield StreamPort(name, member.flow is wiring.In, shape, value)

    for name, member in block.signature.members.items():
        if (member.is_signature and isinstance(member.signature, stream.Signature)) or (
            member.is_signature and hasattr(member.signature, "payload_shape")
        ):
            yield from walk(name, getattr(block, name), member, member.dimensions)


def _top(block: Block) -> tuple[Module, dict[str, Any]]:
    """Wrap nothing: name the ports so that every block has ``clk`` and ``rst``, used or not."""
    domain: Any = ClockDomain("sync")
    m = Module()
    m.domains.sync = domain
    m.submodules.block = block
    ports: dict[str, Any] = {
        "clk": (domain.clk, PortDirection.Input),
        "rst": (domain.rst, PortDirection.Input),
    }
    for port in ports_of(block):
        direction = PortDirection.Input if port.is_input else PortDirection.Output
        ports[port.name] = (Value.cast(port.value), direction)
    return m, ports


def name_elements(text: str) -> str:
    """Return RTLIL or Verilog in which no name ends like a bit of another wire."""
    return _ESCAPED.sub(lambda name: _INDEX.sub(r".\1", name[0]), text)


def to_rtlil(block: Block, name: str, technology: Technology = GENERIC) -> str:
    """Return ``block`` as RTLIL; synthesis reads this, see ``docs/decisions``."""
    m, ports = _top(block)
    target = Target(technology)
    return name_elements(rtlil.convert(m, name, target, ports=ports, emit_src=False))


def to_verilog(block: Block, name: str, technology: Technology = GENERIC) -> str:
    """Return ``block`` as Verilog text: the same parameters give the same bytes.

    With a vendor's technology it instantiates that vendor's primitives. The Yosys inside the
    Amaranth distribution writes it, so that no other one on the machine can change the text.
    """
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    m, ports = _top(block)
    target = Target(technology)
    text = name_elements(verilog.convert(m, name, target, ports=ports, emit_src=False))
    return _WAKE.sub(r"  reg \1 = 0;\n  initial \1 <= 1;", text)
