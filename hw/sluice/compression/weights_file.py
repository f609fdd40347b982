"""Files of compressed tensors: a directory, and sections of bits as hardware reads them."""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.compression.codec import find_codec
from sluice.compression.packed import Packed
from sluice.compression.section import ALIGNMENT, Section
from sluice.files import fresh_file
from sluice.formats import FP64, Format, find_format

__all__ = ["FileError", "Stored", "dtype_of", "format_of", "read_file", "tensors_of", "write_file"]

MAGIC = b"SLUICEW1"

# Names of types in safetensors files, and of what is compressed in ours.
_FORMATS: dict[str, Format] = {
    "F64": FP64,
    "F32": find_format("fp32"),
    "F16": find_format("fp16"),
    "BF16": find_format("bf16"),
    "I32": find_format("int32"),
    "I16": find_format("int16"),
    "I8": find_format("int8"),
    "U32": find_format("uint32"),
    "U16": find_format("uint16"),
    "U8": find_format("uint8"),
}
_OTHERS = {"I64": "int64", "U64": "uint64", "BOOL": "bool"}


class FileError(ValueError):
    """A file that is not what it should be: one line that names what is wrong."""


@dataclass(frozen=True)
class Stored:
    """One tensor of a file.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        As safetensors names it.
    packed : Packed
    """

    shape: tuple[int, ...]
    dtype: str
    packed: Packed

    @property
    def count(self) -> int:
        """Elements."""
        return int(np.prod(self.shape, dtype=np.int64))


def format_of(dtype: str) -> Format | None:
    """Return the number format of a type, or ``None`` if it is one that is stored as it is."""
    return _FORMATS.get(dtype)


def dtype_of(dtype: str) -> np.dtype[Any]:
    """Return NumPy's type of the name that safetensors gives it.

    Raises
    ------
    FileError
        If it is one that NumPy and ml_dtypes do not have, or files do not keep.
    """
    if number := format_of(dtype):
        return number.dtype
    if dtype not in _OTHERS:
        raise FileError(f"type {dtype} is none of {' '.join((*_FORMATS, *_OTHERS))}")
    return np.dtype(_OTHERS[dtype])


def tensors_of(path: Path) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield name, type and array of every tensor of a safetensors file, in their order.

    Raises
    ------
    FileError
        If it cannot be read, or holds a type that is not known.
    """
    import safetensors

    try:
        tensors = safetensors.deserialize(path.read_bytes())
    except OSError as e:
        raise FileError(f"cannot read {path}: {e.strerror}") from e
    except safetensors.SafetensorError as e:
        raise FileError(f"{path} is no safetensors file: {e}") from e
    for name, tensor in sorted(tensors):
        try:
            dtype = dtype_of(tensor["dtype"])
        except FileError as e:
            raise FileError(f"{path}: tensor {name}: {e}") from e
        yield name, tensor["dtype"], np.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])


def write_file(path: Path, tensors: Mapping[str, Stored]) -> int:
    """Write tensors; return how many bytes that takes.

    Raises
    ------
    RequestError
        If the file exists or cannot be written.
    """
    directory: dict[str, Any] = {}
    data: list[bytes] = []
    place = 0
    for name, stored in tensors.items():
        sections: dict[str, Any] = {}
        for stream, section in stored.packed.sections.items():
            given = section.to_bytes()
            sections[stream] = {
                "offset": place,
                "bytes": len(given),
                "count": section.words.size,
                "width": section.width,
                "crc32": zlib.crc32(given),
            }
            data.append(given + bytes(section.filled - len(given)))
            place += section.filled
        directory[name] = {
            "dtype": stored.dtype,
            "shape": list(stored.shape),
            "codec": stored.packed.codec,
            "options": dict(stored.packed.options),
            "sections": sections,
        }
    text = json.dumps(directory, separators=(",", ":")).encode()
    # Blanks behind it, so that the sections begin as they must.
    text += b" " * (-(len(MAGIC) + 8 + len(text)) % ALIGNMENT)
    head = [MAGIC, *(n.to_bytes(4, "little") for n in (len(text), zlib.crc32(text)))]
    whole = b"".join([*head, text, *data])
    with fresh_file(path) as partial:
        partial.write_bytes(whole)
    return len(whole)


def read_file(path: Path) -> dict[str, Stored]:
    """Return the tensors of a file, of which every section is checked.

    Raises
    ------
    FileError
        If it cannot be read, is no such file, or is damaged.
    """
    try:
        whole = path.read_bytes()
    except OSError as e:
        raise FileError(f"cannot read {path}: {e.strerror}") from e
    begin = len(MAGIC) + 8
    size, crc = (int.from_bytes(whole[k : k + 4], "little") for k in (begin - 8, begin - 4))
    if whole[: len(MAGIC)] != MAGIC or len(whole) < begin + size:
        raise FileError(f"{path} is no file of compressed tensors: make one with sluice compress")
    if zlib.crc32(whole[begin : begin + size]) != crc:
        raise FileError(f"{path} is damaged: the directory is not what was written")
    try:
        directory = json.loads(whole[begin : begin + size])
        return {name: _read(entry, whole[begin + size :]) for name, entry in directory.items()}
    except FileError as e:
        raise FileError(f"{path} is damaged: {e}") from e
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise FileError(f"{path} is damaged: its directory does not say what is where") from e


def _read(entry: Mapping[str, Any], data: bytes) -> Stored:
    sections: dict[str, Section] = {}
    for stream, place in entry["sections"].items():
        given = data[place["offset"] : place["offset"] + place["bytes"]]
        if len(given) != place["bytes"] or zlib.crc32(given) != place["crc32"]:
            raise FileError(f"section {stream} is not what was written")
        sections[stream] = Section.from_bytes(given, count=place["count"], width=place["width"])
    find_codec(entry["codec"])
    dtype_of(entry["dtype"])
    packed = Packed(entry["codec"], entry["options"], sections)
    return Stored(tuple(entry["shape"]), entry["dtype"], packed)
