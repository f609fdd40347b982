"""What is proven of each stream block."""

from typing import Any

from amaranth import Cat, Const, EnableInserter, Module, Mux, Signal, Value

from sluice.delay import delay
from sluice.stream import element_bytes
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import (
    Source,
    Token,
    add_rules,
    add_track,
    open_up,
    tokens_of,
    track_queue,
)

__all__ = [
    "prove_arbiter",
    "prove_axi_stream_master",
    "prove_axi_stream_slave",
    "prove_demux",
    "prove_fifo",
    "prove_fork",
    "prove_join",
    "prove_narrow",
    "prove_packet_counter",
    "prove_packet_splitter",
    "prove_register_slice",
    "prove_repack",
    "prove_skid_buffer",
    "prove_widen",
]


def passing(stream: Any) -> Value:
    """Return whether a beat is transferred."""
    return stream.valid & stream.ready


def forbid_gaps(proof: Proof, payload: Any, there: Value) -> None:
    """State that beats keep a run of lanes, and all but a packet's last one every lane."""
    keep = payload.keep
    proof.forbid("partly kept inside a packet", there & ~payload.last & ~keep.all())
    proof.forbid("a hole in keep", there & (keep & (keep + 1)).any())


def prove_pass(proof: Proof, *, capacity: int, ends: bool = True) -> Source:
    """Everything that enters ``i`` leaves ``o``, and ``o`` keeps the rules."""
    dut: Any = proof.dut
    source = Source(proof, dut.i)
    add_rules(proof, dut.o)
    add_track(
        proof,
        "i to o",
        tokens_of(dut.i.payload, source.taken, ends=ends),
        tokens_of(dut.o.payload, passing(dut.o), ends=ends),
        capacity=capacity,
        quiet=~dut.i.valid & dut.o.ready,
        ends=ends,
    )
    return source


def prove_register_slice(proof: Proof) -> None:
    """Prove the stream rules, and: at most one beat is inside."""
    dut: Any = proof.dut
    prove_pass(proof, capacity=dut.shape.lanes + 1)


def prove_skid_buffer(proof: Proof) -> None:
    """Prove the stream rules, and: at most two beats are inside."""
    dut: Any = proof.dut
    prove_pass(proof, capacity=2 * (dut.shape.lanes + 1))


def prove_fifo(proof: Proof) -> None:
    """Prove the stream rules, and: at most ``depth`` beats are inside, as the level says."""
    dut: Any = proof.dut
    prove_pass(proof, capacity=dut.depth * (dut.shape.lanes + 1))
    proof.forbid("level above depth", dut.level > dut.depth)


def prove_fork(proof: Proof) -> None:
    """Prove the stream rules, and: every output gets every beat, each at its own pace."""
    dut: Any = proof.dut
    source = Source(proof, dut.i)
    ready = Cat(o.ready for o in dut.o).all()
    for k, o in enumerate(dut.o):
        add_rules(proof, o, name=f"o{k}")
        add_track(
            proof,
            f"i to o{k}",
            tokens_of(dut.i.payload, source.offered),
            tokens_of(o.payload, passing(o)),
            capacity=dut.shape.lanes + 1,
            quiet=~dut.i.valid & ready,
        )
        alone = Signal(name=f"alone_{k}")
        # An output that has not got its beat is offered it whatever the others do.
        proof.module.d.comb += alone.eq(source.offered & ~o.valid)
        proof.forbid(f"o{k}: waits for another output", alone)


def prove_join(proof: Proof) -> None:
    """Prove the stream rules, and: each part of the output comes from its own input."""
    dut: Any = proof.dut
    add_rules(proof, dut.o)
    sources = [Source(proof, i, name=f"i{k}") for k, i in enumerate(dut.i)]
    for k, source in enumerate(sources):
        add_track(
            proof,
            f"i{k} to o",
            tokens_of(dut.i[k].payload, source.taken),
            tokens_of(dut.o.payload[k], passing(dut.o)),
            capacity=1,
            quiet=~dut.i[k].valid,
        )


