"""Quantize numbers and take them back, as quantization-aware training does."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.block import Block
from sluice.delay import delay, delay_line
from sluice.formats import FORMATS
from sluice.params import Int
from sluice.quantization.fake_quantize_unit import FakeQuantizeUnit
from sluice.quantization.settings import CODE_BITS, quantizer_layout
from sluice.sparsity.bitmaps import show_bits
from sluice.stream import Beat, Pipeline, enter_with_settings

__all__ = ["FakeQuantize"]

STEPS = 36


class FakeQuantize(Block):
    """Compute ``(clamp(round(x * inv_scale) + zero_point, qmin, qmax) - zero_point) * scale``.

    Numbers are fp32, and every operation is rounded to nearest even, as it is written: bit for bit
    what ``torch.fake_quantize_per_tensor_affine`` computes on a CPU.

    Parameters
    ----------
    lanes : int, 1..64
        Elements per beat.
    stages : int, 0..36
        Registers in the datapath, spread evenly over its steps.

    Members
    -------
    i : In(stream.Signature(Beat("fp32", lanes)))
    o : Out(stream.Signature(Beat("fp32", lanes)))
        Packets as those of ``i``.
    bits : Out(stream.Signature(Beat("bit", lanes)))
        For every beat of ``o``, which elements were inside the range before they were clamped: the
        gradient of an element is that of its result where its bit is set, and else zero.
    config : In(StructLayout)
        Sampled at the first beat of a packet; a packet per channel quantizes per channel.

        - ``scale``, 32 bits: of a step, in fp32.
        - ``inv_scale``, 32 bits: ``1 / scale``, rounded to fp32, which is left to the host.
        - ``zero_point``, signed(17): the code of 0.
        - ``qmin``, ``qmax``, signed(17): the lowest and the highest code, of 1 to 16 bits, signed
          or not.
        - ``bypass``, 1 bit: elements pass unchanged, and all bits are ones.

    Attributes
    ----------
    latency : stages + 2 cycles
        The datapath, and the output queue.
    interval : 1 cycle
        One beat per cycle, which nothing could better, also where settings change.

    Notes
    -----
    ``i.ready`` is a register. Reset drops what is on the way.

    Infinities, and what overflows when it is multiplied by ``inv_scale``, are the end of the range
    on their side, and outside of it. A NaN is the lower end, and outside. A result of zero steps is
    zero with the sign of the scale. A NaN that goes out, which takes a scale that is NaN, or is
    infinite while the steps are zero, is the canonical one. Subnormals count as what they are.

    PyTorch wants ``qmin <= zero_point <= qmax``; here others count as they are: what is below
    ``qmin`` becomes ``qmin``, and of the rest what is above ``qmax`` becomes ``qmax``. The block
    looks at differences to the zero point, so nothing is added or taken off on the way.

    Golden model: :func:`sluice_sim.golden.quantization.fake_quantize`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range.
    """

    i: stream.Interface
    o: stream.Interface
    bits: stream.Interface
    config: Any
    interval = 1

    PARAMETERS = (
        Int("lanes", "elements per beat", 1, 64),
        Int("stages", "registers in the datapath", 0, STEPS, "cycles"),
    )

    def __init__(self, *, lanes: int = 4, stages: int = STEPS):
        self.check(lanes=lanes, stages=stages)
        self.lanes: int
        self.stages: int
        self.i_beat = Beat(FORMATS["fp32"], self.lanes)
        self.bits_beat = Beat(FORMATS["bit"], self.lanes)
        settings = quantizer_layout()
        entry = data.StructLayout({"i": self.i_beat, "settings": settings})
        found = data.StructLayout({"o": self.i_beat, "bits": self.lanes})
        self.pipeline = Pipeline(i_shape=entry, o_shape=found, stages=self.stages)
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.i_beat)),
                "o": Out(stream.Signature(self.i_beat)),
                "bits": Out(stream.Signature(self.bits_beat)),
                "config": In(settings),
            }
        )

    def make_unit(self) -> FakeQuantizeUnit:
        """Return what computes one lane."""
        return FakeQuantizeUnit(stages=self.stages)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        enter_with_settings(m, self.config, self.i, pipeline)
        self._compute(m)
        found: Any = pipeline.o.payload
        come = stream.Signature(self.i_beat).create()
        m.d.comb += [
            come.valid.eq(pipeline.o.valid),
            pipeline.o.ready.eq(come.ready),
            come.payload.eq(found.o),
        ]
        show_bits(m, come, found.bits, o=wiring.flipped(self.o), bits_o=self.bits)
        return m

    def _compute(self, m: Module) -> None:
        given, result = self.pipeline.entry, self.pipeline.result
        settings = given.settings
        units = [self.make_unit() for _ in range(self.lanes)]
        one = units[0]
        # Between the differences and where they are compared is a register, if there is any.
        ahead = min(1, one.range_latency)
        codes = Cat(Value.cast(settings[name]) for name in ("zero_point", "qmin", "qmax"))
        codes = delay_line(m, "codes", codes, one.range_latency - ahead)
        zero, least, most = (
            codes[k * CODE_BITS : (k + 1) * CODE_BITS].as_signed() for k in range(3)
        )
        low, high = Signal(signed(CODE_BITS + 1)), Signal(signed(CODE_BITS + 1))
        m.d.comb += [low.eq(least - zero), high.eq(most - zero)]
        low, high = delay(m, "low", low, ahead), delay(m, "high", high, ahead)
        scale = delay_line(m, "scale", settings.scale, one.scale_latency)
        late = delay_line(m, "late", Cat(Value.cast(given.i), settings.bypass), one.latency)
        beat, bypass = self.i_beat(late[:-1]), late[-1]
        for k, unit in enumerate(units):
            m.submodules[f"lane_{k}"] = unit
            m.d.comb += [
                unit.a.eq(Value.cast(given.i.data[k])),
                unit.inv_scale.eq(settings.inv_scale),
                unit.low.eq(low),
                unit.high.eq(high),
                unit.scale.eq(scale),
                Value.cast(result.o.data[k]).eq(Mux(bypass, Value.cast(beat.data[k]), unit.o)),
                result.bits[k].eq(unit.inside | bypass),
            ]
        m.d.comb += [result.o.keep.eq(beat.keep), result.o.last.eq(beat.last)]
