"""What is proven of loss scaling."""

from types import SimpleNamespace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed

from sluice.delay import delay
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, add_rules, add_track, open_up, tokens_of, track_queue

__all__ = ["prove_gradient_monitor", "prove_loss_scale"]


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
    """Prove the stream rules, that each report has a decision, in order, and what it is.

    What is computed in a cycle is proven of whatever there was in the cycle before. What was taken,
    exponent and count are proven to hold still from a report to its decision, and what they change
    to then.
    """
    dut: Any = proof.dut
    m: Module = proof.module
    pipeline = dut.pipeline
    queue = open_up(proof, pipeline)
    inner = _look_into(dut, len(Value.cast(pipeline.entry)) - 2)
    i = Source(proof, dut.i, well_formed=False)
    add_rules(proof, dut.o)
    track_queue(proof, queue, Value.cast(pipeline.o.payload), dut.o, "o")
    ages: list[Value] = [i.taken]
    for age in range(1, pipeline.stages + 1):
        ages.append(delay(m, f"model_age_{age}", ages[-1], 1, reset=True))
    come = ages[-1]
    m.d.comb += pipeline.result_valid.eq(come)
    proof.forbid("another is under way", i.taken & Cat(ages[1:-1]).any())

    report_shape, settings_shape = dut.report_beat.element, dut.config.shape()
    report = report_shape(inner.taken[: report_shape.size])
    settings = settings_shape(inner.taken[report_shape.size :])
    exponent, count = dut.exponent, inner.count
    overflow = report.infinity | report.nan
    backs_off, follows = settings.policy == 1, settings.policy == 2

    change, base = Signal(signed(10)), Signal(signed(8))
    m.d.comb += base.eq(exponent)
    with m.If(overflow & (backs_off | follows)):
        m.d.comb += change.eq(-settings.backoff)
    with m.Elif(~overflow & follows & report.largest.any()):
        m.d.comb += [
            change.eq(inner.aim - inner.place),
            base.eq(Mux(settings.unscaled, 0, exponent)),
        ]
    with m.Elif(~overflow & backs_off & inner.grows):
        m.d.comb += change.eq(settings.growth)
    bias = dut.number.bias
    size = _exponent_of(m, dut.number, report.largest)
    some = delay(m, "model_some", report.largest.any(), 1)
    for name, value in {
        "grows": count + 1 == settings.interval,
        "lowest": exponent <= settings.least,
        "aim": settings.headroom + bias,
        "place": size + bias,
        "change": change,
        "base": base,
        "total": (inner.base + inner.change)[: len(inner.total)].as_signed(),
    }.items():
        made = Signal(value.shape(), name=f"model_{name}", reset_less=True)
        m.d.sync += made.eq(value)
        counts = some if name == "place" else Const(1)
        proof.forbid(f"another {name}", counts & (vars(inner)[name] != made))

    below = Mux(inner.total < settings.most, inner.total, settings.most)
    chosen = Mux(below < settings.least, settings.least, below)
    begins = overflow | ~backs_off | inner.grows
    counted = Mux(begins, 0, Mux(count.all(), count, count + 1))
    came = Cat(Value.cast(dut.i.payload.data), Value.cast(dut.config))
    begun = Signal(name="model_begun")
    m.d.sync += begun.eq(begun | i.taken)
    first = Mux(begun, exponent, dut.config.initial)
    stuck = dut.status.stuck | (come & overflow & inner.lowest)
    for name, value, after in (
        ("report", inner.taken, Mux(i.taken, came, inner.taken)),
        ("count", count, Mux(come, counted, count)),
        ("exponent", exponent, Mux(come, chosen, first)),
        ("status", dut.status.stuck, stuck),
    ):
        made = Signal.like(value, name=f"model_{name}", reset_less=name == "report")
        m.d.sync += made.eq(after)
        proof.forbid(f"another {name}", value != made)
    result = pipeline.result
    told = result.data[0]
    proof.forbid("another step is skipped", come & (told.skip != overflow))
    proof.forbid("another is chosen", come & (told.exponent != chosen))
    proof.forbid("another scale is taken off", come & (told.unscale + exponent != 0))
    proof.forbid("no packet of one", come & ~Cat(result.keep, result.last).all())


def _look_into(dut: Any, taken: int) -> Any:
    """Return what the block computes on the way, and what it took, of so many bits."""
    shapes = {"taken": taken, "count": dut.count_bits, "grows": 1, "lowest": 1}
    shapes |= dict.fromkeys(("aim", "place", "change", "base", "total"), signed(10))
    seen = SimpleNamespace(**{name: Signal(shape, name=name) for name, shape in shapes.items()})
    decide = dut._decide

    def look(inside: Module) -> None:
        decide(inside)
        inside.d.comb += [signal.eq(getattr(dut, name)) for name, signal in vars(seen).items()]

    dut._decide = look
    return seen


def _exponent_of(m: Module, number: Any, largest: Value) -> Value:
    """Return the binary exponent of a magnitude that is not zero, rounded down."""
    fraction, field = largest[: number.fraction_bits], largest[number.fraction_bits :]
    size = Signal(signed(number.exponent_bits + 2), name="model_size")
    m.d.comb += size.eq(field - number.bias)
    with m.If(field == 0):
        for k in range(number.fraction_bits):
            with m.If(fraction >> k == 1):
                m.d.comb += size.eq(1 - number.bias - number.fraction_bits + k)
    return size