def prove_arbiter(proof: Proof) -> None:
    """Prove the stream rules, and: packets stay whole, and nobody waits for ever."""
    dut: Any = proof.dut
    m = proof.module
    add_rules(proof, dut.o)
    sources = [Source(proof, i, name=f"i{k}") for k, i in enumerate(dut.i)]
    moves = passing(dut.o)
    ends = moves & (dut.o.payload.last if dut.packets else 1)
    fresh, last_source = Signal(init=1), Signal.like(dut.source)
    waiting = Signal()
    m.d.sync += waiting.eq(dut.o.valid & ~dut.o.ready)
    with m.If(moves):
        m.d.sync += [fresh.eq(ends), last_source.eq(dut.source)]
    proof.forbid("a packet was interrupted", dut.o.valid & ~fresh & (dut.source != last_source))
    proof.forbid("idle with a request", Cat(i.valid for i in dut.i).any() & fresh & ~dut.o.valid)
    for k, source in enumerate(sources):
        mine = dut.source == k
        add_track(
            proof,
            f"i{k} to o",
            tokens_of(dut.i[k].payload, source.taken),
            tokens_of(dut.o.payload, moves & mine),
            capacity=1,
            quiet=~dut.i[k].valid,
        )
        if dut.policy == "priority":
            proof.forbid(
                f"i{k} passed over",
                dut.i[k].valid & fresh & ~waiting & dut.o.valid & (dut.source > k),
            )
        else:
            others = Signal(range(dut.inputs + 2), name=f"others_{k}")
            with m.If(~dut.i[k].valid | mine & dut.o.valid):
                m.d.sync += others.eq(0)
            with m.Elif(ends):
                m.d.sync += others.eq(others + 1)
            # The packet under way when the request came is not one of the turns.
            proof.forbid(f"i{k} passed over", others > dut.inputs)


def prove_demux(proof: Proof) -> None:
    """Prove the stream rules, and: each packet goes to the output chosen at its first beat."""
    dut: Any = proof.dut
    source = Source(proof, dut.i)
    settings = source.settings(proof, dut.config)
    for k, o in enumerate(dut.o):
        add_rules(proof, o, name=f"o{k}")
        add_track(
            proof,
            f"i to o{k}",
            tokens_of(dut.i.payload, source.taken & (settings.select == k)),
            tokens_of(o.payload, passing(o)),
            capacity=1,
            quiet=~dut.i.valid,
        )
    lost = Signal()
    with proof.module.If(dut.i.valid & (settings.select >= dut.outputs)):
        proof.module.d.sync += lost.eq(1)
    proof.forbid("status", dut.status.bad_select != lost)


def prove_widen(proof: Proof) -> None:
    """Prove the stream rules, and: no element is lost, and only a last beat is partly kept."""
    dut: Any = proof.dut
    prove_pass(proof, capacity=dut.ratio * dut.shape.lanes + 1)
    forbid_gaps(proof, dut.o.payload, dut.o.valid)


def prove_narrow(proof: Proof) -> None:
    """Prove the stream rules, and: no element is lost, and only a last beat is partly kept."""
    dut: Any = proof.dut
    prove_pass(proof, capacity=dut.ratio * dut.shape.lanes + 1)
    forbid_gaps(proof, dut.o.payload, dut.o.valid)


def prove_repack(proof: Proof) -> None:
    """Prove that no bit of what comes is lost, and that only a last beat is partly kept.

    In two parts: what is in front of the turns puts bits where they go, and says how many there
    are; and of any beats of which this holds, the turns give all. Of elements of one bit: what
    becomes of elements of several bits is left to the bench. The handshake of the output is that of
    the pipeline, whose rules are those of its queue; here it lets turns in when it likes.
    """
    dut: Any = proof.dut
    m, pipeline = proof.module, dut.pipeline
    queue = open_up(proof, pipeline)
    proof.drive(dut.config.spare, 0)
    source = Source(proof, dut.i)
    front = Module()
    m.submodules.front = EnableInserter(dut.i.ready)(front)
    placed = Value.cast(dut.shift(front, Const(0)))
    wanted = _put(proof, dut.i.payload, source.taken, name="front")
    held = Module()
    m.submodules.held = EnableInserter(dut.i.ready)(held)
    wanted = delay(held, "proof_put", Cat(wanted, source.taken), dut.shifts, reset=True)
    there = wanted[-1]
    proof.forbid("bits are put elsewhere", there & (placed[1:] != wanted[1:-1]))
    proof.forbid("a beat comes or goes", there != placed[0])

    # Any beat where it goes.
    beat: Any = Signal(dut.i_shape)
    valid = proof.input(1, "beat_valid")
    free = dut.i_shape(proof.input(dut.i_bits * 2 + 1, "beat"))
    run = Cat(free.keep[: k + 1].all() for k in range(dut.i_bits))
    m.d.comb += [beat.eq(free), beat.keep.eq(Mux(free.last, run, -1))]
    taken = dut.i.ready & valid
    word: Any = Signal(dut.turn)
    m.d.comb += [Value.cast(word).eq(_put(proof, beat, taken, name="turns")), word.valid.eq(valid)]
    dut.shift = lambda front, spare: word
    given = delay(m, "proof_given", pipeline.entry_valid & pipeline.gives, 1, reset=True)
    result = pipeline.result
    add_track(
        proof,
        "beats to the queue",
        tokens_of(beat, taken),
        tokens_of(result, given),
        capacity=2 * dut.room + 4,
        quiet=~valid & pipeline.i.ready,
    )
    forbid_gaps(proof, result, given)
    add_rules(proof, dut.o)
    track_queue(proof, queue, Value.cast(pipeline.o.payload), dut.o, "o")


