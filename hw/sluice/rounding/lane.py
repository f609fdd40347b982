"""What the datapaths of a lane share: registers that stall together, and the rounding value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from sluice.formats import Format
from sluice.rounding.settings import MODES

__all__ = ["Lane", "Result", "Shared", "aligned_parts", "ones_groups"]


def ones_groups(value: Value, size: int = 4) -> Value:
    """Return one bit per ``size`` bits of ``value``: all of them are ones."""
    return Cat(value[k : k + size].all() for k in range(0, len(value), size))


@dataclass
class Result:
    """What a lane gives: its output bits ``depth`` stages behind the input, and what happened.

    ``overflow`` and ``invalid`` are valid ``flags_depth`` stages behind the input.
    """

    bits: Value
    depth: int
    overflow: Value
    invalid: Value
    flags_depth: int


@dataclass
class Shared:
    """What all lanes of a beat have in common.

    Attributes
    ----------
    go : Value
        All stages move in this cycle.
    mode, saturate : Value
        Settings of the beat that stands before the first stage.
    modes : tuple of str
        Those that are built.
    random_bits, position : int
    """

    m: Module
    go: Value
    modes: tuple[str, ...]
    mode: Value
    saturate: Value
    random_bits: int
    position: int
    made: dict[str, list[Value]] = field(default_factory=dict)

    def delayed(self, name: str, value: Value, depth: int) -> Value:
        """Return ``value`` of the beat that stands ``depth`` stages behind the input."""
        if isinstance(value, Const):
            return value
        chain = self.made.setdefault(name, [value])
        while len(chain) <= depth:
            register = Signal(len(value), name=f"{name}_{len(chain)}", reset_less=True)
            with self.m.If(self.go):
                self.m.d.sync += register.eq(chain[-1])
            chain.append(register)
        return chain[depth]

    def mode_is(self, mode: str, depth: int) -> Value:
        """Return whether the beat that stands ``depth`` stages behind the input rounds so."""
        if mode not in self.modes:
            return Const(0, 1)
        if len(self.modes) == 1:
            return Const(1, 1)
        return self.delayed("mode", self.mode, depth) == MODES.index(mode)

    def saturates(self, depth: int) -> Value:
        return self.delayed("saturate", self.saturate, depth)


class Lane:
    """One lane: the formats, and a way to put registers behind a set of values."""

    def __init__(self, shared: Shared, source: Format, target: Format, name: str):
        self.shared, self.m, self.name = shared, shared.m, name
        self.source: Any = source
        self.target: Any = target
        self.depth = 0

    def step(
        self, forced: Mapping[str, int] = MappingProxyType({}), /, **values: Value
    ) -> SimpleNamespace:
        """Return registers behind ``values``: the next stage.

        ``forced`` has the constants that :meth:`force` will load. A flip-flop's own set and reset
        inputs can do that only if its value at power-up is the same.
        """
        self.depth += 1
        stage = SimpleNamespace()
        for name, value in values.items():
            # A constant needs no register.
            register: Value = value
            if not isinstance(value, Const):
                register = Signal(
                    len(value),
                    init=forced.get(name, 0) & ((1 << len(value)) - 1),
                    name=f"{self.name}_{name}_{self.depth}",
                    reset_less=True,
                )
                with self.m.If(self.shared.go):
                    self.m.d.sync += register.eq(value)
            setattr(stage, name, register)
        return stage

    def force(self, register: Any, when: Value) -> None:
        """Load ``register`` with its constant in place of its value; ``when`` implies that all go.

        To be called behind the step that made it. A condition outside the enable is what the set
        and reset inputs of flip-flops have.
        """
        with self.m.If(when):
            self.m.d.sync += register.eq(register.init)

    def also(self, stage: SimpleNamespace, *names: str, drop: bool = False) -> dict[str, Value]:
        """Return the values of ``stage`` for the next step, of all names but ``names``."""
        return {k: v for k, v in vars(stage).items() if k not in names}

    def rounding_value(self, word: Value, random: Value) -> Value:
        """Return the R bits that are added below the last bit kept, for the present depth.

        For ``nearest_even`` that is just below one half; what is missing comes by the carry.
        """
        shared, bits = self.shared, self.shared.random_bits
        choices: dict[str, Callable[[], Value]] = {
            "nearest_even": lambda: Const((1 << bits - 1) - 1, bits),
            "towards_zero": lambda: Const(0, bits),
            "own_bits": lambda: word[shared.position : shared.position + bits],
            "generator": lambda: random,
        }
        result: Value = Const(0, bits)
        for mode in shared.modes:
            chosen = choices[mode]()
            if len(shared.modes) == 1:
                return chosen
            result = Mux(shared.mode_is(mode, self.depth), chosen, result)
        return result[:bits]

    def carry(self, last_kept: Value, sticky: Value) -> Value:
        """Return the carry that makes a tie go to the even neighbour, and more than one up."""
        return self.shared.mode_is("nearest_even", self.depth) & (last_kept | sticky)

    def add(self, word: Value, rounding: Value, carry: Value) -> Value:
        """Return ``word + rounding + carry`` with one more bit."""
        if isinstance(carry, Const):
            return (word + rounding)[: len(word) + 1]
        # The carry comes in through a bit of its own, so that there is one chain of carries.
        return (Cat(Const(1, 1), word) + Cat(carry, rounding))[1 : len(word) + 2]

    @property
    def has_ties(self) -> bool:
        return "nearest_even" in self.shared.modes


def aligned_parts(word: Value, kept: int, random_bits: int) -> tuple[Value, Value, Value]:
    """Split ``word`` from the top: ``kept`` bits, R bits to compare with, and whether more."""
    below = len(word) - kept - random_bits
    if below < 0:
        word, below = Cat(Const(0, -below), word), 0
    rest: Value = word[:below].any() if below else Const(0, 1)
    return word[below + random_bits :], word[below : below + random_bits], rest
