"""What sums the products of wide floating-point numbers in a processing element."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sluice.arith import AddUnit, MultiplyAddUnit
from sluice.delay import delay
from sluice.formats import Float
from sluice.store import Store

__all__ = ["FloatSums"]


class FloatSums(wiring.Component):
    """The sum of all products of a row, in partial sums that take turns; no handshake.

    Step ``j`` of a row, counted from 0, adds the product of each lane to partial sum ``j % slots``
    of that lane, by a fused multiply-add; a lane without a pair leaves it as it is. When the row is
    over, all are added to +0, slot by slot, and lane by lane within a slot, each addition rounded,
    beside the next row. Partial sums begin with +0.

    Parameters
    ----------
    operand, total : Float
    lanes : int
        Products per cycle.
    stages : int
        Registers of the multiply-adds, and of the adder, as far as they are of use.

    Members
    -------
    a, b : In(operand.width * lanes)
        The first factor in the low bits.
    keep : In(lanes)
        Products that count.
    valid : In(1)
        There is a step.
    last : In(1)
        It is the last one of the row.
    o : Out(total.width)
        ``latency`` cycles after the last step.

    Attributes
    ----------
    slots : int
        A power of two that is no less than the cycles until a partial sum is back.
    gap : int, cycles
        From the last step of a row to that of the next one, at least.
    """

    a: Signal
    b: Signal
    keep: Signal
    valid: Signal
    last: Signal
    o: Signal

    def __init__(self, *, operand: Float, total: Float, lanes: int, stages: int):
        self.operand, self.total, self.lanes = operand, total, lanes
        self.units = [
            MultiplyAddUnit(source=operand, target=total, stages=stages, late=True)
            for _ in range(lanes)
        ]
        self.adder = AddUnit(source=total, target=total, stages=stages)
        for unit in (*self.units, self.adder):
            unit._MustUse__silence = True
        unit = self.units[0]
        # What is read in a cycle was written in one before.
        self.slots = 1 << (unit.latency - unit.lead + 1).bit_length()
        # Of an addition: to read a partial sum, to add it, and to keep the sum.
        self.round = 1 + self.adder.latency + 1
        # Until the last product has been written.
        self.front = 1 + unit.latency + 1
        self.gap = self.slots * lanes * self.round
        self.latency = self.front + self.gap
        super().__init__(
            {
                "a": In(operand.width * lanes),
                "b": In(operand.width * lanes),
                "keep": In(lanes),
                "valid": In(1),
                "last": In(1),
                "o": Out(total.width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # The row that is being added up has a bank of its own.
        slot, bank, fresh = Signal(range(self.slots)), Signal(), Signal(init=1)
        with m.If(self.valid):
            m.d.sync += [slot.eq(slot + 1), fresh.eq(fresh & ~slot.all())]
            with m.If(self.last):
                m.d.sync += [slot.eq(0), bank.eq(~bank), fresh.eq(1)]
        row = 2 * self.slots
        at = Cat(slot, bank)
        unit = self.units[0]
        read_at = delay(m, "read_at", at, unit.lead)
        begins = delay(m, "begins", fresh, unit.lead + 1)
        write_at = delay(m, "write_at", at, unit.latency + 1)
        writes = delay(m, "writes", self.valid, unit.latency + 1, reset=True)
        kept = delay(m, "kept", self.keep, unit.latency + 1)
        stores: list[Store] = []
        for lane, mac in enumerate(self.units):
            m.submodules[f"mac_{lane}"] = mac
            sums = Store(m, f"sums_{lane}", shape=self.total.width, depth=row)
            late = Store(m, f"late_{lane}", shape=self.total.width, depth=row)
            before = Mux(begins, 0, sums.o)
            width = self.operand.width
            m.d.comb += [
                mac.a.eq(delay(m, f"a_{lane}", self.a.word_select(lane, width), 1)),
                mac.b.eq(delay(m, f"b_{lane}", self.b.word_select(lane, width), 1)),
                mac.c.eq(before),
                sums.at.eq(read_at),
            ]
            passed = delay(m, f"passed_{lane}", before, unit.latency - unit.lead)
            for store in (sums, late):
                m.d.comb += [
                    store.write.en.eq(writes),
                    store.write.addr.eq(write_at),
                    store.write.data.eq(Mux(kept[lane], mac.o, passed)),
                ]
            stores.append(late)
        side = delay(m, "row", Cat(slot, ~fresh, bank), self.front)
        ended = delay(m, "ended", self.valid & self.last, self.front - 1, reset=True)
        self._add_up(m, stores, ended, side)
        return m

    def _add_up(self, m: Module, stores: list[Store], ended: Value, side: Value) -> None:
        """Add the partial sums of a row, one after the other."""
        m.submodules.adder = adder = self.adder
        begins = Signal()
        m.d.sync += begins.eq(ended)
        bits = (self.slots - 1).bit_length()
        # The last slot that has anything, unless all have; and the row's bank.
        top, bank = Signal(bits + 1, reset_less=True), Signal(reset_less=True)
        phase, lane = Signal(range(self.round)), Signal(range(self.lanes))
        slot = Signal(bits + 1)
        total = Signal(self.total.width, reset_less=True)
        now_top, now_bank = Mux(begins, side[: bits + 1], top), Mux(begins, side[-1], bank)
        word: Value = Const(0, self.total.width)
        for k, store in enumerate(stores):
            m.d.comb += store.at.eq(Cat(Mux(begins, 0, slot[:bits]), now_bank))
            word = Mux(lane == k, store.o, word)
        there = (slot <= top) | top[-1]
        m.d.comb += [adder.a.eq(total), adder.b.eq(Mux(there, word, 0)), self.o.eq(total)]
        with m.If(begins):
            # The first cycle of the first addition.
            m.d.sync += [
                top.eq(now_top),
                bank.eq(now_bank),
                phase.eq(1),
                lane.eq(0),
                slot.eq(0),
                total.eq(0),
            ]
        with m.Elif(phase == self.round - 1):
            m.d.sync += [phase.eq(0), total.eq(adder.o), lane.eq(lane + 1)]
            with m.If(lane == self.lanes - 1):
                m.d.sync += [lane.eq(0), slot.eq(slot + 1)]
        with m.Else():
            m.d.sync += phase.eq(phase + 1)
