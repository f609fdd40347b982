"""The cocotb benches: what every block shares, and one :class:`Bench` per block."""

from sluice_sim.bench.spec import Bench, Scenario, Word, beats, elements, pack, random_packets

__all__ = ["Bench", "Scenario", "Word", "beats", "elements", "pack", "random_packets"]
