"""``sluice compress``, ``sluice decompress`` and ``sluice unpack``."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.cli.common import Json, pairs, print_json, print_table

__all__ = ["compress", "decompress", "unpack"]


def compress(
    model: Annotated[Path, typer.Argument(help="A safetensors file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    codec: Annotated[
        str, typer.Option(help="lut, relu, ternary, raw; or smallest, of those without loss.")
    ] = "lut",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Of that codec: fraction_bits=4, method=lloyd; block=64."),
    ] = None,
    choices: Annotated[
        list[str] | None,
        typer.Option("--for", help="Tensors of another codec: 'fc1.*=relu,block=64'."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compress the weights of a model to a file that the hardware's decompressors read.

    The first --for whose pattern fits a tensor's name counts. What its codec cannot hold is an
    error; what the codec of all others cannot hold is stored as it is, and the reason printed.

    The table says of each tensor how much smaller it is, the largest relative error of a weight,
    and the entropy of its weights, or with lut those of its exponents and of its codes, below which
    no code of single weights could get.

    Example: sluice compress weights.safetensors -o weights.sluice --for "*.bias=raw"
    """
    from rich.console import Console
    from rich.progress import track

    from sluice.compression.codec import RawCodec
    from sluice.compression.packed import Packed
    from sluice.compression.section import Section
    from sluice.compression.weights_file import Stored, format_of, tensors_of, write_file
    from sluice.files import check_fresh

    check_fresh(output)
    tensors: dict[str, Stored] = {}
    rows: list[dict[str, Any]] = []
    plan: list[tuple[str, str, Any, _Choice, str]] = []
    with _one_line():
        default = _Choice.read(codec, pairs(settings or (), "--set"))
        others: dict[str, _Choice] = {}
        for pattern, text in pairs(choices or (), "--for").items():
            named, _, rest = text.partition(",")
            options = pairs(rest.split(",") if rest else (), f"--for {pattern}")
            others[pattern] = _Choice.read(named, options)
        found = list(tensors_of(model))
        for pattern in others:
            if not any(fnmatchcase(name, pattern) for name, _, _ in found):
                raise ValueError(f"--for {pattern}: no tensor of {model} has such a name")
        # What is wrong with a request is said before anything is drawn.
        for name, dtype, array in found:
            fits = (choice for p, choice in others.items() if fnmatchcase(name, p))
            choice = next(fits, default)
            reason = choice.refuses(array, dtype)
            if reason and choice is not default:
                raise ValueError(f"tensor {name}: {reason}")
            plan.append((name, dtype, array, choice, reason))
    for name, dtype, array, choice, reason in track(
        plan, "compressing", console=Console(stderr=True)
    ):
        number = format_of(dtype)
        if number is None:
            data = array.tobytes()
            packed = Packed("raw", {}, {"i": Section.from_bytes(data, count=len(data), width=8)})
        else:
            words = number.to_bits(array.reshape(-1))
            how = _Choice(RawCodec(), {}) if reason else choice
            packed = how.compressor.compress(words, number, **how.options)
        tensors[name] = Stored(array.shape, dtype, packed)
        rows.append(_facts(name, array, tensors[name]) | ({"refused": reason} if reason else {}))
    size = write_file(output, tensors)
    if as_json:
        print_json({"output": str(output), "bytes": size, "tensors": rows})
        return
    columns = ("tensor", "shape", "type", "codec", "ratio", "largest error", "entropy", "escapes")
    print_table(
        f"{model} to {output}",
        columns,
        (
            (
                row["tensor"],
                "x".join(map(str, row["shape"])) or "-",
                row["type"],
                row["codec"],
                f"{row['ratio']:.3f}" if row["ratio"] else "-",
                f"{row['largest_error']:.2e}" if row["largest_error"] else "0",
                " ".join(f"{row[k]:.2f}" for k in row if k.endswith("entropy")),
                row.get("escapes", "-"),
            )
            for row in rows
        ),
    )
    for reason in dict.fromkeys(row["refused"] for row in rows if "refused" in row):
        names = " ".join(row["tensor"] for row in rows if row.get("refused") == reason)
        print(f"{reason}; stored as they are: {names}")
    print(
        f"{model.stat().st_size} bytes to {size}: {model.stat().st_size / size:.3f} times smaller"
    )


@dataclass(frozen=True)
class _Choice:
    """What compresses a tensor, and what it is told."""

    compressor: Any
    options: dict[str, Any]

    @classmethod
    def read(cls, codec: str, texts: Mapping[str, str]) -> "_Choice":
        """Return the choice that a name and texts stand for, or raise ``ValueError``."""
        from sluice.compression.codec import find_compressor

        compressor = find_compressor(codec)
        for name in texts:
            if name not in compressor.options:
                known = " ".join(compressor.options) or "none"
                raise ValueError(f"codec {codec} has no option {name!r}: there are {known}")
        options = {k: int(text) if text.isdecimal() else text for k, text in texts.items()}
        return cls(compressor, options)

    def refuses(self, array: Any, dtype: str) -> str:
        """Say why a tensor cannot be compressed so; raise ``ValueError`` for a wrong option."""
        from sluice.compression.weights_file import format_of

        number = format_of(dtype)
        if number is None:
            name = self.compressor.name
            return "" if name in ("raw", "smallest") else f"codec {name} does not take {dtype}"
        words = number.to_bits(array.reshape(-1))
        reason = self.compressor.refuses(words, number)
        if not reason:
            try:
                self.compressor.compress(words[:0], number, **self.options)
            except (TypeError, ValueError) as e:
                raise ValueError(f"codec {self.compressor.name}: {e}") from e
        return reason


