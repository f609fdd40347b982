"""A proof is worth something only if a broken block is refuted, by the property that it breaks."""

import importlib
import inspect
from typing import Any

import pytest

from sluice.arith import Add
from sluice.arith.elementwise import Elementwise
from sluice.catalogue import find_block
from sluice.compression import CentroidDot, CentroidDotFloat
from sluice.compression.gather_dot import GatherDot
from sluice.optimizer import (
    GradientMonitor,
    LossScale,
    Optimizer,
    StreamedOptimizer,
    streamed_optimizer,
)
from sluice.optimizer.layer_order import LayerOrder
from sluice.quantization import ProductDecode, ProductEncode, product_decode
from sluice.quantization.codebook import Codebook
from sluice.stream import Pipeline
from sluice_sim.formal import Proof, codebook, gather, loss_scaling, optimizer, streams
from sluice_sim.formal.arith import prove_elementwise

CUT = {"i_shape": "bitx2", "o_shape": "bitx3"}
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
    ("repack", CUT, "behind >= self.places,", "behind > self.places,", "elsewhere"),
    ("repack", CUT, "turn.have.eq(turn.have - self.o_bits)", "turn.have.eq(0)", "queue"),
    ("repack", CUT, "m.Elif(i.ready)", "m.Elif(1)", "queue"),
]


@pytest.mark.parametrize(
    ("name", "parameters", "right", "wrong", "told"), BROKEN, ids=[f"{b[0]}-{b[4]}" for b in BROKEN]
)
def test_broken_block_is_refuted(name, parameters, right, wrong, told):
    scope = _changed(f"sluice.stream.{name}", right, wrong)
    proof = Proof(scope[name.title().replace("_", "")](**parameters))
    getattr(streams, f"prove_{name}")(proof)
    _assert_refuted(proof, told)


@pytest.mark.parametrize(
    ("cls", "right", "wrong", "told"),
    [
        (Pipeline, "room.eq(held != self.depth - 1)", "room.eq(1)", "room"),
        (Pipeline, "taken.eq(self.i.valid & room)", "taken.eq(self.i.valid)", "out than went in"),
        (Elementwise, "first.last), self.unit_latency", "first.last), 0", "order"),
    ],
    ids=["no credits", "not ready", "frame too early"],
)
def test_broken_arithmetic_is_refuted(monkeypatch, cls, right, wrong, told):
    scope = _changed(cls.__module__, right, wrong)
    monkeypatch.setattr(cls, "elaborate", scope[cls.__name__].elaborate)
    proof = Proof(Add(source="fp8_e5m2", target="fp8_e5m2", stages=1))
    prove_elementwise(proof)
    _assert_refuted(proof, told)


@pytest.mark.parametrize(
    ("cls", "right", "wrong", "told"),
    [
        (Codebook, "& ~loader.full", "& 0", "no codebook"),
        (Codebook, "~self.bank, row", "self.bank, row", "another codeword"),
        (ProductDecode, "book.bank ^ book.changes", "book.bank", "another codeword"),
        (ProductEncode, "(distance < least)", "(distance <= least)", "another index"),
        (ProductEncode, "pipeline.i.ready & ends", "pipeline.i.ready", "cut short"),
    ],
)
def test_broken_product_quantization_is_refuted(monkeypatch, cls, right, wrong, told):
    scope = _changed(cls.__module__, right, wrong)
    made = scope[cls.__name__]
    if cls is ProductEncode:
        proof = Proof(made(element="int4", lanes=1, index_bits=2, engines=2))
        codebook.prove_product_encode(proof)
    else:
        if cls is Codebook:
            monkeypatch.setattr(product_decode, "Codebook", made)
            made = ProductDecode
        proof = Proof(made(element="bit", lanes=2, index_bits=1))
        codebook.prove_product_decode(proof)
    _assert_refuted(proof, told)


