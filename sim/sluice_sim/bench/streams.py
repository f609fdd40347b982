"""Benches of the stream blocks; their functions are short enough to be stated here in full."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sluice.stream import Beat, element_bytes
from sluice_sim.bench.spec import (
    Bench,
    Scenario,
    Word,
    beats,
    elements,
    random_packets,
    soiled,
)
from sluice_sim.bench.spec import (
    packet as packet_of,
)
from sluice_sim.golden.repack import repack

__all__ = [
    "ArbiterBench",
    "AxiStreamMasterBench",
    "AxiStreamSlaveBench",
    "DemuxBench",
    "FifoBench",
    "ForkBench",
    "JoinBench",
    "NarrowBench",
    "PacketCounterBench",
    "PacketSplitterBench",
    "RegisterSliceBench",
    "RepackBench",
    "SkidBufferBench",
    "WidenBench",
]


def packets_of(kind: str, beat: Beat, rng: np.random.Generator) -> list[list[int]]:
    """Return packets for a scenario of ``kind``."""
    top = (1 << beat.element_width) - 1
    if kind == "rate":
        return [[int(v) for v in rng.integers(0, 2, 40 * beat.lanes)]]
    if kind == "extremes":
        lengths = [0, 0, 1, beat.lanes, beat.lanes + 1, 0, 2 * beat.lanes - 1, 12 * beat.lanes]
        return [[top if k % 2 else 0] * n for k, n in enumerate(lengths)] + [[top] * beat.lanes]
    return random_packets(beat, rng, count=25)


def payloads_of(kind: str, beat: Beat, rng: np.random.Generator) -> list[int]:
    return [word for packet in packets_of(kind, beat, rng) for word in beats(beat, packet)]


class PassBench(Bench):
    """What goes in at ``i`` comes out at ``o``."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        words = payloads_of(kind, self.block.shape, rng)
        return Scenario({"i": [Word(w) for w in words]}, {"o": words})


class RegisterSliceBench(PassBench):
    """A register slice passes everything."""


class SkidBufferBench(PassBench):
    """A skid buffer passes everything."""


class FifoBench(PassBench):
    """A queue passes everything, and says how much it holds."""

    modules = ("sluice_sim.bench.tb_fifo",)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        scenario = super().scenario(kind, rng)
        scenario.signals = {"level": 0}
        return scenario


class ForkBench(Bench):
    """Every output gives what went in."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        words = payloads_of(kind, self.block.shape, rng)
        outputs = {f"o__{k}": words for k in range(self.block.outputs)}
        return Scenario({"i": [Word(w) for w in words]}, outputs)


class JoinBench(Bench):
    """The output is the inputs side by side."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        beat = self.block.shape
        sides = [payloads_of(kind, beat, rng) for _ in range(self.block.inputs)]
        count = min(map(len, sides))
        width = beat.element_width * beat.lanes + beat.lanes + 1
        joined = [sum(side[n] << (k * width) for k, side in enumerate(sides)) for n in range(count)]
        inputs = {f"i__{k}": [Word(w) for w in side[:count]] for k, side in enumerate(sides)}
        return Scenario(inputs, {"o": joined})


