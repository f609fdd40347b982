"""``sluice compress``, ``sluice decompress`` and ``sluice unpack``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.cli.common import Json, pairs, print_json, print_table

__all__ = ["compress", "decompress", "unpack"]


def compress(
    model: Annotated[Path, typer.Argument(help="A safetensors file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    codec: Annotated[str, typer.Option(help="lut or raw; what is no float is always raw.")] = "lut",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Of the codec: fraction_bits=4, exponent_bits=5, method=lloyd."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compress the weights of a model to a file that the hardware's decompressor reads.

    The table says of each tensor how much smaller it is, the largest relative error of a weight,
    and the entropies of its exponents and of its codes, which no code could get below.

    Example: sluice compress weights.safetensors -o weights.sluice --set fraction_bits=4
    """
    import numpy as np
    from rich.console import Console
    from rich.progress import track

    from sluice.compression.codec import Packed, find_codec
    from sluice.compression.section import Section
    from sluice.compression.weights_file import Stored, format_of, tensors_of, write_file
    from sluice.files import check_fresh

    check_fresh(output)
    options: dict[str, Any] = {
        name: int(text) if text.isdecimal() else text
        for name, text in pairs(settings or (), "--set").items()
    }
    tensors: dict[str, Stored] = {}
    rows: list[dict[str, Any]] = []
    with _one_line():
        chosen = find_codec(codec)
        for name in options:
            if name not in chosen.options:
                known = " ".join(chosen.options) or "none"
                raise ValueError(f"codec {codec} has no option {name!r}: there are {known}")
        found = list(tensors_of(model))
        # What is wrong with an option is said before anything is drawn.
        for number in filter(None, dict.fromkeys(format_of(dtype) for _, dtype, _ in found)):
            chosen.compress(np.zeros(0, np.uint64), number, **options)
    for name, dtype, array in track(found, "compressing", console=Console(stderr=True)):
        number = format_of(dtype)
        if number is None:
            data = array.tobytes()
            words = Section.from_bytes(data, count=len(data), width=8)
            packed = Packed("raw", {}, {"i": words})
        else:
            packed = chosen.compress(number.to_bits(array.reshape(-1)), number, **options)
        tensors[name] = Stored(array.shape, dtype, packed)
        rows.append(_facts(name, dtype, array, tensors[name]))
    size = write_file(output, tensors)
    if as_json:
        print_json({"output": str(output), "bytes": size, "tensors": rows})
        return
    columns = ("tensor", "shape", "type", "codec", "ratio", "largest error", "entropies", "escapes")
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
                f"{row['largest_error']:.2e}" if "largest_error" in row else "-",
                f"{row['exponent_entropy']:.2f} {row['code_entropy']:.2f}"
                if "code_entropy" in row
                else "-",
                row.get("escapes", "-"),
            )
            for row in rows
        ),
    )
    print(
        f"{model.stat().st_size} bytes to {size}: {model.stat().st_size / size:.3f} times smaller"
    )


def _facts(name: str, dtype: str, array: Any, stored: Any) -> dict[str, Any]:
    """Return what the table says of a tensor."""
    import numpy as np

    from sluice.compression.codec import find_codec
    from sluice.compression.weights_file import format_of
    from sluice.formats import Float

    packed, number = stored.packed, format_of(dtype)
    before = array.size * array.dtype.itemsize * 8
    row: dict[str, Any] = {
        "tensor": name,
        "shape": list(array.shape),
        "type": dtype,
        "codec": packed.codec,
        "bits": packed.bits,
        "ratio": round(before / packed.bits, 4) if packed.bits else 0,
    }
    if packed.codec != "lut" or not array.size or not isinstance(number, Float):
        return row
    back = find_codec(packed.codec).decompress(packed, number, array.size)
    with np.errstate(invalid="ignore"):
        given = array.reshape(-1).astype(np.float64)
        come = number.from_bits(back).astype(np.float64)
    counts = np.isfinite(given) & (given != 0)
    errors = np.abs(come[counts] - given[counts]) / np.abs(given[counts])
    exponents = number.to_bits(array.reshape(-1)) >> np.uint64(number.fraction_bits)
    exponents &= np.uint64((1 << number.exponent_bits) - 1)
    return (
        row
        | {
            "largest_error": float(errors.max(initial=0.0)),
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
    from sluice.formats import find_format, from_words, unsigned_format

    with _one_line():
        tensors = read_file(file)
    if tensor not in tensors:
        raise RequestError(f"{file} has no tensor {tensor!r}: there are {' '.join(tensors)}")
    stored = tensors[tensor]
    number = format_of(stored.dtype)
    name, parameters = ("", {})
    if number is not None:
        packed = stored.packed
        name, parameters = find_codec(packed.codec).block(packed, number, lanes)
    if not name:
        raise RequestError(f"tensor {tensor} is stored as it is: no block decompresses it")
    find_block(name).make(**parameters)
    with fresh_folder(output) as folder:
        for stream, section in stored.packed.sections.items():
            kind = find_format(number.name) if stream == "raw" and number else None
            values = from_words(section.words, kind or unsigned_format(section.width))
            np.save(folder / f"{stream}.npy", values[None])
    inputs = " ".join(f"--input {s}={output}/{s}.npy" for s in stored.packed.sections)
    changes = " ".join(f"--set {k}={v}" for k, v in parameters.items())
    print(f"sluice run {name} {changes} --config fresh=1 {inputs} --output {output}/o.npy")


@contextmanager
def _one_line() -> Iterator[None]:
    """Make one line of what is wrong with a file or an option."""
    from sluice.catalogue import RequestError

    try:
        yield
    except ValueError as e:
        raise RequestError(str(e)) from e
