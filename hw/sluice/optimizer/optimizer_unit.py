"""Optimizer steps: the datapath of all lanes."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.add_unit import AddUnit
from sluice.arith.divide_unit import DivideUnit
from sluice.arith.multiply_add_unit import MultiplyAddUnit
from sluice.arith.multiply_unit import MultiplyUnit
from sluice.arith.square_root_unit import SquareRootUnit
from sluice.delay import delay, delay_line
from sluice.formats import FORMATS, Float
from sluice.optimizer.settings import optimizer_layout

__all__ = ["OptimizerUnit"]

_FP32 = FORMATS["fp32"]
_TOP = 1 << 31
# Registers in each kind of unit.
_STAGES = {"multiply": 8, "fused": 13, "add": 9, "root": 28, "divide": 30}


class _Ages:
    """Values of a datapath, each as it was put there a number of cycles before."""

    def __init__(self, m: Module, name: str):
        self.m, self.name = m, name
        self.ages: dict[str, dict[int, Value]] = {}

    def put(self, name: str, value: Any, cycle: int) -> None:
        """Say that what enters in cycle 0 has made ``value`` in ``cycle``."""
        self.ages[name] = {cycle: Value.cast(value)}

    def at(self, name: str, cycle: int) -> Value:
        """Return the value as it goes with what is in the datapath at ``cycle``."""
        ages = self.ages[name]
        if cycle not in ages:
            before = max(k for k in ages if k < cycle)
            label = f"{self.name}_{name}_{cycle}"
            ages[cycle] = delay_line(self.m, label, ages[before], cycle - before)
        return ages[cycle]


class OptimizerUnit(wiring.Component):
    """One step of every lane's parameter, in fp32; a result per cycle, no handshake.

    Parameters
    ----------
    lanes : int
    moments : int, 0..2
        0 for plain SGD; 1 for momentum as well; 2 for Adam as well.
    flush : bool
        Subnormal numbers count as zero, and so do results below the smallest normal number.

    Members
    -------
    g, w, m, v : In(32 * lanes)
        Gradients, weights, and moments.
    settings : In(optimizer_layout(moments))
    w_o, m_o, v_o : Out(32 * lanes)
        ``latency`` cycles later.
    """

    settings: Any

    def __init__(self, *, lanes: int, moments: int, flush: bool = False):
        self.lanes, self.moments, self.flush = lanes, moments, flush
        kept = ("w", "m", "v")[: moments + 1]
        self.kept = kept
        self.late = {kind: self._make(kind).latency for kind in _STAGES}
        self._place()
        ports: dict[str, Any] = {name: In(32 * lanes) for name in ("g", *kept)}
        ports["settings"] = In(optimizer_layout(moments))
        super().__init__(ports | {f"{name}_o": Out(32 * lanes) for name in kept})

    def _make(self, kind: str, **more: Any) -> Any:
        assert isinstance(_FP32, Float)
        options: dict[str, Any] = {"source": _FP32, "target": _FP32, "flush": self.flush}
        options |= {"stages": _STAGES[kind], **more}
        made = {
            "multiply": MultiplyUnit,
            "fused": MultiplyAddUnit,
            "add": AddUnit,
            "root": SquareRootUnit,
            "divide": DivideUnit,
        }[kind](**options)
        made._MustUse__silence = True
        return made

    def _place(self) -> None:
        """Say in which cycle each part begins; a register follows every multiplexer."""
        late = self.late
        self.clips = late["multiply"] + 1
        self.decays = self.clips + 2
        at = self.decays + late["fused"] + 2
        if self.moments:
            self.differs = at
            at += late["fused"] + 1
            self.gains = at
            at += late["fused"] + 2
            self.turns = at
            at += late["fused"] + 1
        if self.moments > 1:
            self.roots = at
            self.adds = self.roots + late["root"]
            self.divides = self.adds + late["add"]
            at = self.divides + late["divide"]
        self.chooses = at
        self.moves = at + 1
        self.latency = self.moves + late["fused"] + 1

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self.shared = shared = _Ages(m, "settings")
        for name, shape in self.settings.shape():
            del shape
            shared.put(name, self.settings[name], 0)
        for k in range(self.lanes):
            lane = _Ages(m, f"lane_{k}")
            for name in ("g", *self.kept):
                lane.put(name, getattr(self, name).word_select(k, 32), 0)
            self._take_gradient(m, k, lane)
            if self.moments:
                self._turn_moments(m, k, lane)
            self._move(m, k, lane)
            for name in self.kept:
                word = lane.at(f"{name}_new", self.latency)
                m.d.comb += getattr(self, f"{name}_o").word_select(k, 32).eq(word)
        return m

    def _unit(self, m: Module, k: int, name: str, kind: str, **operands: Any) -> Value:
        """Return what a unit makes of its operands."""
        more = {"subtract": True} if name == "difference" else {}
        unit = self._make(kind, **more)
        m.submodules[f"{name}_{k}"] = unit
        for port, value in operands.items():
            m.d.comb += getattr(unit, port).eq(value)
        return unit.o

    def _choose(self, m: Module, k: int, name: str, value: Any) -> Value:
        """Return ``value`` from a register."""
        return delay(m, f"{name}_{k}", value, 1)

    def _take_gradient(self, m: Module, k: int, lane: _Ages) -> None:
        """Scale the gradient, clip it, and let weights decay: ``d`` and ``w_kept``."""
        s = self.shared.at
        sign = Cat(lane.at("g", 0)[:31], lane.at("g", 0)[31] ^ s("maximize", 0))
        scaled = self._unit(m, k, "scaled", "multiply", a=sign, b=s("scale", 0))
        lane.put("scaled", scaled, self.late["multiply"])
        scaled = lane.at("scaled", self.clips)
        limit = s("clip", self.clips)
        # A NaN is no larger than anything.
        above = scaled[:31] > limit[:31]
        is_nan = scaled[23:31].all() & scaled[:23].any()
        lane.put("above", self._choose(m, k, "above", above & ~is_nan), self.clips + 1)
        now = self.clips + 1
        scaled, limit = lane.at("scaled", now), s("clip", now)
        clipped = Cat(Mux(lane.at("above", now), limit[:31], scaled[:31]), scaled[31])
        lane.put("clipped", self._choose(m, k, "clipped", clipped), self.decays)

        now = self.decays
        decoupled = s("decoupled", now)
        decayed = self._unit(
            m,
            k,
            "decayed",
            "fused",
            a=s("decay", now),
            b=lane.at("w", now),
            c=Mux(decoupled, _TOP, lane.at("clipped", now)),
        )
        now += self.late["fused"]
        lane.put("decayed", decayed, now)
        decoupled, now = s("decoupled", now + 1), now + 1
        decayed, w = lane.at("decayed", now), lane.at("w", now)
        clipped = lane.at("clipped", now)
        lane.put("d", self._choose(m, k, "d", Mux(decoupled, clipped, decayed)), now + 1)
        lane.put("w_kept", self._choose(m, k, "w_kept", Mux(decoupled, decayed, w)), now + 1)

    def _turn_moments(self, m: Module, k: int, lane: _Ages) -> None:
        """Set ``m_next``, ``v_next``, and ``turned``, where the weight goes."""
        s, fused, two = self.shared.at, self.late["fused"], self.moments > 1
        now = self.differs
        d, first_moment = lane.at("d", now), lane.at("m", now)
        adam: Value = s("adam", now) if two else Const(0)
        one, factor, rest = s("momentum", now), first_moment, Const(_TOP, 32)
        if two:
            # Adam's second moment moves towards the square of the gradient by a part of what it
            # lacks; elsewhere the same unit makes the momentum.
            v = lane.at("v", now)
            one, factor = Mux(adam, d, one), Mux(adam, d, factor)
            rest = Mux(adam, Cat(v[:31], ~v[31]), rest)
            difference = self._unit(m, k, "difference", "add", a=d, b=first_moment)
            lane.put("difference", difference, now + self.late["add"])
        lacks = self._unit(m, k, "lacks", "fused", a=one, b=factor, c=rest)
        lane.put("lacks", lacks, now + fused)

        now = self.gains - 1
        b, c = lane.at("d", now), lane.at("lacks", now)
        if two:
            adam = s("adam", now)
            b = Mux(adam, lane.at("difference", now), b)
            c = Mux(adam, lane.at("m", now), c)
        lane.put("gain_b", self._choose(m, k, "gain_b", b), now + 1)
        lane.put("gain_c", self._choose(m, k, "gain_c", c), now + 1)
        now = self.gains
        b, c = lane.at("gain_b", now), lane.at("gain_c", now)
        moved = self._unit(m, k, "moved", "fused", a=s("gain", now), b=b, c=c)
        lane.put("moved", moved, now + fused)
        now += fused
        moved = Mux(s("first", now), lane.at("d", now), lane.at("moved", now))
        lane.put("m_next", self._choose(m, k, "m_next", moved), now + 1)

        now = self.turns - 1
        a, b, c = s("momentum", now), lane.at("m_next", now), lane.at("d", now)
        if two:
            adam = s("adam", now)
            a = Mux(adam, s("gain2", now), a)
            b = Mux(adam, lane.at("lacks", now), b)
            c = Mux(adam, lane.at("v", now), c)
        operands = {
            name: self._choose(m, k, f"turn_{name}", value)
            for name, value in {"a": a, "b": b, "c": c}.items()
        }
        lane.put("turned", self._unit(m, k, "turned", "fused", **operands), self.turns + fused)
        now = self.turns + fused
        chosen = Mux(s("nesterov", now), lane.at("turned", now), lane.at("m_next", now))
        lane.put("direction", self._choose(m, k, "direction", chosen), now + 1)

    def _move(self, m: Module, k: int, lane: _Ages) -> None:
        """Set what becomes of the weight and of the moments."""
        s = self.shared.at
        direction = "direction" if self.moments else "d"
        if self.moments > 1:
            lane.put(
                "root", self._unit(m, k, "root", "root", a=lane.at("turned", self.roots)), self.adds
            )
            now = self.adds
            below = self._unit(m, k, "below", "add", a=lane.at("root", now), b=s("eps", now))
            lane.put("below", below, self.divides)
            now = self.divides
            quotient = self._unit(
                m, k, "quotient", "divide", a=lane.at("m_next", now), b=lane.at("below", now)
            )
            lane.put("quotient", quotient, self.chooses)
            now = self.chooses
            chosen = Mux(s("adam", now), lane.at("quotient", now), lane.at("direction", now))
            lane.put("chosen", self._choose(m, k, "chosen", chosen), self.moves)
            direction = "chosen"
        now = self.moves
        rate = s("rate", now)
        moved = self._unit(
            m,
            k,
            "weight",
            "fused",
            a=Cat(rate[:31], ~rate[31]),
            b=lane.at(direction, now),
            c=lane.at("w_kept", now),
        )
        lane.put("w_next", moved, now + self.late["fused"])
        if self.moments > 1:
            now = self.moves
            second = Mux(s("adam", now), lane.at("turned", now), lane.at("v", now))
            lane.put("v_next", self._choose(m, k, "v_next", second), now + 1)
        now = self.latency - 1
        for name in self.kept:
            new = Mux(s("skip", now), lane.at(name, now), lane.at(f"{name}_next", now))
            lane.put(f"{name}_new", self._choose(m, k, f"{name}_new", new), now + 1)
