"""A datapath in steps, and the registers between them."""

import itertools
from typing import Any

from amaranth import Module, Signal, Value

__all__ = ["Flow", "registers_before"]


def registers_before(step: int, *, steps: int, stages: int) -> int:
    """Return how many of ``stages`` registers stand before a step, counted from 0."""
    return step * stages // steps


class Flow:
    """Values of a datapath of fixed latency, each as old as the step that reads it.

    A datapath of ``steps`` steps is cut by ``stages`` registers, spread evenly. It is written step
    by step with :meth:`step` between two; an attribute that was set in one step and is read in a
    later one has passed the registers between them, and no others are made.

    Parameters
    ----------
    m : Module
        Where the registers go. They have no reset: what is not valid may be anything.
    steps, stages : int
        ``stages`` at most ``steps``. A register stands at the end of a step.

    Attributes
    ----------
    latency : int, cycles
        Registers passed so far.
    """

    def __init__(self, m: Module, *, steps: int, stages: int):
        before = [registers_before(k, steps=steps, stages=stages) for k in range(steps + 1)]
        ends = [after - b for b, after in itertools.pairwise(before)]
        vars(self).update(m=m, ends=ends, at=0, latency=0, values={})

    def step(self) -> None:
        """End the step."""
        state = vars(self)
        state["latency"] += state["ends"][state["at"]]
        state["at"] += 1

    def registers(self, steps: int) -> int:
        """Return how many registers the next ``steps`` steps end in."""
        state = vars(self)
        return sum(state["ends"][state["at"] : state["at"] + steps])

    def __setattr__(self, name: str, value: Any) -> None:
        state = vars(self)
        given = Value.cast(value)
        signal = Signal(given.shape(), name=f"{name}_{state['latency']}")
        state["m"].d.comb += signal.eq(given)
        state["values"][name] = (state["latency"], [signal])

    def __getattr__(self, name: str) -> Any:
        state = vars(self)
        if name not in state.get("values", ()):
            raise AttributeError(name)
        made, ages = state["values"][name]
        while made + len(ages) <= state["latency"]:
            later = Signal.like(ages[0], name=f"{name}_{made + len(ages)}", reset_less=True)
            state["m"].d.sync += later.eq(ages[-1])
            ages.append(later)
        return ages[state["latency"] - made]
