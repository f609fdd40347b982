"""A simulated board: a block behind a host link, on a port that a client opens like any other."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sluice.block import Block
from sluice.catalogue import Entry, RequestError, find_block
from sluice.link import HostLink
from sluice_sim.runner import find_simulator, run_modules
from sluice_sim.transactor import Transactor, clocked

__all__ = ["SimulatedDevice"]

START, STOP = 180.0, 5.0


class SimulatedDevice:
    """Simulate a block behind a host link for as long as the context lasts.

    Parameters
    ----------
    entry : Entry
        The block's.
    parameters : mapping
        What the block is made with.
    queue_depth, frame_bytes : int
        Of the :class:`sluice.link.HostLink`.
    sim : str, optional
        ``icarus`` or ``verilator``; by default the first that is there.

    Attributes
    ----------
    port : str
        Path of the pseudo-terminal to give to a :class:`sluice.link.Client`.
    block : Block
        The block as it was made.

    Raises
    ------
    RequestError
        On entry, if the simulation does not start; the message names its log.
    """

    port: str

    def __init__(
        self,
        entry: Entry,
        parameters: Mapping[str, Any],
        *,
        queue_depth: int = 256,
        frame_bytes: int = 512,
        sim: str | None = None,
    ):
        self.block: Block = entry.cls(**parameters)
        self._request = {
            "block": entry.name,
            "parameters": dict(parameters),
            "queue_depth": queue_depth,
            "frame_bytes": frame_bytes,
            "sim": find_simulator(sim),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "SimulatedDevice":
        self._folder = tempfile.TemporaryDirectory(prefix="sluice-device-")
        folder = Path(self._folder.name)
        told = folder / "port"
        env = {
            **os.environ,
            "SLUICE_PORT_FILE": str(told),
            "SLUICE_PARENT": str(os.getpid()),
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }
        # The runner of cocotb would raise SystemExit there, as if it were a test of its own.
        env.pop("PYTEST_CURRENT_TEST", None)
        try:
            with (folder / "log").open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "sluice_sim.device", json.dumps(self._request)],
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # A group of its own takes the simulator along, and keeps Ctrl-C from it.
                    start_new_session=True,
                )
            deadline = time.monotonic() + START
            while not told.exists():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (folder / "log").read_text(errors="replace").strip().splitlines()
                    raise RequestError(
                        f"the simulated device did not start: {said[-1] if said else 'no message'}"
                    )
                time.sleep(0.02)
        except BaseException:
            self._stop()
            raise
        self.port = told.read_text()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(STOP)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
            process.wait()
        self._folder.cleanup()


def main(request: Mapping[str, Any]) -> None:
    """Simulate the device that ``request`` describes until this process is ended."""
    inner = find_block(request["block"]).cls(**request["parameters"])
    link = HostLink(inner, queue_depth=request["queue_depth"], frame_bytes=request["frame_bytes"])
    name = f"device_{request['block']}"
    result = run_modules(
        name,
        clocked(Transactor(link), name, request["sim"]),
        ["sluice_sim.bench.tb_device"],
        {},
        sim=request["sim"],
    )
    for test, message in result.failures.items():
        print(f"{test}: {message}, see {result.folder}")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
