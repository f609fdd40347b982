"""Cycles of optimizer steps on a memory: scripts/optimizer_cycles.py [--size N].

For SGD, momentum and Adam, 1, 4 and 8 workers, and a memory that never pauses and one that does:
the cycles of a step of a layer in the netlist, beside those in which the memory's bus could move
the bytes, and beside a schedule that stores the gradients of all workers first.
"""

import argparse
from typing import Any

import numpy as np
from rich.console import Console

from sluice.optimizer import StreamedOptimizer
from sluice_sim.bench.streamed_optimizer import Layers, row_bits
from sluice_sim.memory import OnMemory, SharedMemory
from sluice_sim.play import play

ALGORITHMS = ({"algorithm": "sgd"}, {"momentum": 0.9}, {"algorithm": "adam"})
NAMES = ("SGD", "momentum", "Adam")
LATENCY = 20
# As of DDR3 at 100 MHz: a refresh in 7.8 us takes 0.35 us.
EVERY, PAUSE = 780, 35


def step_cycles(workers: int, more: int, size: int, *, pauses: bool, lanes: int = 1) -> int:
    """Return the cycles from the command to the last word written, of a step that is right."""
    block = StreamedOptimizer(workers=workers, lanes=lanes, moments=more, burst=16)
    layers = Layers(block, np.random.default_rng(workers))
    room = 1 << (size // lanes).bit_length()
    at = [k * room for k in range(1 + more)]
    for one in at:
        layers.place(one, _numbers(layers, size))
    contents = [0] * (len(at) * room)
    for where, row in layers.memory.items():
        contents[where] = row_bits(row)
    values = lambda count: _numbers(layers, count)  # noqa: E731
    layers.add(size, at, options=ALGORITHMS[more], values=values)
    stands = {"every": EVERY, "pause": PAUSE} if pauses else {}
    memory = SharedMemory(
        block.read.payload.shape(), block.beat, contents, latency=LATENCY, **stands
    )
    inputs = {f"g__{k}": sent for k, sent in enumerate(layers.g)} | {"command": layers.commands}
    beats = len(layers.weights)
    played = play(
        OnMemory(block, memory), inputs, {"weights": beats, "report": 1}, limit=20 * beats + 5000
    )
    if played.words["weights"] != layers.weights or played.words["report"] != layers.report:
        raise AssertionError("the step is wrong")
    # The report comes when the last write is confirmed.
    return int(played["report"][0] - played["command"][0]) - LATENCY


def bound(more: int, beats: int, *, pauses: bool) -> float:
    """Return the cycles that the bus needs."""
    moved = 2 * (1 + more) * beats
    return moved * EVERY / (EVERY - PAUSE) if pauses else moved


def _numbers(layers: Layers, count: int) -> Any:
    # None is below zero, as no second moment is.
    numbers = np.abs(layers.rng.standard_normal(count)).astype(np.float32)
    return numbers.view(np.uint32).astype(np.uint64)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    size = parser.parse_args().size
    console = Console()
    console.print(
        "| | bytes | workers | cycles | of the bus | with pauses | of the bus | stored first |"
    )
    for more, name in enumerate(NAMES):
        for workers in (1, 4, 8):
            cells: list[str] = []
            for pauses in (False, True):
                with console.status(f"{name}, {workers} workers"):
                    cycles = step_cycles(workers, more, size, pauses=pauses)
                share = bound(more, size, pauses=pauses) / cycles
                cells += [str(cycles), f"{100 * share:.1f} %"]
            traffic = 8 * (1 + more)
            stored = f"{(traffic + 8 * workers) / traffic:.2f}"
            console.print(f"| {name} | {traffic} | {workers} | {' | '.join(cells)} | {stored} |")


if __name__ == "__main__":
    main()
