"""Proofs: for all inputs and all time, by property-directed reachability."""

from sluice_sim.formal.engine import Proof, Verdict, prove
from sluice_sim.formal.monitors import Source, add_rules, add_track

__all__ = ["Proof", "Source", "Verdict", "add_rules", "add_track", "prove"]
