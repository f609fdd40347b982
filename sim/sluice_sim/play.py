"""Long streams through a block, faster than a bench that looks at every cycle."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import Value
from numpy.typing import NDArray

from sluice.array import Kind, Matmul, command_layout
from sluice.array.driver import Product
from sluice.block import Block
from sluice.export import StreamPort, ports_of, streams_of, to_verilog
from sluice.sparsity import SparseMatmul, SparseTimesDense
from sluice.sparsity.pair_driver import Pairs
from sluice.sparsity.sparse_driver import SparseProduct
from sluice.technology import GENERIC, Technology
from sluice.tensors import beats_of, rows_of
from sluice_sim.models import models_of
from sluice_sim.sweep import compile_bench

__all__ = ["Played", "play", "play_pairs", "play_product", "play_sparse"]

_BENCH = """
module bench;
  reg clk = 0, rst = 1;
  integer cycle = 0, file, missing = {missing};
  always #1 clk = ~clk;
  {name} dut (.clk(clk), .rst(rst){ports});
  initial file = $fopen("moved.txt", "w");
{streams}
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 2) rst <= 0;
    if (missing <= 0 || cycle == {limit}) begin
      $fclose(file);
      $finish;
    end
  end
endmodule
"""

_INPUT = """
  reg [{top}:0] {n}_words [0:{end}];
  reg [{top}:0] {n}_payload;
  reg {n}_valid = 0;
  wire {n}_ready;
  integer {n}_at = 0;
  initial $readmemh("{n}.hex", {n}_words);
  always @(posedge clk) if (!rst) begin
    if ({n}_valid && {n}_ready) $fdisplay(file, "{n} %0d 0", cycle);
    if (!{n}_valid || {n}_ready) begin
      {n}_valid <= {n}_at <= {last};
      {n}_payload <= {n}_words[{n}_at <= {last} ? {n}_at : 0];
      {n}_at <= {n}_at + 1;
    end
  end
"""

_OUTPUT = """
  wire [{top}:0] {n}_payload;
  wire {n}_valid;
  wire {n}_ready = !rst;
  always @(posedge clk) if (!rst && {n}_valid) begin
    $fdisplay(file, "{n} %0d %h", cycle, {n}_payload);
    missing = missing - 1;
  end
