"""What the one cocotb bench must know of a block: stimuli, and the results they must give."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sluice.block import Block
from sluice.export import streams_of
from sluice.stream import Beat

__all__ = [
    "Bench",
    "Scenario",
    "Word",
    "beats",
    "elements",
    "pack",
    "packet",
    "random_packets",
    "soiled",
]

KINDS = ("random", "extremes", "rate")


@dataclass(frozen=True)
class Word:
    """A payload to send; ``config`` is shown on the settings port from when it is offered."""

    payload: int
    config: int | None = None


@dataclass
class Scenario:
    """Stimuli of every input stream, and what every output stream must give.

    Attributes
    ----------
    inputs : mapping of stream name to words
    expected : mapping of stream name to payloads
    signals : mapping of port name to value
        Outputs beside the streams, compared when all is done.
    """

    inputs: Mapping[str, Sequence[Word]]
    expected: Mapping[str, Sequence[int]]
    signals: Mapping[str, int] = field(default_factory=dict)


def pack(beat: Beat, values: Sequence[int], *, last: bool) -> int:
    """Return one payload that carries ``values`` (bit patterns), at most ``lanes`` of them."""
    width = beat.element_width
    word = 0
    for k, value in enumerate(values):
        word |= (int(value) & ((1 << width) - 1)) << (k * width)
    return word | (((1 << len(values)) - 1) | last << beat.lanes) << (width * beat.lanes)


def beats(beat: Beat, values: Sequence[int]) -> list[int]:
    """Return the payloads of one packet of ``values``; an empty packet is one empty beat."""
    count = max(1, -(-len(values) // beat.lanes))
    return [
        pack(beat, values[k * beat.lanes : (k + 1) * beat.lanes], last=k == count - 1)
        for k in range(count)
    ]


def soiled(beat: Beat, payload: int, rng: np.random.Generator) -> int:
    """Return a payload with anything in the lanes that it does not keep."""
    width = beat.element_width
    for k in range(beat.lanes):
        if not payload >> beat.data_bits + k & 1:
            payload |= int(rng.integers(1 << width, dtype=np.uint64)) << k * width
    return payload


def packet(beat: Beat, values: Sequence[int], config: int | None = None) -> list[Word]:
    """Return the words of one packet; behind the first one settings are anything."""
    first, *others = beats(beat, values)
    return [Word(first, config), *map(Word, others)]


def elements(beat: Beat, payloads: Iterable[int]) -> list[list[int]]:
    """Return the packets that ``payloads`` carry; a packet that has not ended is not given."""
    width = beat.element_width
    packets: list[list[int]] = []
    packet: list[int] = []
    for word in payloads:
        keep = word >> (width * beat.lanes)
        packet += [
            word >> (k * width) & ((1 << width) - 1) for k in range(beat.lanes) if keep >> k & 1
        ]
        if keep >> beat.lanes:
            packets.append(packet)
            packet = []
    return packets


def random_packets(
    beat: Beat, rng: np.random.Generator, *, count: int, max_beats: int = 6
) -> list[list[int]]:
    """Return ``count`` packets of random bits, of every length from none to ``max_beats`` beats."""
    width = beat.element_width
    return [
        [int.from_bytes(rng.bytes(8), "little") & ((1 << width) - 1) for _ in range(length)]
        for length in rng.integers(0, max_beats * beat.lanes, count, endpoint=True).tolist()
    ]


class Bench:
    """Base of the benches: one subclass per block.

    Attributes
    ----------
    modules : tuple of str
        Further cocotb test modules that only this block has.
    quiet : int, cycles
        Without a transfer, after which nothing more is expected.
    patience : int, cycles
        Without a transfer after which a stuck input is a failure. Random stalls of one half are
        never that long.
    hold : int, cycles
        In which the block fills up if nothing leaves; fewer than ``quiet``.
    resets : tuple of int, cycles
        After which it is reset, one time after the other; some time by default.
    """

    modules: tuple[str, ...] = ()
    quiet: int = 100
    patience: int = 1000
    hold: int = 80
    resets: tuple[int, ...] = ()

    def __init__(self, block: Block):
        self.block: Any = block
        self.shapes = {s.name: s.shape for s in streams_of(block)}

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        """Return stimuli and results.

        ``kind`` is ``random`` (packets of all lengths), ``extremes`` (the values and lengths at
        the ends of their ranges) or ``rate`` (full beats only, for latency and interval).
        """
        raise NotImplementedError

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        """Yield (input transfer, output transfer it completes) of the ``rate`` scenario."""
        return zip(range(inputs), range(outputs), strict=True)

    def mistakes(self, rng: np.random.Generator) -> Iterable[Scenario]:
        """Yield scenarios of which each has one mistake, or none."""
        return ()

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Fail unless the beats of the ``rate`` scenario moved when the block promises they do.

        ``moved`` says of each stream in which cycles; of latency and interval the bench knows.
        """

    def check_held(self, name: str, taken: Mapping[str, int]) -> None:
        """Fail unless so many beats were taken of each stream while output ``name`` was held up."""

    def compare(self, received: Mapping[str, Sequence[int]], scenario: Scenario) -> None:
        """Fail unless every output stream gave what it had to, in that order."""
        for name, expected in scenario.expected.items():
            got = [self.defined(name, word) for word in received[name]]
            want = [self.defined(name, word) for word in expected]
            for k, (g, w) in enumerate(zip(got, want, strict=False)):
                assert g == w, f"{name}: word {k} of {len(want)} is {g:#x}, expected {w:#x}"
            assert len(got) == len(want), f"{name}: {len(got)} words, expected {len(want)}"

    def defined(self, name: str, word: int) -> int:
        """Return ``word`` with the lanes that do not count set to zero."""
        beat = self.shapes.get(name)
        if not isinstance(beat, Beat):
            return word
        width = beat.element_width
        for k in range(beat.lanes):
            if not word >> (width * beat.lanes + k) & 1:
                word &= ~(((1 << width) - 1) << (k * width))
        return word
