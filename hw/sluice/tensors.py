"""Arrays in files, the beats that carry them, and what to send for one run of a block.

A row of an array is a packet; the file's last axis runs along the packet.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.block import Block
from sluice.catalogue import RequestError
from sluice.export import ports_of, streams_of
from sluice.files import check_fresh, fresh_file
from sluice.formats import Format, from_words, to_words
from sluice.registers import pack_fields, register_map
from sluice.stream import Beat

__all__ = [
    "Plan",
    "beats_of",
    "plan_run",
    "read_words",
    "rows_of",
    "write_results",
    "write_rows",
]


def name_streams(block: Block, files: Sequence[str], *, is_input: bool) -> dict[str, Path]:
    """Return the file of each stream, from ``[stream=]path`` texts; a bare path is the first's.

    Inputs that the block lists in ``optional`` need none.

    Raises
    ------
    RequestError
        If there is no such stream, two files want the same one, or an input has none.
    """
    names = [s.name for s in streams_of(block) if s.is_input is is_input]
    names = [name for name in names if name not in block.driven]
    side, option = ("input", "--input") if is_input else ("output", "--output")
    found: dict[str, Path] = {}
    for text in files:
        name, equals, path = text.partition("=")
        if not equals:
            name, path = names[0], text
        if name not in names:
            raise RequestError(f"no {side} stream {name!r}: there are {' '.join(names)}")
        if name in found:
            raise RequestError(f"{option} for stream {name} was given twice")
        found[name] = Path(path)
    if missing := [n for n in names if n not in found and is_input and n not in block.optional]:
        raise RequestError(f"stream {missing[0]} has no data: add {option} {missing[0]}=FILE.npy")
    return found


def number_of(block: Block, stream: str) -> tuple[Beat, Format]:
    """Return the payload and the number format of a stream."""
    shape = next(s.shape for s in streams_of(block) if s.name == stream)
    if not isinstance(shape, Beat) or shape.number is None:
        raise RequestError(f"stream {stream} carries no numbers, so no array can go through it")
    return shape, shape.number


def read_words(path: Path, number: Format, *, nan: bool = True) -> NDArray[np.uint64]:
    """Return an array in a ``.npy`` file as bit patterns of ``number``.

    Raises
    ------
    RequestError
        If the file cannot be read, has no rows, or holds a value that ``number`` does not have;
        with ``nan=False`` also a NaN.
    """
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except OSError as e:
        raise RequestError(f"cannot read {path}: {e.strerror}") from e
    except ValueError as e:
        raise RequestError(f"{path} is no .npy array of numbers: write it with numpy.save") from e
    if array.ndim == 0 or (array.size == 0 and array.ndim < 2) or 0 in array.shape[:-1]:
        raise RequestError(f"{path} has shape {array.shape}: at least one row is needed")
    try:
        return to_words(array, number, nan=nan).reshape(array.shape)
    except ValueError as e:
        raise RequestError(f"{path} {e}") from e


def beats_of(row: NDArray[np.uint64], beat: Beat) -> Iterator[int]:
    """Yield the payloads of a packet; an empty packet is one empty beat."""
    width, lanes = beat.element_width, beat.lanes
    count = max(1, -(-len(row) // lanes))
    for k in range(count):
        part = row[k * lanes : (k + 1) * lanes]
        word = 0
        for n, value in enumerate(part.tolist()):
            word |= value << (n * width)
        keep = (1 << len(part)) - 1
        yield word | (keep | (k == count - 1) << lanes) << (width * lanes)


def rows_of(payloads: Sequence[int], beat: Beat) -> list[NDArray[np.uint64]]:
    """Return the packets that ``payloads`` carry."""
    width, lanes = beat.element_width, beat.lanes
    mask = (1 << width) - 1
    rows: list[NDArray[np.uint64]] = []
    row: list[int] = []
    for word in payloads:
        flags = word >> (width * lanes)
        row += [word >> (k * width) & mask for k in range(lanes) if flags >> k & 1]
        if flags >> lanes:
            rows.append(np.array(row, np.uint64))
            row = []
    return rows


def write_rows(path: Path, rows: Sequence[NDArray[np.uint64]], number: Format) -> tuple[int, ...]:
    """Write packets as one array, of which they are the rows; return its shape.

    Packets of different lengths go into a ``.npz`` with ``values``, one behind the other, and
    ``lengths``.

    Raises
    ------
    RequestError
        If the file exists or cannot be written, or is no ``.npz`` where it must be.
    """
    lengths = {len(row) for row in rows}
    flat = np.concatenate([*rows, np.zeros(0, np.uint64)]).astype(np.uint64)
    values = from_words(flat, number)
    if path.suffix != ".npz" and len(lengths) > 1:
        raise RequestError(
            f"packets of {min(lengths)} to {max(lengths)} elements are no rows of one array: "
            f"give --output {path.with_suffix('.npz')}"
        )
    with fresh_file(path) as partial, partial.open("wb") as file:
        if path.suffix == ".npz":
            np.savez(file, values=values, lengths=np.array([len(row) for row in rows]))
        else:
            values = values.reshape(len(rows), lengths.pop() if lengths else 0)
            np.save(file, values)
    return values.shape


@dataclass(frozen=True)
class Plan:
    """One run of a block.

    Attributes
    ----------
    block : Block
    inputs : dict of stream number to (payload, settings or None)
        What a :class:`sluice.link.Client` exchanges.
    packets : dict of stream number to packets
        That come out; ``None`` where only the block knows.
    outputs : dict of stream name to file
    skip : int
        Packets of every output that answer the empty ones sent ahead.
    gather : callable or None
        Makes of the packets of the first output the rows of its array.
    """

    block: Block
    inputs: dict[int, list[tuple[int, int | None]]]
    packets: dict[int, int | None]
    outputs: dict[str, Path]
    skip: int
    gather: Callable[[Sequence[NDArray[np.uint64]]], Sequence[NDArray[np.uint64]]] | None = None


def plan_run(
    block: Block, inputs: Sequence[str], outputs: Sequence[str], config: Mapping[str, str]
) -> Plan:
    """Read everything, and check all of a request before anything is started.

    Parameters
    ----------
    inputs, outputs : sequence of ``[stream=]path``
    config : mapping of setting to text
        See :meth:`sluice.block.Block.read_settings`.

    Raises
    ------
    RequestError
        Naming the file, the stream or the setting that is wrong.
    """
    sources = name_streams(block, inputs, is_input=True)
    sinks = name_streams(block, outputs, is_input=False)
    for path in sinks.values():
        check_fresh(path)
    arrays = {
        name: read_words(path, number_of(block, name)[1], nan=block.accepts_nan)
        for name, path in sources.items()
    }
    if block.driven:
        return _plan_driven(block, arrays, sources, sinks, config)
    # A row without an element is a packet too.
    rows = {
        name: list(a.reshape(math.prod(a.shape[:-1]), a.shape[-1])) for name, a in arrays.items()
    }
    first = next(s.name for s in streams_of(block) if s.is_input)
    for name in block.optional:
        rows.setdefault(name, [np.zeros_like(row) for row in rows[first]])
    shape = next((p.shape for p in ports_of(block) if p.name == "config"), None)
    try:
        if shape is None and config:
            raise ValueError("this block has no settings")
        texts = block.read_settings(config, packets=len(rows[first])) if shape else [{}]
        settings = [pack_fields(shape, fields) if shape else None for fields in texts]
    except ValueError as e:
        raise RequestError(f"--config: {e}") from e
    *ahead, steady = settings
    sent: dict[int, list[tuple[int, int | None]]] = {}
    for k, name in enumerate(s.name for s in streams_of(block) if s.is_input):
        beat, _ = number_of(block, name)
        empty = np.zeros(0, np.uint64)
        # Settings go with the first stream; the others have none of their own.
        words = [(w, c) for c in ahead for w in beats_of(empty, beat)] if name == first else []
        for row in rows[name]:
            words += [(w, steady if name == first else None) for w in beats_of(row, beat)]
        sent[k] = words
    names = [s.name for s in streams_of(block) if not s.is_input]
    for name in sinks:
        number_of(block, name)
    count = len(ahead) + len(rows[first]) if block.same_packets else None
    return Plan(block, sent, dict.fromkeys(range(len(names)), count), sinks, len(ahead))


def _plan_driven(
    block: Block,
    arrays: Mapping[str, NDArray[np.uint64]],
    sources: Mapping[str, Path],
    sinks: dict[str, Path],
    config: Mapping[str, str],
) -> Plan:
    """Plan a run of a block that says itself what to send."""
    try:
        driven = block.drive(arrays, config)
    except ValueError as e:
        files = " ".join(f"{name}={path}" for name, path in sources.items())
        raise RequestError(f"{files}: {e}") from e
    sent: dict[int, list[tuple[int, int | None]]] = {}
    for k, name in enumerate(s.name for s in streams_of(block) if s.is_input):
        if name in block.driven:
            sent[k] = [(word, None) for word in driven.words[name]]
        else:
            beat, _ = number_of(block, name)
            sent[k] = [(w, None) for row in driven.rows[name] for w in beats_of(row, beat)]
    return Plan(block, sent, {0: driven.packets}, sinks, 0, driven.gather)


def write_results(plan: Plan, came: Mapping[int, Sequence[int]], status: int) -> dict[str, Any]:
    """Write the output files; return their shapes by stream, and what the block says of the run.

    That is the status flags that are set, and the cycles that were counted where there is a
    port ``cycles``.

    Parameters
    ----------
    came : mapping of stream number to payloads
    status : int
        Bits of the block's outputs beside its streams.
    """
    facts: dict[str, Any] = {}
    for k, stream in enumerate(s for s in streams_of(plan.block) if not s.is_input):
        if stream.name in plan.outputs:
            beat, number = number_of(plan.block, stream.name)
            rows: Sequence[NDArray[np.uint64]] = rows_of(came[k], beat)[plan.skip :]
            if plan.gather:
                rows = plan.gather(rows)
            path = plan.outputs[stream.name]
            facts[stream.name] = f"{path} {write_rows(path, rows, number)} {number}"
    flags = []
    for port in register_map(plan.block):
        if port["access"] == "read":
            for field in port["fields"]:
                value = status >> field["low"] & ((1 << field["width"]) - 1)
                name = field["name"] or port["port"]
                if port["port"] == "cycles":
                    facts["cycles"] = value
                elif port["port"] == "status" and value:
                    flags.append(name)
            status >>= port["width"]
    return facts | {"status": " ".join(flags) or "no error"}
