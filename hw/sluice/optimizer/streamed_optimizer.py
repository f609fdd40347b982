"""Optimizer steps on parameters in memory, with gradients that are never stored."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay_line
from sluice.formats import FORMATS
from sluice.optimizer.burst_reader import BurstReader, request_layout
from sluice.optimizer.burst_writer import BurstWriter
from sluice.optimizer.gradient_frames import GradientFrames, faults_layout
from sluice.optimizer.gradient_sum_unit import GradientSumUnit
from sluice.optimizer.layer_order import LAYERS, LayerOrder
from sluice.optimizer.optimizer import Optimizer
from sluice.optimizer.settings import optimizer_layout
from sluice.params import Flag, Int
from sluice.stream import Beat, Fifo, Fork, Pipeline

__all__ = ["StreamedOptimizer"]


class StreamedOptimizer(Block):
    """Sum the gradients of workers, take a step with the parameters in memory, and send them back.

    While gradients of one burst come, weights and moments of the next one are read, and those of
    the one before are written and sent to the workers. No gradient goes to memory.

    Parameters
    ----------
    workers : int, 1..8
    lanes : int, 1, 2, 4, 8 or 16
        Parameters of a beat, and words of 32 bits of the memory's width.
    moments : int, 0..2
        0 for plain SGD, 1 with momentum, 2 with Adam as well.
    burst : int, 4, 8, 16, 32 or 64
        Beats of a burst.
    address_bits : int, 2..32
        Of an address, which counts beats.
    count_bits : int, 1..32
        Of the number of parameters of a layer.
    patience_bits : int, 4..32
        A worker that others have waited for in ``2**patience_bits`` cycles is late.
    flush : bool
        Subnormal numbers count as zero, and so do results below the smallest normal number.

    Members
    -------
    command : In(stream.Signature(StructLayout))
        For each layer: ``settings``, those of :class:`Optimizer`; ``w``, ``m``, ``v``, the
        addresses of the arrays that are read; ``offset``, modulo ``2**address_bits``, from these to
        where they are written; ``count``, the number of parameters, of which there is at least one;
        ``more``, how many moments are read and written, at most ``moments``. Others are zeros.
    g : In(stream.Signature(Beat("fp32", lanes))).array(workers)
        Gradients of each worker, a packet per layer. The sum is that of neighbours first, and of
        their sums, as in a tree; ``settings.scale`` makes a mean of it.
    read, read_data : Out(stream.Signature(request)), In(stream.Signature(32 * lanes))
        Requests to memory (``at``, and ``beats``, one less than how many), and what it gives, in
        order.
    write, write_data : Out(stream.Signature(request)), Out(stream.Signature(Beat("fp32", lanes)))
        Requests, and a packet for each, whole when it begins. Lanes that are not kept must not be
        written.
    written : In(stream.Signature(1))
        For each request, in order, when it has been written: whether that failed.
    weights : Out(stream.Signature(Beat("fp32", lanes)))
        The next weights, a packet per layer, for all workers.
    report : Out(stream.Signature(StructLayout))
        For each layer, when all is written: ``short``, ``long``, ``late``, a bit per worker, whose
        packet had too few parameters, too many, or did not come in time; ``bad``, a sum was NaN
        or infinite; ``failed``, memory said so.
    status : Out(StructLayout({"late": workers}))
        Workers that are waited for, and have been for too long.

    Attributes
    ----------
    latency : int, cycles
        From a command to the first of the next weights, if gradients are there and memory answers
        at once.
    interval : 1 cycle
        A beat of parameters, if memory gives and takes ``1 + more`` beats in it; else as fast as
        memory, which is what nothing could better.

    Notes
    -----
    What a packet lacks counts as zeros, and of one that is too long the rest is dropped: others
    stay in step. Where ``offset`` is not zero nothing is overwritten, and who reads the report
    decides which copy counts: so that a layer with a fault changes nothing.

    A layer is not read before those that are written where its weights lie: ``m`` and ``v`` of
    different layers overlap only if their weights do. Up to four layers are under way.

    Method: US 11681905, US 12353984. Golden model:
    :func:`sluice_sim.golden.streamed_optimizer.train`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    command: stream.Interface
    g: Any
    read: stream.Interface
    read_data: stream.Interface
    write: stream.Interface
    write_data: stream.Interface
    written: stream.Interface
    weights: stream.Interface
    report: stream.Interface
    status: Any
    interval = 1
    same_packets = False

    PARAMETERS = (
        Int("workers", "streams of gradients", 1, 8),
        Int("lanes", "parameters per beat", 1, 16),
        Int("moments", "moments of each parameter", 0, 2),
        Int("burst", "beats of a burst", 4, 64, "beats"),
        Int("address_bits", "bits of an address", 2, 32, "bits"),
        Int("count_bits", "bits of a layer's size", 1, 32, "bits"),
        Int("patience_bits", "a worker is late after 2**patience_bits cycles", 4, 32, "bits"),
        Flag("flush", "subnormal numbers are zero"),
    )

    def __init__(
        self,
        *,
        workers: int = 4,
        lanes: int = 1,
        moments: int = 1,
        burst: int = 8,
        address_bits: int = 24,
        count_bits: int = 24,
        patience_bits: int = 16,
        flush: bool = False,
    ):
        self.check(
            workers=workers,
            lanes=lanes,
            moments=moments,
            burst=burst,
            address_bits=address_bits,
            count_bits=count_bits,
            patience_bits=patience_bits,
            flush=flush,
        )
        self.workers: int
        self.lanes: int
        self.moments: int
        self.burst: int
        self.address_bits: int
        self.count_bits: int
        self.patience_bits: int
        self.flush: bool
        for name in ("lanes", "burst"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value}")
        self.beat = Beat(FORMATS["fp32"], self.lanes)
        self.arrays = 1 + self.moments
        self.kept = ("w", "m", "v")[: self.arrays]
        self.shift = (self.lanes - 1).bit_length()
        # A layer of as many beats as there can be has one bit more than the rest.
        self.beat_bits = max(self.count_bits - self.shift, self.burst.bit_length()) + 1
        self.command_layout = data.StructLayout(
            {
                "settings": optimizer_layout(self.moments),
                **dict.fromkeys(self.kept, self.address_bits),
                "offset": self.address_bits,
                "count": self.count_bits,
                "more": unsigned(2),
            }
        )
        self.optimizer = Optimizer(lanes=self.lanes, moments=self.moments, flush=self.flush)
        unit = self.make_unit()
        joint = data.StructLayout({"data": 32 * self.lanes * self.workers, **self._framed()})
        summed = data.StructLayout({"data": 32 * self.lanes, **self._framed()})
        self.sums = Pipeline(i_shape=joint, o_shape=summed, stages=unit.latency, read_ahead=True)
        # What is summed meets what is read, three cycles after the command.
        reads = 1 + Fifo.latency + Fifo.latency
        self.latency = 3 + max(reads, Fifo.latency + self.sums.latency) + self.optimizer.latency
        request = request_layout(self.address_bits, self.burst)
        found = {"faults": faults_layout(self.workers), "bad": 1}
        self.verdict_layout = data.StructLayout(found)
        self.report_layout = data.StructLayout({**found, "failed": 1})
        super().__init__(
            {
                "command": In(stream.Signature(self.command_layout)),
                "g": In(stream.Signature(self.beat)).array(self.workers),
                "read": Out(stream.Signature(request)),
                "read_data": In(stream.Signature(32 * self.lanes)),
                "write": Out(stream.Signature(request)),
                "write_data": Out(stream.Signature(self.beat)),
                "written": In(stream.Signature(1)),
                "weights": Out(stream.Signature(self.beat)),
                "report": Out(stream.Signature(self.report_layout)),
                "status": Out(data.StructLayout({"late": self.workers})),
            }
        )

    def _framed(self) -> dict[str, Any]:
        return {"keep": self.lanes, "last": 1, "faults": faults_layout(self.workers)}

    def make_unit(self) -> GradientSumUnit:
        """Return what sums the gradients."""
        unit = GradientSumUnit(terms=self.workers, lanes=self.lanes, flush=self.flush)
        unit._MustUse__silence = True
        return unit

    def make_reader(self) -> BurstReader:
        """Return what reads."""
        return BurstReader(width=32 * self.lanes, **self._arrays())

    def make_writer(self) -> BurstWriter:
        """Return what writes."""
        return BurstWriter(beat=self.beat, **self._arrays())

    def _arrays(self) -> dict[str, Any]:
        return {
            "arrays": self.arrays,
            "burst": self.burst,
            "address_bits": self.address_bits,
            "beat_bits": self.beat_bits,
        }

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.reader = reader = self.make_reader()
        m.submodules.writer = writer = self.make_writer()
        wiring.connect(m, reader.request, wiring.flipped(self.read))
        wiring.connect(m, wiring.flipped(self.read_data), reader.come)
        wiring.connect(m, writer.request, wiring.flipped(self.write))
        wiring.connect(m, writer.o, wiring.flipped(self.write_data))
        wiring.connect(m, wiring.flipped(self.written), writer.confirmed)
        ended = Signal()
        frames, setups, uses = self._begin_layers(m, reader, writer, ended)
        summed = self._sum(m, frames)
        verdicts = self._step(m, reader, writer, summed, setups, uses)
        m.d.comb += ended.eq(writer.done.valid & writer.done.ready)
        self._report(m, writer.done, verdicts)
        return m

    def _queue(self, m: Module, name: str, shape: Any) -> Fifo:
        """Return a queue with a place for each layer under way."""
        m.submodules[name] = queue = Fifo(shape=shape, depth=LAYERS, always_ready=True)
        return queue

    def _begin_layers(
        self, m: Module, reader: BurstReader, writer: BurstWriter, ended: Value
    ) -> tuple[Any, Any, list[Any]]:
        """Begin a layer as soon as it may; the first one under way has ``ended``.

        Returns
        -------
        frames, setups, uses
            Queues: the length of each packet of gradients; the settings of each packet, and how
            many moments it has; and for each moment, whether it has that one.
        """
        m.submodules.order = order = LayerOrder(
            self.command_layout, shift=self.shift, beat_bits=self.beat_bits
        )
        wiring.connect(m, wiring.flipped(self.command), order.i)
        goes, begun = Signal(), order.o.payload
        held, beats = begun.command, begun.beats
        m.d.comb += [
            order.ended.eq(ended),
            order.o.ready.eq(reader.i.ready & writer.i.ready),
            goes.eq(order.o.valid & order.o.ready),
            reader.i.valid.eq(goes),
            writer.i.valid.eq(goes),
        ]
        for part, offset in ((reader, 0), (writer, held.offset)):
            span: Any = part.i.payload
            m.d.comb += [span.beats.eq(beats), span.more.eq(held.more)]
            m.d.comb += [span.at[k].eq(held[name] + offset) for k, name in enumerate(self.kept)]
        return self._tell(m, held, beats, goes)

    def _tell(self, m: Module, held: Any, beats: Value, goes: Value) -> tuple[Any, Any, list[Any]]:
        """Tell the parts behind of a layer that begins."""
        below = Cat((held.count - 1)[: self.shift] >= k for k in range(self.lanes))
        frame = data.StructLayout({"beats": self.beat_bits, "tail": self.lanes})
        frames = self._queue(m, "frames", frame)
        setup = data.StructLayout({"settings": optimizer_layout(self.moments), "more": unsigned(2)})
        setups = self._queue(m, "setups", setup)
        uses = [self._queue(m, f"uses_{k}", 1) for k in range(1, self.arrays)]
        m.d.comb += [
            frames.i.payload.beats.eq(beats),
            frames.i.payload.tail.eq(below),
            setups.i.payload.settings.eq(held.settings),
            setups.i.payload.more.eq(held.more),
            *[queue.i.valid.eq(goes) for queue in (frames, setups, *uses)],
            *[queue.i.payload.eq(held.more > k) for k, queue in enumerate(uses)],
        ]
        return frames.o, setups.o, [queue.o for queue in uses]

    def _sum(self, m: Module, frames: Any) -> stream.Interface:
        """Return the sums of all workers' gradients, and what was wrong with these."""
        m.submodules.gradients = gradients = GradientFrames(
            beat=self.beat,
            workers=self.workers,
            depth=2 * self.burst,
            beat_bits=self.beat_bits,
            patience_bits=self.patience_bits,
        )
        wiring.connect(m, frames, gradients.frame)
        for k in range(self.workers):
            wiring.connect(m, wiring.flipped(self.g[k]), gradients.g[k])
        m.d.comb += self.status.late.eq(gradients.late)
        m.submodules.sums = sums = self.sums
        joint: Any = gradients.o
        m.d.comb += [
            sums.i.valid.eq(joint.valid),
            joint.ready.eq(sums.i.ready),
            Value.cast(sums.i.payload).eq(Value.cast(joint.payload)),
        ]
        m.submodules.unit = unit = self.make_unit()
        entry, result = sums.entry, sums.result
        m.d.comb += unit.i.eq(entry.data)
        rest = Cat(entry.keep, entry.last, Value.cast(entry.faults))
        m.d.comb += Value.cast(result).eq(Cat(unit.o, delay_line(m, "rest", rest, unit.latency)))
        return sums.o

    def _step(
        self,
        m: Module,
        reader: BurstReader,
        writer: BurstWriter,
        summed: Any,
        setups: Any,
        uses: list[Any],
    ) -> Any:
        """Take the step; return a queue of what was wrong with the gradients of each layer."""
        m.submodules.optimizer = step = self.optimizer
        sent = summed.payload
        m.d.comb += [
            step.config.eq(setups.payload.settings),
            step.g.valid.eq(summed.valid & setups.valid),
            summed.ready.eq(step.g.ready & setups.valid),
            setups.ready.eq(step.g.valid & step.g.ready & sent.last),
        ]
        frame = Cat(sent.keep, sent.last)
        m.d.comb += Value.cast(step.g.payload).eq(Cat(sent.data, frame))
        for k, name in enumerate(self.kept):
            i, come = getattr(step, name), reader.o[k]
            there: Value = setups.payload.more >= k if k else Const(1, 1)
            word = come.payload & there.replicate(32 * self.lanes)
            m.d.comb += [
                i.valid.eq(come.valid | (setups.valid & ~there)),
                come.ready.eq(i.ready & there),
                Value.cast(i.payload).eq(Cat(word, frame)),
            ]
        m.submodules.copies = copies = Fork(shape=self.beat, outputs=2)
        wiring.connect(m, step.o, copies.i)
        wiring.connect(m, copies.o[0], writer.data[0])
        wiring.connect(m, copies.o[1], wiring.flipped(self.weights))
        for k, used in enumerate(uses, 1):
            o, i = getattr(step, self.optimizer.outputs[k]), writer.data[k]
            m.d.comb += [
                i.payload.eq(o.payload),
                i.valid.eq(o.valid & used.valid & used.payload),
                o.ready.eq(used.valid & (i.ready | ~used.payload)),
                used.ready.eq(o.valid & o.ready & o.payload.last),
            ]
        return self._judge(m, sent, step.g)

    def _judge(self, m: Module, sent: Any, g: stream.Interface) -> Any:
        """Return a queue of what was wrong with the gradients of each layer."""
        verdicts = self._queue(m, "verdicts", self.verdict_layout)
        goes, bad = g.valid & g.ready, Signal()
        words = [sent.data.word_select(k, 32) for k in range(self.lanes)]
        wrong = Cat(word[23:31].all() & sent.keep[k] for k, word in enumerate(words)).any()
        with m.If(goes):
            m.d.sync += bad.eq((bad | wrong) & ~sent.last)
        m.d.comb += [
            verdicts.i.valid.eq(goes & sent.last),
            verdicts.i.payload.faults.eq(sent.faults),
            verdicts.i.payload.bad.eq(bad | wrong),
        ]
        return verdicts.o

    def _report(self, m: Module, done: Any, verdicts: Any) -> None:
        """Report each layer of which all is written."""
        m.submodules.reports = reports = Fifo(shape=self.report_layout, depth=LAYERS)
        wiring.connect(m, reports.o, wiring.flipped(self.report))
        given: Any = reports.i.payload
        m.d.comb += [
            reports.i.valid.eq(done.valid & verdicts.valid),
            done.ready.eq(reports.i.ready & verdicts.valid),
            verdicts.ready.eq(reports.i.ready & done.valid),
            given.faults.eq(verdicts.payload.faults),
            given.bad.eq(verdicts.payload.bad),
            given.failed.eq(done.payload),
        ]
