"""A weight-stationary systolic array."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.delay import Delay
from sluice.array.mac import Mac

__all__ = ["SystolicArray"]


class SystolicArray(wiring.Component):
    """``o = p + x W``: a vector per cycle, ``latency`` cycles later, and never a stall.

    Element (r, c) holds weight ``W[r, c]``. ``x[r]`` moves along row ``r``, partial sums move down
    the columns. Every element has a second register for the next weight: tiles are loaded while the
    array computes, and taken one element after the other with the first vector that is theirs.

    Parameters
    ----------
    rows, columns : int, >= 1
    mac : Mac
        What an element does.

    Members
    -------
    x : In(ArrayLayout(operand, rows))
    swap : In(1)
        With the first vector for the tile that was loaded last.
    load, first : In(1)
        ``w`` is a column of the next tile, and the first to come. A tile takes ``columns`` cycles
        in a row, the last column first, which begin no earlier than the ``swap`` before them and
        end before their own.
    w : In(ArrayLayout(operand, rows))
    p : In(ArrayLayout(total, columns))
        Comes with ``x``.
    o : Out(ArrayLayout(total, columns))

    Attributes
    ----------
    latency : int, cycles
        ``lead + rows * step + columns - 1``, and one where ``p`` is added below.

    Notes
    -----
    Skew and de-skew are inside: ``x[r]``, ``w[r]``, ``swap`` and ``load`` reach row ``r`` after
    ``r * step`` cycles. Rows that are not used take zeros in ``x`` and ``w``.
    Method: H. T. Kung, "Why systolic architectures?", Computer 15(1), 1982; double-buffered weights
    as in N. Jouppi et al., "In-datacenter performance analysis of a tensor processing unit",
    ISCA 2017.
    Golden model: :func:`sluice_sim.golden.array.multiply_tiles`.
    """

    x: Any
    swap: Signal
    load: Signal
    first: Signal
    w: Any
    p: Any
    o: Any

    def __init__(self, *, rows: int, columns: int, mac: Mac):
        self.rows, self.columns, self.mac = rows, columns, mac
        operand, total = mac.operand.width, mac.total.width
        self.latency = mac.lead + rows * mac.step + columns - 1 + (not mac.adds_at_top)
        super().__init__(
            {
                "x": In(data.ArrayLayout(operand, rows)),
                "swap": In(1),
                "load": In(1),
                "first": In(1),
                "w": In(data.ArrayLayout(operand, rows)),
                "p": In(data.ArrayLayout(total, columns)),
                "o": Out(data.ArrayLayout(total, columns)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        mac, columns = self.mac, self.columns
        width = mac.operand.width
        above: list[Value | None] = [None] * columns
        if mac.adds_at_top:
            above = [self.later(m, f"p_{c}", self.p[c], mac.lead + c) for c in range(columns)]
        for r in range(self.rows):
            controls = Cat(self.swap, self.load, self.load & ~self.first)
            bundle = Cat(Value.cast(self.x[r]), Value.cast(self.w[r]), controls)
            bundle = self.later(m, f"row_{r}", bundle, r * mac.step)
            x, w = bundle[:width], bundle[width : 2 * width]
            swap, loading, more = bundle[2 * width :]
            for c in range(columns):
                m.submodules[f"element_{r}_{c}"] = element = _Element(mac, r)
                m.d.comb += [
                    element.x.eq(x),
                    element.w.eq(w),
                    element.swap.eq(swap),
                    element.load.eq(loading),
                ]
                arriving = above[c]
                if arriving is not None:
                    m.d.comb += element.above.eq(arriving)
                above[c] = element.below
                x, w, swap = element.x_on, element.w_on, element.swap_on
                # A column begins a cycle after the one before it, when that one has given its
                # weight away, and all end together.
                begun = Signal(name=f"begun_{r}_{c}")
                m.d.sync += begun.eq(loading)
                loading = begun & more
        for c in range(columns):
            below = above[c]
            assert below is not None
            below = self.later(m, f"o_{c}", below, columns - 1 - c)
            if not mac.adds_at_top:
                # The sum of the column is exact, so that it does not matter where p is added.
                addend = self.later(m, f"p_{c}", self.p[c], self.latency - 1)
                kept = Signal(mac.total.width, name=f"sum_{c}", reset_less=True)
                m.d.sync += kept.eq(addend + below.as_signed())
                below = kept
            m.d.comb += self.o[c].eq(below)
        return m

    def later(self, m: Module, name: str, value: Any, cycles: int) -> Value:
        """Return ``value`` after ``cycles`` cycles."""
        m.submodules[f"delay_{name}"] = line = Delay(len(Value.cast(value)), cycles)
        m.d.comb += line.i.eq(Value.cast(value))
        return line.o


class _Element(wiring.Component):
    """A processing element: the next weight, and what the ``mac`` does with the present one."""

    x: Signal
    w: Signal
    swap: Signal
    load: Signal
    above: Signal
    x_on: Signal
    w_on: Signal
    swap_on: Signal
    below: Signal

    def __init__(self, mac: Mac, row: int):
        self.mac, self.row = mac, row
        width = mac.operand.width
        self.has_above = row > 0 or mac.adds_at_top
        members: dict[str, Any] = {
            "x": In(width),
            "w": In(width),
            "swap": In(1),
            "load": In(1),
            "x_on": Out(width),
            "w_on": Out(width),
            "swap_on": Out(1),
            "below": Out(mac.sum_width(row)),
        }
        if self.has_above:
            members["above"] = In(mac.sum_width(row - 1) if row else mac.total.width)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        x = Signal.like(self.x, reset_less=True)
        following = Signal.like(self.w, name="following", reset_less=True)
        m.d.sync += [x.eq(self.x), self.swap_on.eq(self.swap)]
        with m.If(self.load):
            m.d.sync += following.eq(self.w)
        m.d.comb += [self.x_on.eq(x), self.w_on.eq(following)]
        above = self.above if self.has_above else None
        below = self.mac.add(m, x=self.x, weight=following, swap=self.swap, above=above)
        m.d.comb += self.below.eq(below)
        return m
