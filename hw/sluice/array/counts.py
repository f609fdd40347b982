"""Registers of a command under way: what it says, and how much of it is left."""

from typing import Any

from amaranth import Signal

__all__ = ["Left", "register"]


def register(shape: Any, name: str) -> Any:
    """Return what every command sets, so that no reset need."""
    return Signal(shape, name=name, reset_less=True)


class Left:
    """How many are left; whether it is one is in a register, since it decides what comes next."""

    def __init__(self, name: str, bits: int):
        self.count, self.last = register(bits, name), register(1, f"{name}_last")

    def begin(self, count: Any) -> list[Any]:
        return [self.count.eq(count), self.last.eq(count == 1)]

    def step(self) -> list[Any]:
        return [self.count.eq(self.count - 1), self.last.eq(self.count == 2)]
