"""A weight-stationary systolic array."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sluice.array.element import Element, lag_of
from sluice.array.mac import Mac
from sluice.delay import delay, delay_line
from sluice.params import check_int

__all__ = ["SystolicArray"]

# Columns that take their weights from one register of a row.
_SPAN = 4


class SystolicArray(wiring.Component):
    """``o = p + x W``: a vector per cycle, ``latency`` cycles later, and never a stall.

    Element (r, c) holds weight ``W[r, c]``. ``x[r]`` moves along row ``r``, partial sums move down
    the columns. The next tile is loaded while the array computes, and its weights are taken one
    column after the other with the first vector that is theirs.

    Parameters
    ----------
    rows, columns : int, >= 1
    mac : Mac
        What an element does.
    group : int, >= 1
        Sparse tiles: a row has that many inputs, and the ``tag`` of a weight says which of them is
        multiplied by it, so that a row does the work of as many rows with one weight in each of
        their columns.
    gating : bool
        A product that is zero because an operand is does not reach the multiplier, whose operands
        stay as they were; and rows that are not ``used`` are still.

    Members
    -------
    x : In(ArrayLayout(operand, rows))
        With a group ``In(ArrayLayout(ArrayLayout(operand, group), rows))``.
    swap : In(1)
        With the first vector for the tile that was loaded last; ``w_lead`` cycles or more after its
        ``first``, and not twice for a tile.
    first : In(1)
        ``w`` is the first column of the next tile; the others follow in the next cycles. No earlier
        than the ``swap`` before it.
    w : In(ArrayLayout(operand, rows))
    tag : In(ArrayLayout(range(group), rows))
        Comes with ``w``. There is such a port only with a group of two or more.
    used : In(rows)
        Comes with ``w``, the same in every cycle of a tile: rows of it whose ``x`` and ``w`` count.
        There is such a port only with ``gating``.
    p : In(ArrayLayout(total, columns))
        ``p_lag`` cycles after its ``x``.
    o : Out(ArrayLayout(total, columns))

    Attributes
    ----------
    latency : int, cycles
        ``lead + rows * step + columns - 1``, where ``lead`` is that of the ``mac``, and one more
        with a group or gating; and one where ``p`` is added below.
    p_lag : int, cycles
        ``lead``, or ``latency - 1`` where ``p`` is added below.
    w_lead : int, cycles
        ``ceil(columns / 4)``.

    Notes
    -----
    Skew and de-skew are inside: ``x[r]``, ``w[r]``, ``swap`` and ``first`` reach row ``r`` after
    ``r * step`` cycles. Rows that are not used take zeros in ``x`` and ``w``, or whatever there
    is with gating, where they pass every partial sum on as it is, a negative zero too; of a NaN
    they make the canonical one, and of what is flushed a zero, as every row of floats does.

    Gating changes no result: a product that is not a number, or the sign of a zero, stays what it
    is. Operands are looked at when they enter a row, not in its elements, and the weight's register
    takes every weight.
    In the sparse mode any tile can be had from the rows of a larger one: a group of rows with at
    most ``n`` weights per column in ``n`` rows. Where a column has fewer, a zero's tag must be that
    of a zero, so that it meets the same ``x`` as it would have.
    Method: H. T. Kung, "Why systolic architectures?", Computer 15(1), 1982; double-buffered weights
    as in N. Jouppi et al., "In-datacenter performance analysis of a tensor processing unit",
    ISCA 2017.
    Golden models: :func:`sluice_sim.golden.array.multiply_tile`, ``multiply_sparse_tile``.
    """

    x: Any
    swap: Signal
    first: Signal
    w: Any
    tag: Any
    used: Signal
    p: Any
    o: Any
    # One that is made only for its latency is not a mistake.
    _MustUse__silence = True

    def __init__(self, *, rows: int, columns: int, mac: Mac, group: int = 1, gating: bool = False):
        self.rows = check_int("rows", rows, lo=1)
        self.columns = check_int("columns", columns, lo=1)
        self.group = check_int("group", group, lo=1)
        self.mac, self.gating = mac, gating
        operand, total = mac.operand.width, mac.total.width
        self.lead = mac.lead + lag_of(group=group, gating=gating)
        self.latency = self.lead + rows * mac.step + columns - 1 + (not mac.adds_at_top)
        self.p_lag = self.lead if mac.adds_at_top else self.latency - 1
        self.w_lead = -(-columns // _SPAN)
        lanes = data.ArrayLayout(operand, group) if group > 1 else operand
        ports: dict[str, Any] = {
            "x": In(data.ArrayLayout(lanes, rows)),
            "swap": In(1),
            "first": In(1),
            "w": In(data.ArrayLayout(operand, rows)),
            "p": In(data.ArrayLayout(total, columns)),
            "o": Out(data.ArrayLayout(total, columns)),
        }
        if group > 1:
            ports["tag"] = In(data.ArrayLayout(range(group), rows))
        if gating:
            ports["used"] = In(rows)
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        mac, columns = self.mac, self.columns
        above: list[Value | None] = [None] * columns
        if mac.adds_at_top:
            above = [delay_line(m, f"p_{c}", self.p[c], c) for c in range(columns)]
        for r, (given, weights) in enumerate(zip(*self._operands(m), strict=True)):
            x, swap, take, bus = self._row(m, r, given, weights)
            for c in range(columns):
                if c and c % _SPAN == 0:
                    bus = delay(m, f"bus_{r}_{c}", bus, 1)
                    take = delay(m, f"take_{r}_{c}", take, 1, reset=True)
                element = Element(
                    mac, r, group=self.group, kind_bits=mac.kind_bits if self.gating else 0
                )
                m.submodules[f"element_{r}_{c}"] = element
                m.d.comb += [
                    element.x.eq(x),
                    element.swap.eq(swap),
                    element.bus.eq(bus),
                    element.take.eq(take),
                ]
                arriving = above[c]
                if arriving is not None:
                    m.d.comb += element.above.eq(arriving)
                above[c] = element.below
                x, swap, take = element.x_on, element.swap_on, element.take_on
        below: list[Value] = []
        for c, value in enumerate(above):
            assert value is not None
            below.append(delay_line(m, f"o_{c}", value, columns - 1 - c))
        if not mac.adds_at_top:
            # The sum of a column is exact, so that it does not matter where p is added.
            for c in range(columns):
                kept = Signal(mac.total.width, name=f"sum_{c}", reset_less=True)
                m.d.sync += kept.eq(self.p[c] + below[c].as_signed())
                below[c] = kept
        m.d.comb += Value.cast(self.o).eq(Cat(below))
        return m

    def _operands(self, m: Module) -> tuple[list[Value], list[Value]]:
        """Return ``x`` and ``w`` of each row, and nothings for those that are not used."""
        xs = [Value.cast(self.x[r]) for r in range(self.rows)]
        ws = [Value.cast(self.w[r]) for r in range(self.rows)]
        if not self.gating:
            return xs, ws
        following, held = Signal(self.rows, name="following"), Signal(self.rows, name="held")
        used = Signal(self.rows, name="used_now")
        with m.If(self.first):
            m.d.sync += following.eq(self.used)
        m.d.comb += used.eq(Mux(self.swap, following, held))
        m.d.sync += held.eq(used)
        nothing = Const(self.mac.nothing, self.mac.operand.width).replicate(self.group)
        xs = [Mux(used[r], x, nothing) for r, x in enumerate(xs)]
        return xs, [Mux(self.used[r], w, 0) for r, w in enumerate(ws)]

    def _row(self, m: Module, r: int, x: Value, w: Value) -> list[Value]:
        """Return what enters row ``r``: ``x``, swap, and what is taken of the bus of weights."""
        width, lanes = self.mac.operand.width, len(x)
        tag = Value.cast(self.tag[r]) if self.group > 1 else Const(0, 0)
        controls = Cat(self.swap, self.first)
        bundle = delay_line(m, f"row_{r}", Cat(x, w, tag, controls), r * self.mac.step)
        x, w, tag = bundle[:lanes], bundle[lanes : lanes + width], bundle[lanes + width : -2]
        kind: Value = Const(0, 0)
        if self.gating:
            kind = self.mac.kind(w)
            values = (x[k : k + width] for k in range(0, lanes, width))
            x = Cat(Cat(value, self.mac.kind(value)) for value in values)
        # A weight comes after what is known of it, when a value has been chosen by that.
        w = delay(m, f"w_{r}", w, self.lead - self.mac.lead)
        return [x, bundle[-2], bundle[-1], Cat(w, tag, kind)]