"""


class Played(dict[str, NDArray[np.int64]]):
    """Cycles of the transfers by stream.

    Attributes
    ----------
    words : dict of output stream to list of payloads
    """

    def __init__(self, names: Sequence[str], lines: Sequence[str]):
        moved: dict[str, list[int]] = {name: [] for name in names}
        self.words: dict[str, list[int]] = {name: [] for name in names}
        for line in lines:
            name, cycle, word = line.split()
            moved[name].append(int(cycle))
            self.words[name].append(int(word, 16))
        super().__init__({name: np.array(cycles, np.int64) for name, cycles in moved.items()})


def play(
    block: Block,
    inputs: Mapping[str, Sequence[int]],
    outputs: Mapping[str, int],
    *,
    limit: int,
    technology: Technology = GENERIC,
    settings: Mapping[str, int] | None = None,
) -> Played:
    """Send payloads without a pause, and take what comes without one.

    Parameters
    ----------
    inputs : mapping of stream to payloads
    outputs : mapping of stream to count
        Payloads after which all is done.
    limit : int, cycles
    settings : mapping of input port to value
        Of those that are no streams; zero by default.

    Raises
    ------
    TimeoutError
        If not all came in ``limit`` cycles.
    ToolError, subprocess.CalledProcessError
        If the simulator fails.
    """
    streams = {s.name: s for s in streams_of(block)}
    ports = "".join(
        # A name may be a keyword of Verilog, such as config.
        f", .\\{port.name} ({(settings or {}).get(port.name, 0)})"
        for port in ports_of(block)
        if port.is_input and port.name.rpartition("__")[0] not in streams
    )
    parts: list[str] = []
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        for name, stream in streams.items():
            top = _width(stream) - 1
            ports += "".join(f", .{name}__{p}({name}_{p})" for p in ("valid", "ready", "payload"))
            words = inputs.get(name, ())
            if stream.is_input:
                # An array has at least one word, sent or not.
                (folder / f"{name}.hex").write_text("\n".join(f"{word:x}" for word in words or [0]))
                last = len(words) - 1
                parts.append(_INPUT.format(n=name, top=top, last=last, end=max(last, 0)))
            else:
                parts.append(_OUTPUT.format(n=name, top=top))
        (folder / "block.v").write_text(to_verilog(block, "block", technology))
        (folder / "bench.v").write_text(
            _BENCH.format(
                name="block",
                missing=sum(outputs.values()),
                ports=ports,
                streams="".join(parts),
                limit=limit,
            )
        )
        sources = ["bench.v", "block.v", *map(str, models_of(technology))]
        subprocess.run(compile_bench(folder, sources), cwd=folder, check=True, capture_output=True)
        played = Played(list(streams), (folder / "moved.txt").read_text().splitlines())
    for name, count in outputs.items():
        if len(played[name]) < count:
            raise TimeoutError(f"{name} gave {len(played[name])} of {count} in {limit} cycles")
    return played


def play_product(engine: Matmul, product: Product) -> tuple[NDArray[np.uint64], dict[str, int]]:
    """Multiply two matrices; return the result, and when what happened.

    Cycles are those of the first beat that is loaded (``loads``), of the start of the first
    multiplication (``begins``) and of the last result (``ends``).
    """
    inputs = {
        name: [word for row in product.rows[name] for word in beats_of(row, engine.beats[name])]
        for name in "ab"
    }
    inputs |= {"command": product.commands, "map": product.maps}
    limit = 4 * product.vectors + sum(map(len, inputs.values())) + 10000
    played = play(engine, inputs, {"o": len(product.places)}, limit=limit)
    layout: Any = command_layout(engine.count_bits)
    kinds = [layout.from_bits(c).kind for c in product.commands]
    cycles = {
        "loads": int(min(played["a"][0], played["b"][0])),
        "begins": int(played["command"][kinds.index(Kind.MULTIPLY)]),
        "ends": int(played["o"][-1]),
    }
    return product.assemble(rows_of(played.words["o"], engine.o_beat)), cycles


def play_pairs(block: SparseMatmul, plan: Pairs) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Multiply two matrices; return the result, and when each row of each tile of columns ended.

    The latter, of shape ``(tiles, M)``, is in cycles since the tile's last weights were loaded.
    """
    inputs: dict[str, Sequence[int]] = {"command": plan.commands}
    for name, rows in plan.rows.items():
        beat = block.bits_beat if name.endswith("bits") else block.beat
        inputs[name] = [word for row in rows for word in beats_of(row, beat)]
    limit = block.context * len(inputs["a"]) + 4 * sum(map(len, inputs.values())) + 10000
    played = play(block, inputs, {"o": plan.packets}, limit=limit)
    packets = rows_of(played.words["o"], block.o_beat)
    last = np.flatnonzero([word >> block.beat.size - 1 for word in inputs["b"]])
    begins = played["b"][last[block.pes - 1 :: block.pes]]
    ends = played["o"].reshape(-1, plan.shape[0])
    return np.array(plan.assemble(packets)), ends - begins[:, None]


def play_sparse(
    engine: SparseTimesDense, product: SparseProduct
) -> tuple[NDArray[np.uint64], dict[str, int]]:
    """Multiply a sparse matrix by a dense one; return the result, and when what happened.

    Cycles are those of the first row that is loaded (``loads``, where there is one), of the first
    and the last non-zero or empty row that is taken (``begins``, ``taken``), and of the first and
    the last result (``gives``, ``ends``).
    """
    inputs = product.payloads(engine)
    beats = sum(-(-count // engine.lanes) for _, _, count in product.parts)
    limit = engine.sums * engine.slices * (len(product.command) + 1)
    limit += 4 * (product.steps + beats * engine.slices + sum(map(len, inputs.values()))) + 10000
    played = play(engine, inputs, {"o": beats}, limit=limit)
    at = {
        "begins": int(played["a"][0]),
        "taken": int(played["a"][-1]),
        "gives": int(played["o"][0]),
        "ends": int(played["o"][-1]),
    }
    if len(played["d"]):
        at["loads"] = int(played["d"][0])
    return product.assemble(rows_of(played.words["o"], engine.o_beat)), at


def _width(stream: StreamPort) -> int:
    return len(Value.cast(stream.interface.payload))
