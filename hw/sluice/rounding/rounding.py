"""The rounding unit."""

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.formats import Float, find_format
from sluice.params import Choice, Flag, Int, parse_whole
from sluice.rounding.align import add_align, plan_align
from sluice.rounding.direct import add_direct, direct_stages
from sluice.rounding.finish import FINISH_STAGES, add_finish
from sluice.rounding.generators import GENERATORS, default_seeds, seed_or_substitute
from sluice.rounding.lane import Lane, Result, Shared
from sluice.rounding.settings import MODES, Modes, NumberFormat, own_field_bits, rounding_layout
from sluice.stream import Beat, sample_settings

__all__ = ["Rounding"]

SOURCES = ("fp32", "fp16", "bf16", "int8", "int16", "int32")
TARGETS = ("tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2", "int4", "int8", "int16")


class Rounding(Block):
    """Round every element to a narrower format: ``(kept + up) * quantum``, the sign put back.

    Parameters
    ----------
    source : format
        ``fp32``, ``fp16``, ``bf16``, ``int8``, ``int16``, ``int32`` or ``fixedW.F``.
    target : format
        A narrower one, of signed numbers.
    lanes : int, 1..64
        Elements per beat.
    modes : words with commas between
        Rounding modes to build: ``nearest_even``, ``towards_zero``, ``own_bits``, ``generator``.
    random_bits : int, 1..16
        R, the bits that decide in the modes ``own_bits`` and ``generator``.
    position : int, 0..31
        Lowest of the R bits of the source word that ``own_bits`` takes: of the fraction field, or
        of the magnitude of a fixed-point source.
    generator : {"lfsr", "xoroshiro"}
        What makes the random bits of the mode ``generator``.
    saturation : bool
        With the setting ``saturate``. Fixed-point targets always saturate and do not have it.
    status_bits : bool
        With ``status``.

    Members
    -------
    i : In(stream.Signature(Beat(source, lanes)))
    o : Out(stream.Signature(Beat(target, lanes)))
    config : In(StructLayout({"mode": 2, "saturate": 1, "seed_load": 1, "seed_lane": n, "seed": n}))
        Only the fields that have a meaning; none, no port. ``mode`` counts the modes in the order
        above (one that is not built rounds towards zero), and exists where there are several.
        ``saturate`` turns overflow and infinity into the largest finite value. Both are sampled
        at the first beat of a packet. With a generator, ``seed_load`` replaces the state of lane
        ``seed_lane`` by ``seed`` before the first beat of a packet is taken, which rounds with it
        already; the three fields must hold still until then. A zero ``seed`` means 1. An empty
        packet will do.
    status : Out(StructLayout({"overflow": 1, "invalid": 1}))
        Sticky: a finite element was rounded beyond the largest finite value; an element was NaN.

    Attributes
    ----------
    latency : cycles
        Equal exponent widths: 4, and 5 with ``saturation``. Otherwise 4 behind the alignment.
        From floating point that is 4 + ceil(L / 2) with L the bits of the longest shift that
        matters (R + fraction bits + 1 of a floating-point target, R + width of any other). From
        fixed to floating point it is 3 + L, where the shift is at most ``width - 1``, and 3 to
        fixed point.
    interval : 1 cycle
        A seed costs three or four more.

    Notes
    -----
    ``i.ready`` depends on ``o.ready`` in the same cycle; all stages stall together. Every lane's
    generator steps once per beat, whatever its mode and ``keep``. Reset drops what is on the way
    and gives the lanes different states.

    Overflow gives infinity, or NaN in a format without one, and the largest finite value in mode
    ``towards_zero``. NaN becomes the canonical quiet NaN with its sign, or zero in fixed point.

    Method: US 10684824 (``own_bits``: rounding with low bits of the value itself). Golden model:
    :func:`sluice_sim.golden.rounding.round_bits`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, if ``target`` is not narrower than
        ``source``, or if the bits for ``own_bits`` do not lie in their field.
    """

    i: stream.Interface
    o: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = (
        NumberFormat("source", "number format that comes in", SOURCES),
        NumberFormat("target", "narrower number format that goes out", TARGETS),
        Int("lanes", "elements per beat", 1, 64),
        Modes("modes", "rounding modes to build"),
        Int("random_bits", "bits that decide in the stochastic modes", 1, 16, "bits"),
        Int("position", "lowest of the source's own bits to round with", 0, 31),
        Choice("generator", "what makes random bits", tuple(GENERATORS)),
        Flag("saturation", "with a setting that replaces overflow by the largest value"),
        Flag("status_bits", "with status"),
    )

    def __init__(
        self,
        *,
        source: str = "fp32",
        target: str = "bf16",
        lanes: int = 8,
        modes: str = "nearest_even,towards_zero,own_bits,generator",
        random_bits: int = 8,
        position: int = 0,
        generator: str = "lfsr",
        saturation: bool = True,
        status_bits: bool = True,
    ):
        self.check(
            source=source,
            target=target,
            lanes=lanes,
            modes=modes,
            random_bits=random_bits,
            position=position,
            generator=generator,
            saturation=saturation,
            status_bits=status_bits,
        )
        self.source: str
        self.target: str
        self.lanes: int
        self.modes: str
        self.random_bits: int
        self.position: int
        self.generator: str
        self.saturation: bool
        self.status_bits: bool
        i_format: Any = find_format(self.source)
        o_format: Any = find_format(self.target)
        self.i_format, self.o_format = i_format, o_format
        self.mode_names = tuple(self.modes.split(","))
        if o_format.width >= i_format.width:
            raise ValueError(f"target must be narrower than {self.source}, not {self.target}")
        own = own_field_bits(i_format)
        if "own_bits" in self.mode_names and self.position + self.random_bits > own:
            raise ValueError(
                f"position must be in 0..{own - self.random_bits}, not {self.position}: bits "
                f"position to position + {self.random_bits} - 1 must lie in the {own} bits that "
                f"{self.source} can round with"
            )
        # A floating-point target narrower than its source has at most the source's exponent.
        self.is_direct = (
            isinstance(i_format, Float)
            and isinstance(o_format, Float)
            and i_format.exponent_bits == o_format.exponent_bits
        )
        self.accepts_nan = isinstance(o_format, Float)
        self.saturates = self.saturation and isinstance(o_format, Float)
        if self.is_direct:
            self.latency = direct_stages(saturation=self.saturates)
        else:
            self.plan = plan_align(i_format, o_format, self.random_bits)
            self.latency = self.plan.stages + FINISH_STAGES
        self.seed_bits = GENERATORS[self.generator].WIDTH if "generator" in self.mode_names else 0
        layout = rounding_layout(
            modes=self.mode_names,
            saturation=self.saturates,
            lanes=self.lanes,
            seed_bits=self.seed_bits,
        )
        self.i_beat, self.o_beat = Beat(i_format, self.lanes), Beat(o_format, self.lanes)
        members: dict[str, Any] = {
            "i": In(stream.Signature(self.i_beat)),
            "o": Out(stream.Signature(self.o_beat)),
        }
        if layout.members:
            members["config"] = In(layout)
        if self.status_bits:
            members["status"] = Out(data.StructLayout({"overflow": 1, "invalid": 1}))
        super().__init__(members)

    def read_settings(self, texts: Mapping[str, str], *, packets: int) -> list[dict[str, int]]:
        """Return the settings; ``mode`` is a word, ``seed`` a number that gives each lane its own.

        Seeds are loaded by empty packets, one per lane.
        """
        plain = {k: v for k, v in texts.items() if k not in ("mode", "seed")}
        [settings] = super().read_settings(plain, packets=packets)
        if "mode" in texts:
            if texts["mode"] not in self.mode_names:
                raise ValueError(f"mode must be one of {' '.join(self.mode_names)}")
            if len(self.mode_names) > 1:
                settings["mode"] = MODES.index(texts["mode"])
        seeds: list[int] = []
        if "seed" in texts:
            if not self.seed_bits:
                raise ValueError("no setting 'seed': this unit has no generator")
            seeds = default_seeds(self.lanes, self.seed_bits, parse_whole("seed", texts["seed"]))
        loads = [{"seed_load": 1, "seed_lane": k, "seed": s} for k, s in enumerate(seeds)]
        return [*loads, settings]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        go, accept, seeds_ready = Signal(), Signal(), Signal()
        beat = self.i.payload
        valid: Value = accept
        stages = []
        for k in range(self.latency):
            stage = Signal(name=f"valid_{k + 1}")
            with m.If(go):
                m.d.sync += stage.eq(valid)
            valid = stage
            stages.append(stage)
        m.d.comb += [
            go.eq(~valid | self.o.ready),
            self.i.ready.eq(go & seeds_ready),
            accept.eq(self.i.valid & self.i.ready),
        ]

        shared = self.add_shared(m, go)
        random = self.add_generators(m, accept, go & stages[0], stages[0], seeds_ready)
        results: list[Result] = []
        for k in range(self.lanes):
            lane = Lane(shared, self.i_format, self.o_format, f"lane{k}")
            word = Value.cast(beat.data[k])
            if self.is_direct:
                result = add_direct(lane, word, random[k], saturation=self.saturates)
            else:
                result = add_finish(lane, self.plan, add_align(lane, self.plan, word, random[k]))
            assert result.depth == self.latency
            results.append(result)
        m.d.comb += [
            self.o.valid.eq(valid),
            *(
                Value.cast(self.o.payload.data[k]).eq(result.bits)
                for k, result in enumerate(results)
            ),
            self.o.payload.keep.eq(shared.delayed("keep", beat.keep, self.latency)),
            self.o.payload.last.eq(shared.delayed("last", beat.last, self.latency)),
        ]
        if self.status_bits:
            depth = results[0].flags_depth
            keep = shared.delayed("keep", beat.keep, depth)
            self.watch(m, stages[depth - 1] & go, keep, results)
        return m

    def add_shared(self, m: Module, go: Value) -> Shared:
        """Sample the settings that hold for a packet."""
        mode: Value = Const(0, 2)
        saturate: Value = Const(0, 1)
        steady = {
            name: self.config[name]
            for name in ("mode", "saturate")
            if "config" in self.signature.members and name in self.config.shape().members
        }
        if steady:
            sampled = sample_settings(m, Cat(*steady.values()), self.i)
            if "saturate" in steady:
                saturate = sampled[-1]
            if "mode" in steady:
                mode = sampled[:2]
        return Shared(
            m=m,
            go=go,
            modes=self.mode_names,
            mode=mode,
            saturate=saturate,
            random_bits=self.random_bits,
            position=self.position,
        )

    def add_generators(
        self, m: Module, accept: Value, step: Value, busy: Value, ready: Signal
    ) -> list[Value]:
        """Return each lane's random bits for the beat in the first stage, which ``step`` moves.

        ``busy`` says that there is one; ``ready`` stays low while a seed is loaded.
        """
        if not self.seed_bits:
            m.d.comb += ready.eq(1)
            return [Const(0, self.random_bits)] * self.lanes
        generator = GENERATORS[self.generator]
        first, seeded, asks, loads = Signal(init=1), Signal(), Signal(), Signal()
        lane = Signal.like(self.config.seed_lane)
        seed, prepared = (
            Signal(self.seed_bits, name=name, reset_less=True) for name in ("seed", "prepared")
        )
        m.d.comb += ready.eq(~(first & self.config.seed_load) | seeded)
        with m.If(accept):
            m.d.sync += [first.eq(self.i.payload.last), seeded.eq(0)]
        # The beat before this one must have had its random bits.
        m.d.sync += [
            asks.eq(self.i.valid & ~ready & ~busy & ~asks & ~loads),
            loads.eq(asks),
            seed.eq(seed_or_substitute(self.config.seed)),
            prepared.eq(generator.prepare(seed)),
            lane.eq(self.config.seed_lane),
        ]
        with m.If(loads):
            m.d.sync += seeded.eq(1)
        return [
            generator(
                m,
                random_bits=self.random_bits,
                step=step,
                load=loads & (lane == k),
                seed=prepared,
                init=init,
            ).bits
            for k, init in enumerate(default_seeds(self.lanes, self.seed_bits))
        ]

    def watch(self, m: Module, moves: Value, keep: Value, results: list[Result]) -> None:
        """Keep in mind what happened to elements that count."""
        for name in ("overflow", "invalid"):
            flags = Cat(getattr(result, name) for result in results) & keep
            groups = Cat(flags[k : k + 4].any() for k in range(0, self.lanes, 4))
            seen = Signal(len(groups), name=f"{name}_seen")
            m.d.sync += seen.eq(Mux(moves, groups, 0))
            with m.If(seen.any()):
                m.d.sync += getattr(self.status, name).eq(1)