class ArbiterBench(Bench):
    """Each input's beats come out in order; packets stay whole where that is promised."""

    modules = ("sluice_sim.bench.tb_arbiter",)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        beat = self.block.shape
        inputs = {
            f"i__{k}": [Word(w) for w in payloads_of(kind, beat, rng)]
            if self.talks(kind, k)
            else []
            for k in range(self.block.inputs)
        }
        return Scenario(inputs, {"o": [w.payload for words in inputs.values() for w in words]})

    def talks(self, kind: str, k: int) -> bool:
        """One input alone shows the latency; the order is only known if nobody else talks."""
        return kind != "rate" or k == 0

    def compare(self, received: Mapping[str, Sequence[int]], scenario: Scenario) -> None:
        got = [self.defined("o", word) for word in received["o"]]
        queues = [
            [self.defined("o", w.payload) for w in words] for words in scenario.inputs.values()
        ]
        queues.sort()
        # Every way to attribute what came to the inputs that still agrees with all of it. Inputs
        # may offer equal beats, so one attribution is not enough.
        states = {(None, *(0 for _ in queues))}
        for n, word in enumerate(got):
            following = set()
            for owner, *places in states:
                for k in range(len(queues)) if owner is None else (owner,):
                    if places[k] < len(queues[k]) and queues[k][places[k]] == word:
                        ends = not self.block.packets or self.ends(word)
                        after = [*places[:k], places[k] + 1, *places[k + 1 :]]
                        following.add(self.in_order(queues, None if ends else k, after))
            assert following, f"o: word {n}, {word:#x}, is not the next beat of any input"
            states = following
        assert len(got) == sum(map(len, queues)), f"o: {len(got)} of {sum(map(len, queues))} words"

    def in_order(
        self, queues: Sequence[list[int]], owner: int | None, places: Sequence[int]
    ) -> tuple[int | None, ...]:
        """Return the owner and the places with inputs that offer the same sorted by their place.

        Which of these was it does not matter, and there are far fewer states.
        """
        order = sorted(range(len(queues)), key=lambda k: (queues[k], places[k], k == owner))
        return None if owner is None else order.index(owner), *(places[k] for k in order)

    def ends(self, word: int) -> bool:
        beat = self.block.shape
        return bool(word >> (beat.element_width * beat.lanes + beat.lanes))


class DemuxBench(Bench):
    """Packets go where their settings say, and nowhere if there is no such output."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        beat, count = self.block.shape, self.block.outputs
        choices = 1 << len(self.block.config.select)
        outputs: dict[str, list[int]] = {f"o__{k}": [] for k in range(count)}
        words: list[Word] = []
        lost = False
        for packet in packets_of(kind, beat, rng):
            # Settings that name no output leave a mark, so one scenario goes without them.
            select = int(rng.integers(0, {"rate": 1, "extremes": count}.get(kind, choices)))
            payloads = beats(beat, packet)
            words += [Word(w, select if n == 0 else None) for n, w in enumerate(payloads)]
            if select < count:
                outputs[f"o__{select}"] += payloads
            lost |= select >= count
        return Scenario({"i": words}, outputs, {"status": int(lost)})


class WidenBench(Bench):
    """The same packets with more lanes."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        beat, wide = self.block.shape, self.shapes["o"]
        packets = packets_of(kind, beat, rng)
        return Scenario(
            {"i": [Word(w) for p in packets for w in beats(beat, p)]},
            {"o": [w for p in packets for w in beats(wide, p)]},
        )

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        return ((min(inputs, (k + 1) * self.block.ratio) - 1, k) for k in range(outputs))