def _put(proof: Proof, beat: Any, taken: Value, *, name: str) -> Value:
    """Return what the turns of a beat are made of."""
    dut: Any = proof.dut
    m = proof.module
    before = Signal(range(max(2, dut.places)), name=f"{name}_before")
    kept = Value.cast(beat.data) & beat.keep
    size = sum((bit for bit in beat.keep), Const(0))
    behind = Signal(range(dut.room + 1), name=f"{name}_behind")
    wide, steps = dut.o_bits, Signal(range(dut.room // dut.step + 1), name=f"{name}_steps")
    m.d.comb += [
        behind.eq(before * dut.step + size),
        steps.eq(before + sum((size > k * dut.step for k in range(dut.steps)), Const(0))),
    ]
    with m.If(taken):
        m.d.sync += before.eq(Mux(beat.last, 0, (before + dut.steps) % dut.places))
    word: Any = Signal(dut.turn, name=f"{name}_word")
    more = Mux(beat.last, behind > wide, behind >= 2 * wide)
    m.d.comb += [
        word.valid.eq(1),
        word.bits.eq(kept << (before * dut.step)),
        word.steps.eq(steps),
        word.have.eq(behind),
        word.last.eq(beat.last),
        word.gives.eq(beat.last | (behind >= wide)),
        word.more.eq(more),
        word.ends.eq(beat.last & ~more),
    ]
    return Value.cast(word)


def prove_packet_counter(proof: Proof) -> None:
    """Prove the stream rules, and: the counts are those of the stream that passes unchanged."""
    dut: Any = proof.dut
    m = proof.module
    source = prove_pass(proof, capacity=1)
    events = {
        "beats": source.taken,
        "packets": source.taken & dut.i.payload.last,
        "stalls": dut.i.valid & ~dut.i.ready,
    }
    for name, event in events.items():
        model = Signal(dut.width, name=f"model_{name}")
        m.d.sync += model.eq(Mux(dut.clear, 0, model + event))
        proof.forbid(f"count of {name}", model != dut.counts[name])


def prove_packet_splitter(proof: Proof) -> None:
    """Prove the stream rules, and: a packet ends where it did or after the set number of beats."""
    dut: Any = proof.dut
    m = proof.module
    source = prove_pass(proof, capacity=1, ends=False)
    settings = source.settings(proof, dut.config)
    length = Signal(range(dut.max_beats + 2))
    moves = passing(dut.o)
    with m.If(moves):
        m.d.sync += length.eq(
            Mux(dut.o.payload.last, 0, Mux(length > dut.max_beats, length, length + 1))
        )
    due = dut.i.payload.last | ((length + 1) == settings.beats)
    proof.forbid("an end in the wrong place", moves & (dut.o.payload.last != due))


def axi_tokens(beat: Any, data: Any, keep: Any, last: Any, passes: Value) -> list[Token]:
    """Return the tokens of an AXI4-Stream transfer."""
    size = element_bytes(beat)
    tokens = [
        Token(
            passes & keep[k * size],
            Cat(data.word_select(k, 8 * size)[: beat.element_width], Value.cast(0)[:1]),
        )
        for k in range(beat.lanes)
    ]
    end = Token(passes & last, Value.cast(1 << beat.element_width))
    return [*tokens, end]


def prove_axi_stream_slave(proof: Proof) -> None:
    """Prove the stream rules, and: beats are the transfers, element by element."""
    dut: Any = proof.dut
    axi = (dut.s_axis_tdata, dut.s_axis_tkeep, dut.s_axis_tlast)
    add_track(
        proof,
        "s_axis to o",
        axi_tokens(dut.shape, *axi, dut.s_axis_tvalid & dut.s_axis_tready),
        tokens_of(dut.o.payload, passing(dut.o)),
        capacity=1,
        quiet=~dut.s_axis_tvalid,
    )
    proof.forbid("valid waits", dut.s_axis_tvalid & ~dut.o.valid)


def prove_axi_stream_master(proof: Proof) -> None:
    """Prove the stream rules, and: transfers are the beats, element by element."""
    dut: Any = proof.dut
    source = Source(proof, dut.i)
    axi = (dut.m_axis_tdata, dut.m_axis_tkeep, dut.m_axis_tlast)
    add_track(
        proof,
        "i to m_axis",
        tokens_of(dut.i.payload, source.taken),
        axi_tokens(dut.shape, *axi, dut.m_axis_tvalid & dut.m_axis_tready),
        capacity=1,
        quiet=~dut.i.valid,
    )
    m = proof.module
    waiting, held = Signal(), Signal(sum(len(part) for part in axi))
    m.d.sync += [waiting.eq(dut.m_axis_tvalid & ~dut.m_axis_tready), held.eq(Cat(axi))]
    proof.forbid("tvalid dropped before tready", waiting & ~dut.m_axis_tvalid)
    proof.forbid("payload changed before tready", waiting & (Cat(axi) != held))
