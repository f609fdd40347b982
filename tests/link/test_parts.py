"""The parts of the host link: stuffing and serial line."""

import pytest

from sluice.export import to_verilog
from sluice.link import CobsDecoder, CobsEncoder, LinkTop, Uart
from sluice.stream import SkidBuffer
from sluice_sim.formal import Proof
from sluice_sim.formal.monitors import Source, add_rules
from sluice_sim.runner import run_modules


@pytest.mark.parametrize("way", ["encode", "decode"])
def test_cobs(way: str):
    block = CobsEncoder() if way == "encode" else CobsDecoder()
    name = f"cobs_{way}r"
    text = to_verilog(block, name)
    result = run_modules(name, text, ["sluice_sim.bench.tb_cobs"], {"SLUICE_COBS": way})
    assert result.ok, f"{result.failures}, see {result.folder}"
    assert len(result.passed) == 2


def test_decoder_keeps_the_stream_rules():
    block = CobsDecoder()
    proof = Proof(block)
    Source(proof, block.i)
    add_rules(proof, block.o)
    verdict = proof.run(seconds=60)
    assert verdict.proven, f"{verdict.refuted} {verdict.trace}"


@pytest.mark.parametrize("divisor", [8, 17])
def test_uart(divisor: int):
    text = to_verilog(Uart(divisor=divisor), "uart")
    env = {"SLUICE_DIVISOR": str(divisor)}
    result = run_modules("uart", text, ["sluice_sim.bench.tb_uart"], env)
    assert result.ok, f"{result.failures}, see {result.folder}"
    assert len(result.passed) >= 10


@pytest.mark.parametrize("baud", [0, 115200 * 2.0, 20_000_000, 1_700_000])
def test_top_refuses_a_baud_rate(baud):
    with pytest.raises((TypeError, ValueError), match="baud"):
        LinkTop(SkidBuffer(shape="bf16x2"), clock_hz=12_000_000, baud=baud)
