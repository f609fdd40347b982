"""What is proven of engines."""

from typing import Any

from sluice_sim.formal.engine import Proof

__all__ = ["prove_relu_compress_parallel"]


def prove_relu_compress_parallel(proof: Proof) -> None:
    dut: Any = proof.dut