class NarrowBench(Bench):
    """The same packets with fewer lanes."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        wide, beat = self.shapes["i"], self.block.shape
        packets = packets_of(kind, wide, rng)
        return Scenario(
            {"i": [Word(w) for p in packets for w in beats(wide, p)]},
            {"o": [w for p in packets for w in beats(beat, p)]},
        )

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        return ((k, k * self.block.ratio) for k in range(inputs))


class RepackBench(Bench):
    """The same bits in other elements, from packets of all lengths."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        i, o = self.block.i_shape, self.block.o_shape
        top = (1 << i.element_width) - 1
        longest = max(i.lanes, -(-o.data_bits // i.element_width))
        lengths = rng.integers(0, 3 * longest + 1, 60)
        if kind == "extremes":
            # From nothing to more than what both beats have in common, and again.
            most = 2 * longest + 2
            lengths = np.concatenate([range(most), rng.permutation(most), [0, 0]])
        elif kind == "rate":
            # Short ones, of which each may end in any place, and a long one for the interval.
            most = 2 + o.data_bits // i.element_width
            rest = 60 * max(1, self.block.o_bits // self.block.i_bits) * i.lanes
            lengths = np.concatenate([rng.permutation(most), [rest]])
        words: list[Word] = []
        expected: list[int] = []
        self.packets: list[tuple[int, int]] = []
        for length in lengths.tolist():
            values = [int(v) for v in rng.integers(0, 1 << i.element_width, length)]
            if kind == "extremes":
                values = [top] * length
            spare = int(rng.integers(0, i.element_width)) if kind != "rate" else 0
            sent = packet_of(i, values, spare)
            words += [Word(soiled(i, w.payload, rng), w.config) for w in sent]
            expected += beats(o, repack(values, i.element_width, o.element_width, spare=spare))
            self.packets.append((length * i.element_width, len(sent)))
        return Scenario({"i": words}, {"o": expected})

    def latency_pairs(self, inputs: int, outputs: int) -> Iterable[tuple[int, int]]:
        """Return the beat that brings the last bit of the first result."""
        bits = min(self.packets[0][0], self.block.o_bits)
        return ((max(1, -(-bits // self.block.i_bits)) - 1, 0),)

    def check_cycles(self, moved: Mapping[str, Sequence[int]]) -> None:
        """Every cycle takes a beat or gives one, and a packet begins where one ends."""
        wide, narrow = self.block.o_bits, self.block.i_bits
        due: list[int] = []
        begins = moved["i"][0] + self.block.latency
        for size, count in self.packets:
            ends = max(1, -(-size // wide))
            for k in range(ends):
                brings = max(1, -(-min(size, (k + 1) * wide) // narrow)) - 1
                due.append(max(due[-1] + 1 if due else 0, begins + brings))
            rest = size - (count - 1) * narrow // wide * wide
            begins += ends if narrow >= wide else count + (rest > wide)
        assert list(moved["o"]) == due, f"beats left in {moved['o']}, due in {due}"


class PacketCounterBench(PassBench):
    """A counter passes everything, and counts it."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        scenario = super().scenario(kind, rng)
        self.beats = len(scenario.expected["o"])
        self.packets = len(elements(self.block.shape, scenario.expected["o"]))
        return scenario

    modules = ("sluice_sim.bench.tb_packet_counter",)


class PacketSplitterBench(Bench):
    """A packet ends after so many beats."""

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        beat = self.block.shape
        words: list[Word] = []
        out: list[int] = []
        packets = packets_of(kind, beat, rng)
        if kind == "random":
            # Long enough for several pieces, where the largest piece allows that.
            longest = min(3 * self.block.max_beats, 20)
            packets = random_packets(beat, rng, count=25, max_beats=longest)
        for packet in packets:
            choices = [0, 1, self.block.max_beats, int(rng.integers(0, self.block.max_beats + 1))]
            length = choices[int(rng.integers(0, 4))]
            last = 1 << (beat.element_width * beat.lanes + beat.lanes)
            for n, word in enumerate(beats(beat, packet)):
                words.append(Word(word, length if n == 0 else None))
                out.append(word | last if length and n % length == length - 1 else word)
        return Scenario({"i": words}, {"o": out})


def to_axi(beat: Beat, payload: int, *, is_signed: bool) -> int:
    """Return ``tdata``, ``tkeep`` and ``tlast``, from the low bits up, for a beat."""
    size, width = element_bytes(beat), beat.element_width
    data = keep = 0
    for k in range(beat.lanes):
        value = payload >> (k * width) & ((1 << width) - 1)
        if is_signed and value >> (width - 1):
            value |= ((1 << 8 * size) - 1) & -(1 << width)
        data |= value << (8 * size * k)
        if payload >> (width * beat.lanes + k) & 1:
            keep |= ((1 << size) - 1) << (size * k)
    last = payload >> (width * beat.lanes + beat.lanes)
    return data | (keep | last << (size * beat.lanes)) << (8 * size * beat.lanes)


class AxiStreamSlaveBench(Bench):
    """AXI4-Stream transfers become beats."""

    modules = ("sluice_sim.bench.tb_axi_stream",)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        beat = self.block.shape
        words = payloads_of(kind, beat, rng)
        inputs = {"s_axis": [Word(to_axi(beat, w, is_signed=False)) for w in words]}
        return Scenario(inputs, {"o": words}, {"status": 0})


class AxiStreamMasterBench(Bench):
    """Beats become AXI4-Stream transfers."""

    modules = ("sluice_sim.bench.tb_axi_stream",)

    def scenario(self, kind: str, rng: np.random.Generator) -> Scenario:
        beat = self.block.shape
        words = payloads_of(kind, beat, rng)
        number: Any = beat.number
        is_signed = getattr(number, "is_signed", False)
        out = [to_axi(beat, w, is_signed=is_signed) for w in words]
        return Scenario({"i": [Word(w) for w in words]}, {"m_axis": out})
