"""Where blocks begin that several engines pack at once."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow
from sluice.delay import delay
from sluice.sparsity.prefix_sum import add_sums_below, prefix_steps
from sluice.stream import Beat, Pipeline

__all__ = ["ReluScan", "write_layout"]


def write_layout(beat: Beat, address: int) -> data.StructLayout:
    """Return the payload of writes: a beat, of which any lanes may be kept, and its address."""
    members = {name: field.shape for name, field in beat}
    return data.StructLayout({"address": address, **members})


class ReluScan(wiring.Component):
    """Add up the sizes of blocks, a round of one block per engine in every cycle.

    Parameters
    ----------
    engines, lanes, block : int
        Powers of two.
    address : int, bits
        Of an address, which counts beats.
    rest : shape
        What goes along with a round.

    Members
    -------
    i : In(stream.Signature(StructLayout({"stored", "bits", "rest", "last"})))
        ``stored`` is how many elements each engine's block has, ``bits`` whether it has a bitmap;
        ``last`` ends the tensor.
    o : Out(stream.Signature(StructLayout({"element", "row", "rest", "last"})))
        ``element`` is how many elements there are before each engine's block, modulo ``lanes``
        times ``2**address``, and ``row`` how many blocks with a bitmap, modulo ``2**address`` over
        the beats of a block.

    Attributes
    ----------
    latency : int, cycles
    """

    i: stream.Interface
    o: stream.Interface
    _MustUse__silence = True

    def __init__(self, *, engines: int, lanes: int, block: int, address: int, rest: Any):
        self.engines = engines
        beats = block // lanes
        self.element_bits = address + lanes.bit_length() - 1
        self.row_bits = address - (beats.bit_length() - 1)
        given = {
            "stored": data.ArrayLayout(range(block + 1), engines),
            "bits": engines,
            "rest": rest,
            "last": 1,
        }
        found = {
            "element": data.ArrayLayout(self.element_bits, engines),
            "row": data.ArrayLayout(self.row_bits, engines),
            "rest": rest,
            "last": 1,
        }
        self.steps = prefix_steps(engines) + 1
        self.pipeline = Pipeline(
            i_shape=data.StructLayout(given), o_shape=data.StructLayout(found), stages=self.steps
        )
        self.latency = self.pipeline.latency
        super().__init__(
            {
                "i": In(stream.Signature(self.pipeline.i_shape)),
                "o": Out(stream.Signature(self.pipeline.o_shape)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pipeline = pipeline = self.pipeline
        wiring.connect(m, wiring.flipped(self.i), pipeline.i)
        wiring.connect(m, pipeline.o, wiring.flipped(self.o))
        given = pipeline.entry
        flow: Any = Flow(m, steps=self.steps, stages=self.steps)
        flow.frame = Cat(Value.cast(given.rest), given.last)
        add_sums_below(flow, {"stored": list(given.stored), "bits": list(given.bits)})
        arrives = delay(m, "arrives", pipeline.entry_valid, flow.latency, reset=True)
        starts: dict[str, list[Value]] = {}
        last = flow.frame[-1]
        for name, width in (("stored", self.element_bits), ("bits", self.row_bits)):
            sums = [getattr(flow, f"{name}_{k + 1}") for k in range(self.engines)]
            before = Signal(width, name=f"{name}_before")
            starts[name] = [before, *((before + s)[:width] for s in sums[:-1])]
            with m.If(arrives):
                m.d.sync += before.eq(Mux(last, 0, before + sums[-1]))
        flow.placed = Cat(*starts["stored"], *starts["bits"])
        flow.step()
        m.d.comb += Value.cast(pipeline.result).eq(Cat(flow.placed, flow.frame))
        return m
