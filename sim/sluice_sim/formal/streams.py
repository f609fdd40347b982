"""What is proven of each stream block."""

from typing import Any

from amaranth import Cat, Mux, Signal, Value

from sluice.stream import element_bytes
from sluice_sim.formal.engine import Proof
from sluice_sim.formal.monitors import Source, Token, add_rules, add_track, tokens_of

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
    "prove_skid_buffer",
    "prove_widen",
]


def passing(stream: Any) -> Value:
    """Return whether a beat is transferred."""
    return stream.valid & stream.ready


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
    full = dut.o.payload.keep.all()
    proof.forbid("partly kept inside a packet", dut.o.valid & ~dut.o.payload.last & ~full)
    keep = dut.o.payload.keep
    proof.forbid("a hole in keep", dut.o.valid & (keep & (keep + 1)).any())


def prove_narrow(proof: Proof) -> None:
    """Prove the stream rules, and: no element is lost, and only a last beat is partly kept."""
    dut: Any = proof.dut
    prove_pass(proof, capacity=dut.ratio * dut.shape.lanes + 1)
    full = dut.o.payload.keep.all()
    proof.forbid("partly kept inside a packet", dut.o.valid & ~dut.o.payload.last & ~full)


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
