"""SGD, momentum, Adam and AdamW on streams of gradients, weights and moments."""

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay_line
from sluice.formats import FORMATS
from sluice.optimizer.optimizer_unit import OptimizerUnit
from sluice.optimizer.settings import optimizer_layout, read_optimizer
from sluice.params import Flag, Int
from sluice.stream import Beat, Fork, Pipeline, join, sample_settings, uneven

__all__ = ["Optimizer"]


class Optimizer(Block):
    """Make of each weight, its gradient and its moments the next weight and moments.

    All are fp32. Every operation is rounded once, to nearest even; ``fma`` is fused::

        s  = clamp(scale * (maximize ? -g : g), -clip, clip)
        d  = decoupled ? s : fma(decay, w, s);  w' = decoupled ? decay * w : w
        SGD:  m = first ? d : fma(gain, d, momentum * m)
              w = fma(-rate, nesterov ? fma(momentum, m, d) : m, w')
        Adam: v = fma(gain2, fma(d, d, -v), v);  m = fma(gain, d - m, m)
              w = fma(-rate, m / (sqrt(v) + eps), w')

    Parameters
    ----------
    lanes : int, 1..16
        Parameters per beat.
    moments : int, 0..2
        0 for plain SGD, 1 with momentum, 2 with Adam as well.
    flush : bool
        Subnormal numbers count as zero, and so do results below the smallest normal number.

    Members
    -------
    g : In(stream.Signature(Beat("fp32", lanes)))
        Gradients.
    w, m, v : In(stream.Signature(Beat("fp32", lanes)))
        Weights, first and second moments, as many as there are; for every beat of ``g``, with the
        same ``keep`` and ``last``.
    o, m_o, v_o : Out(stream.Signature(Beat("fp32", lanes)))
        The next weights and moments. Each leaves at its own pace.
    config : In(optimizer_layout(moments))
        Sampled at the first beat of a packet of ``g``; it has the names above.
        :func:`sluice.optimizer.optimizer_settings` makes it of the options of ``torch.optim``.

        - ``skip``, 1 bit: the step changes no bit of anything.
        - ``maximize``, ``decoupled``, ``first``, ``nesterov``, ``adam``, 1 bit each.
        - ``scale``, ``clip``, ``decay``, ``rate``, ``momentum``, ``gain``, ``gain2``, ``eps``, 32
          bits each: fp32, those of the formulas.
    status : Out(StructLayout({"uneven": 1}))
        Sticky: beats that met had different ``keep`` or ``last``, of which those of ``g`` counted.

    Attributes
    ----------
    latency : int, cycles
        The datapath, and the output queue.
    interval : 1 cycle
        One parameter per lane and cycle, which nothing could better, also where settings change.

    Notes
    -----
    ``ready`` of the inputs depends on all ``valid`` in the same cycle. Reset drops what is on the
    way.

    A NaN that goes out of a step that is not skipped is the canonical one. ``clip`` lets a NaN
    through. SGD with ``moments=2`` passes ``v`` unchanged.

    With the options of PyTorch, weights and moments of SGD are bit for bit those of
    ``torch.optim.SGD`` where it fuses as above, and so is the first moment of Adam where its
    ``1 - beta1`` is below 1/2. The second moment and Adam's direction are rounded in another order:
    both corrections of the bias are in ``rate`` and ``eps``.

    Method: D. P. Kingma, J. Ba, Adam: A Method for Stochastic Optimization, 2015; I. Loshchilov,
    F. Hutter, Decoupled Weight Decay Regularization, 2019. Golden model:
    :func:`sluice_sim.golden.optimizer.optimize`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    g: stream.Interface
    w: stream.Interface
    o: stream.Interface
    config: Any
    status: Any
    interval = 1

    PARAMETERS = (
        Int("lanes", "parameters per beat", 1, 16),
        Int("moments", "moments of each parameter", 0, 2),
        Flag("flush", "subnormal numbers are zero"),
    )

    def __init__(self, *, lanes: int = 1, moments: int = 2, flush: bool = False):
        self.check(lanes=lanes, moments=moments, flush=flush)
        self.lanes: int
        self.moments: int
        self.flush: bool
        self.kept = ("w", "m", "v")[: self.moments + 1]
        # Those that are zero where nobody has a file.
        self.optional = self.kept[1:]
        self.beat = Beat(FORMATS["fp32"], self.lanes)
        self.layout = optimizer_layout(self.moments)
        self.operands = ("g", *self.kept)
        self.outputs = ("o", "m_o", "v_o")[: self.moments + 1]
        beats = dict.fromkeys(self.operands, self.beat)
        entry = data.StructLayout({**beats, "settings": self.layout})
        words = dict.fromkeys(self.outputs, 32 * self.lanes)
        result = data.StructLayout({**words, "keep": self.lanes, "last": 1})
        self.pipeline = Pipeline(
            i_shape=entry,
            o_shape=result,
            stages=self.make_unit().latency,
            read_ahead=True,
            wide=True,
        )
        self.latency = self.pipeline.latency
        signature = stream.Signature(self.beat)
        super().__init__(
            {
                **{name: In(signature) for name in self.operands},
                **{name: Out(signature) for name in self.outputs},
                "config": In(self.layout),
                "status": Out(data.StructLayout({"uneven": 1})),
            }
        )

    def make_unit(self) -> OptimizerUnit:
        """Return what computes all lanes."""
        unit = OptimizerUnit(lanes=self.lanes, moments=self.moments, flush=self.flush)
        unit._MustUse__silence = True
        return unit

    def read_settings(self, texts: Mapping[str, str], *, packets: int) -> list[dict[str, int]]:
        """Return the settings for options named as in PyTorch; see :func:`optimizer_settings`."""
        return [read_optimizer(texts, self.moments)]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        streams = {name: getattr(self, name) for name in self.operands}
        both = stream.Signature(data.StructLayout(dict.fromkeys(streams, self.beat))).create()
        join(m, streams, both)
        settings = sample_settings(m, self.config, self.g)
        m.d.comb += [
            pipeline.i.valid.eq(both.valid),
            both.ready.eq(pipeline.i.ready),
            Value.cast(pipeline.i.payload).eq(Cat(Value.cast(both.payload), Value.cast(settings))),
        ]
        entry = pipeline.entry
        for name in self.kept:
            with m.If(pipeline.entry_valid & uneven(entry[name], entry.g)):
                m.d.sync += self.status.uneven.eq(1)
        m.submodules.unit = unit = self.make_unit()
        for name in self.operands:
            m.d.comb += getattr(unit, name).eq(Value.cast(entry[name].data))
        m.d.comb += unit.settings.eq(entry.settings)
        frame = delay_line(m, "frame", Cat(entry.g.keep, entry.g.last), unit.latency)
        result = pipeline.result
        m.d.comb += Cat(result.keep, result.last).eq(frame)
        for name, output in zip(self.kept, self.outputs, strict=True):
            m.d.comb += result[output].eq(getattr(unit, f"{name}_o"))
        self._send(m)
        return m

    def _send(self, m: Module) -> None:
        """Let each output take what is its own."""
        come = self.pipeline.o
        m.submodules.outputs = fork = Fork(shape=come.payload.shape(), outputs=len(self.outputs))
        wiring.connect(m, come, fork.i)
        for one, name in zip(fork.o, self.outputs, strict=True):
            o = getattr(self, name)
            word = Cat(one.payload[name], one.payload.keep, one.payload.last)
            m.d.comb += [o.valid.eq(one.valid), one.ready.eq(o.ready)]
            m.d.comb += Value.cast(o.payload).eq(word)