@pytest.mark.parametrize(
    ("cls", "right", "wrong", "told"),
    [
        (GradientMonitor, "first | (size > largest)", "size > largest", "another largest"),
        (GradientMonitor, "Mux(first, 0, found) | flags", "found | flags", "another infinity"),
        (GradientMonitor, "kept & ~(parts.is_infinity", "~(parts.is_infinity", "another largest"),
        (
            GradientMonitor,
            "a if b is None else Mux(a > b, a, b)",
            "a if b is None else b",
            "largest",
        ),
        (
            GradientMonitor,
            "sample_settings(m, self.config, self.i)",
            "self.config",
            "another place",
        ),
        (LossScale, "idle.eq(~Cat(under_way).any())", "idle.eq(1)", "under way"),
        (LossScale, "with m.If(~begun)", "with m.If(0)", "another exponent"),
        (LossScale, "clean == settings.interval", "clean >= settings.interval", "another grows"),
        (LossScale, "self.exponent <= settings.least", "self.exponent < settings.least", "lowest"),
        (LossScale, "-leading_zeros(fraction)", "0", "another place"),
        (LossScale, "with m.Elif(~clean[-1])", "with m.Else()", "another count"),
        (LossScale, "(total < least) | (most < least)", "total < least", "is chosen"),
    ],
)
def test_broken_loss_scaling_is_refuted(cls, right, wrong, told):
    made = _changed(cls.__module__, right, wrong)[cls.__name__]
    if cls is GradientMonitor:
        proof = Proof(made(element="fp8_e5m2", lanes=2))
        loss_scaling.prove_gradient_monitor(proof)
    else:
        proof = Proof(made(element="fp8_e5m2", count_bits=2))
        loss_scaling.prove_loss_scale(proof)
    _assert_refuted(proof, told)


@pytest.mark.parametrize("block", [CentroidDot, CentroidDotFloat])
@pytest.mark.parametrize(
    ("method", "right", "wrong", "told"),
    [
        ("_enter", "free[0]) | ~room.any()", "free[0])", "room"),
        ("_enter", "(claimed | ~loader.full)", "claimed", "no table"),
        ("elaborate", "flags.last & ~flags.forgets", "flags.last", "without a packet"),
    ],
)
def test_broken_products_by_index_are_refuted(monkeypatch, block, method, right, wrong, told):
    scope = _changed("sluice.compression.gather_dot", right, wrong)
    monkeypatch.setattr(GatherDot, method, vars(scope["GatherDot"])[method])
    name = "centroid_dot" if block is CentroidDot else "centroid_dot_float"
    proof = Proof(block(**find_block(name).proofs[0]))
    gather.prove_centroid_dot(proof)
    _assert_refuted(proof, told)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("sample_settings(m, self.config, self.g)", "self.config", "other settings"),
        ("join(m, streams, both)", "join(m, {**streams, 'w': self.m, 'm': self.w}, both)", "of w"),
        ("both.ready.eq(pipeline.i.ready)", "both.ready.eq(1)", "comes from nowhere"),
        ("one.ready.eq(o.ready)", "one.ready.eq(1)", "before ready"),
        ("one.payload[name]", "one.payload.o", "queue to m_o"),
    ],
)
def test_broken_optimizer_is_refuted(right, wrong, told):
    scope = _changed("sluice.optimizer.optimizer", right, wrong)
    proof = Proof(scope[Optimizer.__name__](moments=1))
    optimizer.prove_optimizer(proof)
    _assert_refuted(proof, told)


@pytest.mark.parametrize(
    ("cls", "right", "wrong", "told"),
    [
        (LayerOrder, "& ~meets.any() &", "&", "is read"),
        (LayerOrder, "looks.all() & full", "full", "is read"),
        (LayerOrder, "low.eq(held.w + held.offset)", "low.eq(held.w)", "is read"),
        (LayerOrder, "& ~active.all()", "", "more layers"),
        (
            StreamedOptimizer,
            "writer.i.valid.eq(goes)",
            "writer.i.valid.eq(order.o.valid)",
            "does not",
        ),
    ],
)
def test_broken_streamed_optimizer_is_refuted(monkeypatch, cls, right, wrong, told):
    made = _changed(cls.__module__, right, wrong)[cls.__name__]
    if cls is LayerOrder:
        monkeypatch.setattr(streamed_optimizer, "LayerOrder", made)
        made = StreamedOptimizer
    small: Any = {"workers": 2, "moments": 0, "burst": 4, "address_bits": 2, "count_bits": 1}
    proof = Proof(made(**small))
    optimizer.prove_streamed_optimizer(proof)
    _assert_refuted(proof, told)


def _changed(module: str, right: str, wrong: str) -> dict[str, Any]:
    source = inspect.getsource(importlib.import_module(module))
    assert source.count(right) == 1
    scope: dict[str, Any] = {"__name__": module}
    exec(compile(source.replace(right, wrong), module, "exec"), scope)
    return scope


def _assert_refuted(proof: Proof, told: str) -> None:
    # Each of the others would take its time to be decided.
    proof.never = {name: bad for name, bad in proof.never.items() if told in name}
    verdict = proof.run()
    assert not verdict.proven
    assert any(told in refuted for refuted in verdict.refuted), verdict.refuted
    assert verdict.trace
