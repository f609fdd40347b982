"""A proof is worth something only if a broken block is refuted, by the property that it breaks."""

import importlib
import inspect
from typing import Any

import pytest

from sluice_sim.formal import Proof, streams

BROKEN = [
    ("skid_buffer", {"shape": "bitx2"}, "payload.eq(spare)", "payload.eq(self.i.payload)", "order"),
    ("fifo", {"shape": "bitx1", "depth": 3}, "self.level != self.depth - 1", "1", "room"),
    (
        "fifo",
        {"shape": "bitx1", "depth": 3},
        "arrived.eq(push)",
        "arrived.eq(self.i.valid)",
        "changed",
    ),
    ("fork", {"shape": "bitx2", "outputs": 2}, "self.i.valid & ~done[k]", "self.i.valid", "order"),
    ("arbiter", {"shape": "bitx2", "inputs": 3}, "later.any()", "0", "passed over"),
    ("arbiter", {"shape": "bitx2", "inputs": 3}, "locked.eq(~ends)", "locked.eq(0)", "interrupted"),
    ("narrow", {"shape": "bitx2", "ratio": 3}, "held.last & ~more", "held.last", "order"),
    ("widen", {"shape": "bitx2", "ratio": 3}, "m.Elif(place == 0)", "m.Elif(0)", "hole"),
    (
        "packet_splitter",
        {"shape": "bitx2", "max_beats": 3},
        "sample_settings(m, self.config, self.i)",
        "self.config",
        "wrong place",
    ),
]


@pytest.mark.parametrize(
    ("name", "parameters", "right", "wrong", "told"), BROKEN, ids=[f"{b[0]}-{b[4]}" for b in BROKEN]
)
def test_broken_block_is_refuted(name, parameters, right, wrong, told):
    module = importlib.import_module(f"sluice.stream.{name}")
    source = inspect.getsource(module)
    assert source.count(right) == 1
    scope: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(source.replace(right, wrong), name, "exec"), scope)
    proof = Proof(scope[name.title().replace("_", "")](**parameters))
    getattr(streams, f"prove_{name}")(proof)
    verdict = proof.run()
    assert not verdict.proven
    assert any(told in refuted for refuted in verdict.refuted), verdict.refuted
    assert verdict.trace
