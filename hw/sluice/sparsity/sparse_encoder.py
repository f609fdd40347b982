"""The two vectors that let a sparse matrix be used as its transpose."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.array.counts import Left
from sluice.block import Block
from sluice.delay import delay
from sluice.formats import find_format
from sluice.params import Choice, Int
from sluice.sparsity.prefix_sum import add_prefix_sums, prefix_steps
from sluice.store import Store
from sluice.stream import Beat, Pipeline

__all__ = ["SparseEncoder"]

# From an index in its register to its word of the bitmap: in the memory's register, and in one
# behind it. Then it is written, and may be read a cycle later.
_FETCH, _FORWARDS = 2, 3
# Until the last index is in the bitmap, and has been counted.
_SETTLE = 6


class SparseEncoder(Block):
    """Number the columns of a matrix that are not empty, and say so of each of its non-zeros.

    The matrix comes twice, as the list of the columns of its non-zeros. The first time its columns
    are marked in a bitmap, which is then read from end to end: ``o`` is their sorted list, and a
    table says of each word how many columns are marked before it. The second time each index gets
    its place in the list, ``o[place[k]] == i[k]``, from that number and the bits of its word.

    Parameters
    ----------
    columns : int, 2..65536
        Of the widest matrix.
    word : int, 2..32
        Columns that are a word of the bitmap, a power of two.
    index : format
        Of columns and places.

    Members
    -------
    i : In(stream.Signature(Beat(index, 1)))
        Columns of the non-zeros of a matrix, a packet, in any order and as often as they come.
    again : In(stream.Signature(Beat(index, 1)))
        The same packet again. It may be offered at any time.
    o : Out(stream.Signature(Beat(index, 1)))
        The columns that are not empty, in order: a packet.
    place : Out(stream.Signature(Beat(index, 1)))
        A packet for each of ``again``: for each index its place in ``o``.
    status : Out(StructLayout({"out_of_range": 1, "unknown": 1, "count": 16}))
        An index of ``i`` was not below ``columns``, and was left out, a sticky bit; one of
        ``again`` was not among those of ``i``, whose place has then all bits set; and how many
        were out of range, as far as can be counted.

    Attributes
    ----------
    words : int
        Of the bitmap: ``ceil(columns / word)``.
    latency : cycles
        From the last index of ``i`` to the first column, if that is column 0 and the matrix before
        has come again.
    interval : 1 cycle
        Between indices of a matrix, on both inputs, whatever they are.

    Notes
    -----
    Reading the bitmap takes a cycle for each word without a mark, and one for each mark of the
    others. Words are cleared on the way, so that the next matrix may come at once, also while this
    one comes again; only the table waits until it has. After reset the bitmap is cleared, which
    takes ``words`` cycles. While ``place`` is held up, as many indices of ``again`` are taken as
    the queue of places has room for, ``places.depth``.

    A word that is marked again within three cycles is not yet back in the memory; what these have
    marked is taken along. ``i`` is taken in one state of the block and ``again`` in another, which
    is why ``ready`` of both is driven here.

    Method: US12008475 (two more vectors beside the encoding of a sparse matrix).
    Golden model: :func:`sluice_sim.golden.sparse.encode_columns`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, or an index has too few bits.
    """

    i: stream.Interface
    again: stream.Interface
    o: stream.Interface
    place: stream.Interface
    status: Any
    interval = 1

    PARAMETERS = (
        Int("columns", "columns of the widest matrix", 2, 65536, "columns"),
        Int("word", "columns that are a word of the bitmap", 2, 32, "columns", power_of_two=True),
        Choice("index", "number format of columns", ("uint4", "uint8", "uint16", "uint32")),
    )

    def __init__(self, *, columns: int = 4096, word: int = 16, index: str = "uint16"):
        self.check(columns=columns, word=word, index=index)
        self.columns: int
        self.word: int
        self.index: str
        number = find_format(self.index)
        self.width = number.width
        if self.columns - 1 >> self.width:
            most = 1 << self.width
            raise ValueError(f"columns must be at most {most} with index {self.index}")
        self.words = -(-self.columns // self.word)
        self.low = self.word.bit_length() - 1
        self.beat = Beat(number, 1)
        steps = prefix_steps(self.word)
        found = {"bits": self.word, "count": range(self.word + 1), "last": 1}
        # Words of the bitmap, with their marks counted.
        self.found = Pipeline(
            i_shape=range(max(2, self.words)),
            o_shape=data.StructLayout(found),
            stages=_FETCH + steps,
        )
        marks = {"bits": self.word, "at": range(max(2, self.words)), "keep": 1, "last": 1}
        self.numbers = Pipeline(i_shape=data.StructLayout(marks), o_shape=self.beat, stages=1)
        self.places = Pipeline(i_shape=self.beat, o_shape=self.beat, stages=1 + _FETCH + steps + 2)
        # A word of the bitmap that is read; and one with another mark, which is written.
        self.bits, self.marked = (
            Signal(self.word, name=n, reset_less=True) for n in ("bits", "marked")
        )
        self.writes, self.writes_at = Signal(), Signal(range(max(2, self.words)))
        # The first word is fetched, held, and its first column put out.
        self.latency = _SETTLE + 2 + self.found.latency + 1 + self.numbers.latency
        streams = {"i": In, "again": In, "o": Out, "place": Out}
        status = data.StructLayout({"out_of_range": 1, "unknown": 1, "count": 16})
        super().__init__(
            {
                **{name: way(stream.Signature(self.beat)) for name, way in streams.items()},
                "status": Out(status),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.found, m.submodules.numbers = self.found, self.numbers
        m.submodules.places = self.places
        rows = max(2, self.words)
        self.bitmap = Store(m, "bitmap", shape=self.word, depth=rows)
        # The marks of a word, and how many are in the words before it.
        rank = range(self.columns + 1)
        layout = data.StructLayout({"bits": self.word, "rank": rank})
        self.table = Store(m, "table", shape=layout, depth=rows)
        # The columns that are marked.
        self.count = Signal(rank)
        # The table is that of a matrix that has not come again, or not to its end.
        self.full = Signal()
        self.marks, self.walks, self.walked = Signal(), Signal(), Signal()
        self.fetch = Signal(range(self.words + 1))
        wait = Signal(range(_SETTLE + 1))
        takes = self.i.valid & self.i.ready
        m.d.comb += self.i.ready.eq(self.marks)
        with m.FSM(init="CLEAR"):
            with m.State("CLEAR"):
                m.d.comb += [
                    self.bitmap.write.en.eq(1),
                    self.bitmap.write.addr.eq(self.fetch),
                ]
                m.d.sync += self.fetch.eq(self.fetch + 1)
                with m.If(self.fetch == self.words - 1):
                    m.d.sync += self.marks.eq(1)
                    m.next = "MARK"
            with m.State("MARK"):
                m.d.sync += wait.eq(_SETTLE)
                with m.If(takes & self.i.payload.last):
                    m.d.sync += self.marks.eq(0)
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += [wait.eq(wait - 1), self.fetch.eq(0)]
                with m.If(wait == 1):
                    m.next = "WAIT"
            with m.State("WAIT"), m.If(~self.full):
                m.d.sync += self.walks.eq(1)
                m.next = "WALK"
            with m.State("WALK"), m.If(self.walked):
                m.d.sync += [self.walks.eq(0), self.marks.eq(1), self.full.eq(1)]
                m.next = "MARK"
        self._mark(m, takes)
        self._fetch(m)
        self._number(m)
        self._place(m)
        return m

    def _mark(self, m: Module, takes: Value) -> None:
        """Set the bit of each index in the bitmap, whatever was set in the cycles before."""
        bitmap, low = self.bitmap, self.low
        index = delay(m, "index", Value.cast(self.i.payload.data), 1)
        given = delay(m, "given", takes & self.i.payload.keep[0], 1, reset=True)
        at = Signal.like(bitmap.at, name="mark_at")
        m.d.comb += at.eq(index[low:])
        with m.If(self.marks | given):
            m.d.comb += bitmap.at.eq(at)
        # A cycle later it is known whether there is such a column.
        fits = Signal(reset_less=True)
        m.d.sync += fits.eq(index < self.columns)
        known = delay(m, "known", given, 1, reset=True)
        with m.If(known & ~fits):
            m.d.sync += self.status.out_of_range.eq(1)
            with m.If(~self.status.count.all()):
                m.d.sync += self.status.count.eq(self.status.count + 1)
        valid, here = known & fits, delay(m, "marked_at", at, 1)
        bit = Signal(self.word, name="bit", reset_less=True)
        m.d.sync += bit.eq(1 << delay(m, "low", index[:low], 1))

        marked = self.marked
        late: list[Value] = [marked]
        for k in range(1, _FORWARDS):
            late.append(delay(m, f"marked_{k}", late[-1], 1))
        ats, valids = [here], [valid]
        news: list[Value] = [bit]
        for k in range(1, _FORWARDS + 1):
            ats.append(delay(m, f"at_{k}", ats[-1], 1))
            valids.append(delay(m, f"valid_{k}", valids[-1], 1, reset=True))
            same = Signal(name=f"same_{k}", reset_less=True)
            m.d.sync += same.eq((ats[k] == here) & valids[k])
            if k < _FORWARDS:
                news.append(late[k - 1] & same.replicate(self.word))
            else:
                # It was written when it was read, and what was read then may be anything.
                news.append(Mux(same, late[k - 1], self.bits))
        old = news[1]
        for new in news[2:]:
            old = old | new
        m.d.sync += marked.eq(old | bit)
        m.d.comb += [self.writes.eq(valids[2]), self.writes_at.eq(ats[2])]
        with m.If(self.writes):
            m.d.comb += [
                bitmap.write.en.eq(1),
                bitmap.write.addr.eq(self.writes_at),
                bitmap.write.data.eq(marked),
            ]
        hit, fresh = Signal(self.word, reset_less=True), Signal()
        m.d.sync += [hit.eq(old & bit), fresh.eq(valids[2] & ~hit.any())]
        m.d.sync += self.count.eq(Mux(self.walks, 0, self.count + fresh))

    def _fetch(self, m: Module) -> None:
        """Read the bitmap from end to end, clear it, and count the marks of each word."""
        bitmap, found = self.bitmap, self.found
        m.d.comb += [
            found.i.valid.eq(self.walks & (self.fetch != self.words)),
            found.i.payload.eq(self.fetch),
        ]
        reads = found.entry_valid
        with m.If(self.walks):
            m.d.comb += bitmap.at.eq(found.entry)
        with m.If(reads):
            m.d.sync += self.fetch.eq(self.fetch + 1)
        read, cleared = delay(m, "reads", reads, 1, reset=True), delay(m, "cleared", found.entry, 1)
        with m.If(read):
            m.d.comb += [
                bitmap.write.en.eq(1),
                bitmap.write.addr.eq(cleared),
                bitmap.write.data.eq(0),
            ]
        bits = self.bits
        m.d.sync += bits.eq(bitmap.o)
        steps = prefix_steps(self.word)
        flow: Any = Flow(m, steps=steps, stages=steps)
        flow.bits = bits
        add_prefix_sums(flow, bits)
        total = getattr(flow, f"sum_{self.word}")
        m.d.comb += Value.cast(found.result).eq(Cat(flow.bits, total, total[1:] == 0))

    def _number(self, m: Module) -> None:
        """Put out the marked columns, one after the other, and write the table."""
        come, go = self.found.o, self.numbers.i
        bits = Signal(self.word, reset_less=True)
        at, rank = Signal(range(max(2, self.words))), Signal.like(self.count)
        held, fresh, last = Signal(), Signal(), Signal(reset_less=True)
        left, columns = Signal.like(come.payload.count), Left("columns", len(self.count))
        empty, begins = Signal(), Signal()
        m.d.comb += begins.eq(~self.walks)
        lowest = Cat(bits[k] & ~bits[:k].any() for k in range(self.word))
        emits, done = held & bits.any(), Signal()
        m.d.comb += [
            go.valid.eq(emits | (empty & self.walks)),
            Value.cast(go.payload).eq(Cat(lowest, at, ~empty, columns.last | empty)),
            # The word is through: at most one mark was left.
            done.eq(held & last & go.ready),
            come.ready.eq(~held | done),
            self.walked.eq(done & (at == self.words - 1)),
            self.table.write.en.eq(held & fresh),
            self.table.write.addr.eq(at),
            self.table.write.data.eq(Cat(bits, rank)),
        ]
        with m.If(begins):
            m.d.sync += [at.eq(0), rank.eq(0), *columns.begin(self.count)]
            m.d.sync += empty.eq(~self.count.any())
        with m.Elif(go.ready):
            m.d.sync += empty.eq(0)
        with m.If(held & go.ready):
            m.d.sync += [fresh.eq(0), bits.eq(bits & ~lowest), left.eq(left - 1)]
            m.d.sync += last.eq(left == 2)
        with m.If(emits & go.ready):
            m.d.sync += [rank.eq(rank + 1), *columns.step()]
        with m.If(done):
            m.d.sync += [at.eq(at + 1), held.eq(0)]
        with m.If(come.valid & come.ready):
            word = come.payload
            m.d.sync += [held.eq(1), fresh.eq(1), bits.eq(word.bits)]
            m.d.sync += [left.eq(word.count), last.eq(word.last)]

        numbers = self.numbers
        given = numbers.entry
        places = [
            Cat(given.bits[k] for k in range(self.word) if k >> b & 1).any()
            for b in range(self.low)
        ]
        number = Signal(self.width)
        m.d.comb += number.eq(Cat(*places, given.at))
        made = Cat(number, given.keep, given.last)
        m.d.comb += Value.cast(numbers.result).eq(delay(m, "made", made, 1))
        m.d.comb += [
            self.o.valid.eq(numbers.o.valid),
            self.o.payload.eq(numbers.o.payload),
            numbers.o.ready.eq(self.o.ready),
        ]

    def _place(self, m: Module) -> None:
        """Look each index up that comes again."""
        places, low, again = self.places, self.low, self.again
        m.d.comb += [
            places.i.valid.eq(again.valid & self.full),
            again.ready.eq(places.i.ready & self.full),
            places.i.payload.eq(again.payload),
            self.place.valid.eq(places.o.valid),
            self.place.payload.eq(places.o.payload),
            places.o.ready.eq(self.place.ready),
        ]
        given = places.entry
        with m.If(places.entry_valid & given.last):
            m.d.sync += self.full.eq(0)
        index = delay(m, "again", Value.cast(given.data), 1)
        m.d.comb += self.table.at.eq(index[low:])
        row = delay(m, "row", self.table.o, 1)
        bits, rank = row[: self.word], row[self.word :]
        # With the word: which bits are below, and which is its own.
        fits = delay(m, "fits", index < self.columns, _FETCH)
        own = Signal(self.word, reset_less=True)
        m.d.sync += own.eq(1 << delay(m, "again_low", index[:low], 1))
        below = (own - 1)[: self.word]
        flags = Signal(self.word, name="below", reset_less=True)
        hit = Signal(self.word, name="found_own", reset_less=True)
        m.d.sync += [flags.eq(bits & below), hit.eq(bits & own)]
        steps = prefix_steps(self.word)
        flow: Any = Flow(m, steps=steps, stages=steps)
        flow.rank, flow.known = delay(m, "rank", rank, 1), hit.any() & delay(m, "fit", fits, 1)
        frame = Cat(given.keep, given.last)
        flow.frame = delay(m, "frame", frame, 2 + _FETCH)
        add_prefix_sums(flow, flags)
        known, frame = flow.known, flow.frame
        place = Signal(self.width)
        everything = (1 << self.width) - 1
        m.d.comb += place.eq(Mux(known, flow.rank + getattr(flow, f"sum_{self.word}"), everything))
        m.d.comb += Value.cast(places.result).eq(delay(m, "placed", Cat(place, frame), 1))
        comes = delay(m, "comes", places.entry_valid, 2 + _FETCH + steps, reset=True)
        with m.If(comes & frame[0] & ~known):
            m.d.sync += self.status.unknown.eq(1)