def _facts(name: str, array: Any, stored: Any) -> dict[str, Any]:
    """Return what the table says of a tensor."""
    import numpy as np

    from sluice.compression.codec import find_codec
    from sluice.compression.weights_file import format_of
    from sluice.formats import Float

    packed, number = stored.packed, format_of(stored.dtype)
    before = array.size * array.dtype.itemsize * 8
    row: dict[str, Any] = {
        "tensor": name,
        "shape": list(array.shape),
        "type": stored.dtype,
        "codec": packed.codec,
        "bits": packed.bits,
        "ratio": round(before / packed.bits, 4) if packed.bits else 0,
        "largest_error": 0.0,
    }
    given = array.reshape(-1)
    if number is None:
        return row | {"entropy": _entropy(given)}
    words = number.to_bits(given)
    come = number.from_bits(find_codec(packed.codec).decompress(packed, number, array.size))
    with np.errstate(invalid="ignore"):
        given, come = given.astype(np.float64), come.astype(np.float64)
    counts = np.isfinite(given) & (given != 0)
    errors = np.abs(come[counts] - given[counts]) / np.abs(given[counts])
    row["largest_error"] = float(errors.max(initial=0.0))
    if packed.codec != "lut" or not isinstance(number, Float):
        return row | {"entropy": _entropy(words)} | dict(packed.options)
    exponents = words >> np.uint64(number.fraction_bits)
    exponents &= np.uint64((1 << number.exponent_bits) - 1)
    return (
        row
        | {
            "exponent_entropy": _entropy(exponents),
            "code_entropy": _entropy(packed.sections["codes"].words),
            "escapes": int(packed.sections["raw"].words.size),
        }
        | dict(packed.options)
    )


def _entropy(words: Any) -> float:
    import numpy as np

    _, counts = np.unique(words, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0


def decompress(
    file: Annotated[Path, typer.Argument(help="What sluice compress wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A safetensors file to write.")],
) -> None:
    """Make a model of a compressed file again, with the weights that the hardware would have.

    Example: sluice decompress weights.sluice -o back.safetensors
    """
    import numpy as np
    import safetensors.numpy

    from sluice.compression.codec import find_codec
    from sluice.compression.weights_file import dtype_of, format_of, read_file
    from sluice.files import check_fresh, fresh_file

    check_fresh(output)
    arrays: dict[str, Any] = {}
    with _one_line():
        for name, stored in read_file(file).items():
            number, packed = format_of(stored.dtype), stored.packed
            if number is None:
                data = packed.sections["i"].to_bytes()
                array = np.frombuffer(data, dtype_of(stored.dtype))
            else:
                bits = find_codec(packed.codec).decompress(packed, number, stored.count)
                array = number.from_bits(bits)
            arrays[name] = array.reshape(stored.shape)
    with fresh_file(output) as partial:
        safetensors.numpy.save_file(arrays, partial)
    print(f"{len(arrays)} tensors in {output}")


def unpack(
    file: Annotated[Path, typer.Argument(help="What sluice compress wrote.")],
    tensor: Annotated[str, typer.Argument(help="The name of a tensor in it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A folder to make.")],
    lanes: Annotated[int, typer.Option(help="Of the block that will decompress it.")] = 8,
) -> None:
    """Write the streams of a compressed tensor as arrays, and print how to run the block on them.

    Example: sluice unpack weights.sluice fc1.weight -o fc1
    """
    import numpy as np

    from sluice.catalogue import RequestError, find_block
    from sluice.compression.codec import find_codec
    from sluice.compression.weights_file import format_of, read_file
    from sluice.files import fresh_folder
    from sluice.tensors import number_of

    with _one_line():
        tensors = read_file(file)
    if tensor not in tensors:
        raise RequestError(f"{file} has no tensor {tensor!r}: there are {' '.join(tensors)}")
    stored = tensors[tensor]
    number, packed = format_of(stored.dtype), stored.packed
    if number is None:
        raise RequestError(f"tensor {tensor}: no block takes {stored.dtype}")
    with _one_line(f"tensor {tensor}: "):
        run = find_codec(packed.codec).block(packed, number, stored.count, lanes)
    block = find_block(run.block).make(**run.parameters)
    command = ["sluice", "run", run.block]
    command += [part for k, v in run.parameters.items() for part in ("--set", f"{k}={v}")]
    command += [part for k, v in run.config.items() for part in ("--config", f"{k}={v}")]
    with fresh_folder(output) as folder:
        for stream, section in packed.sections.items():
            # As the bit patterns that they are: other types would not keep every NaN.
            values = number_of(block, stream)[1].from_bits(section.words)
            np.save(folder / f"{stream}.npy", values[None])
            command += ["--input", f"{stream}={output}/{stream}.npy"]
    command += ["--output", f"{output}/o.npy"]
    times = f"  # times {run.scale!r}" if run.scale != 1 else ""
    print(shlex.join(command) + times)


@contextmanager
def _one_line(where: str = "") -> Iterator[None]:
    """Make one line of what is wrong with a file or an option."""
    from sluice.catalogue import RequestError

    try:
        yield
    except ValueError as e:
        raise RequestError(f"{where}{e}") from e
