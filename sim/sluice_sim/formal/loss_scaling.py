"""What is proven of loss scaling."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, add_rules, add_track, open_up, tokens_of, track_queue

__all__ = ["prove_gradient_monitor"]


def prove_gradient_monitor(proof: Proof) -> None:
    """Prove the stream rules, that all beats pass once, and that reports say what there was.

    For any magnitude, the largest one reported reaches it if and only if that of a finite element
    does, of a packet since the last report. Flags are of elements of that kind.
    """
    dut: Any = proof.dut
    m: Module = proof.module
    pipeline = dut.pipeline
    queue = open_up(proof, pipeline)
    i = Source(proof, dut.i)
    settings = i.settings(proof, dut.config)
    add_rules(proof, dut.o)
    add_rules(proof, dut.report, name="report")
    o = dut.o
    add_track(
        proof,
        "i to o",
        tokens_of(i.stream.payload, i.offered),
        tokens_of(o.payload, o.valid & o.ready),
        capacity=dut.lanes + 1,
        quiet=~dut.i.valid & o.ready,
    )
    _prove_once(proof, i, ~settings.more)
    chosen = proof.choose(dut.number.width - 1, "chosen")
    tests = {name: Signal(name=f"model_{name}") for name in ("reaches", "infinity", "nan", "other")}
    met: dict[str, Value] = dict.fromkeys(tests, Const(0, 1))
    given = pipeline.entry.beat
    infinite = dut.number.infinity_bits
    for k in range(dut.lanes):
        size, kept = Value.cast(given.data[k])[:-1], given.keep[k]
        finite = size <= dut.number.max_bits
        infinity = Const(0, 1) if infinite is None else size == infinite
        met["reaches"] = met["reaches"] | (kept & finite & (size >= chosen))
        met["infinity"] = met["infinity"] | (kept & infinity)
        met["nan"] = met["nan"] | (kept & ~finite & ~infinity)
        met["other"] = met["other"] | (kept & (size != 0))
    # All is compared when the beat has got to the end of the datapath.
    comes = delay(m, "model_comes", pipeline.entry_valid, pipeline.stages - 1, reset=True)
    ends = delay(m, "model_ends", pipeline.gives, pipeline.stages - 1)
    first = Signal(name="model_first", init=1)
    for name, seen in tests.items():
        late = delay(m, f"model_{name}_met", met[name], pipeline.stages - 1)
        with m.If(comes):
            m.d.sync += seen.eq(Mux(first, 0, seen) | late)
    with m.If(comes):
        m.d.sync += first.eq(ends)
    gives = Signal(name="model_gives")
    m.d.sync += gives.eq(comes & ends)
    result = pipeline.result
    told = result.data[0]
    reaches = told.largest >= chosen
    proof.forbid("another largest", gives & chosen.any() & (reaches != tests["reaches"]))
    proof.forbid("another infinity", gives & (told.infinity != tests["infinity"]))
    proof.forbid("another nan", gives & (told.nan != tests["nan"]))
    proof.forbid("another nonzero", gives & (told.nonzero != tests["other"]))
    proof.forbid("no packet of one", gives & ~Cat(result.keep, result.last).all())
    track_queue(proof, queue, Value.cast(pipeline.o.payload), dut.report, "report")


def _prove_once(proof: Proof, i: Source, ends: Value) -> None:
    """Prove that every beat enters the pipeline once, with its settings."""
    dut: Any = proof.dut
    m = proof.module
    pipeline = dut.pipeline
    entered, inside = Signal(), Signal()
    m.d.comb += inside.eq(pipeline.entry_valid)
    m.d.sync += entered.eq((entered | inside) & ~i.taken)
    proof.forbid("a beat enters twice", inside & entered)
    proof.forbid("a beat is taken and does not enter", i.taken & ~entered & ~inside)
    entry = pipeline.entry.beat
    proof.forbid("another beat enters", inside & (Value.cast(entry) != Value.cast(dut.i.payload)))
    proof.forbid(
        "a report at another place", inside & (pipeline.gives != (dut.i.payload.last & ends))
    )


def prove_loss_scale(proof: Proof) -> None:
    """Prove the stream rules, and that every decision is that of its report, in order.

    It says of the same exponent what is shown, and leads to the next one, which is in its range.
    """
    dut: Any = proof.dut
    m: Module = proof.module
    pipeline = dut.pipeline
    queue = open_up(proof, pipeline)
    Source(proof, dut.i, well_formed=False)
    add_rules(proof, dut.o)
    track_queue(proof, queue, Value.cast(pipeline.o.payload), dut.o, "o")
    _ = queue, m
