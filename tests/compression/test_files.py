"""Files of compressed tensors, and the command line that leads to hardware."""

import json
import shlex
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from sluice.compression.codec import find_codec
from sluice.compression.section import Section
from sluice.compression.weights_file import FileError, format_of, read_file, tensors_of

# Of each tensor of the model, which codecs keep every bit of it.
LOSSLESS = {
    "fc.weight": "raw relu",
    "fc.bias": "raw relu ternary lut",
    "half": "raw relu",
    "words": "raw relu",
    "double": "raw",
    "signs": "raw relu ternary",
    "scaled": "raw relu ternary lut",
    "bytes": "raw relu",
    "steps": "raw",
    "flags": "raw",
    "none": "raw relu ternary lut",
    "scalar": "raw relu ternary lut",
}


@pytest.fixture
def model(tmp_path):
    rng = np.random.default_rng(9)
    # Any words, NaN of all kinds, -0 and infinities among them; zeros, and a block without any.
    words = rng.integers(0, 1 << 16, 701, dtype=np.uint16)
    words[rng.random(701) < 0.6] = 0
    words[256:512] |= 1
    words[:5] = 0x8000, 0xFF81, 0x7F80, 0xFF80, 0x7FFF
    signs = rng.integers(-1, 2, (17, 9))
    tensors = {
        "fc.weight": (rng.normal(size=(32, 16)) * 0.1).astype(np.float32),
        "fc.bias": np.zeros(16, np.float32),
        "half": rng.normal(size=40).astype(ml_dtypes.bfloat16),
        "words": words.view(ml_dtypes.bfloat16),
        "double": rng.normal(size=50),
        "signs": signs.astype(np.int8),
        "scaled": np.where(signs == 0, 0, signs * 0.1).astype(np.float32)[:, :8],
        "bytes": np.maximum(rng.integers(-99, 99, 300), 0).astype(np.uint8),
        "steps": np.arange(5),
        "flags": np.array([True, False]),
        "none": np.zeros((0, 3), np.float16),
        "scalar": np.float32(0.5),
    }
    tensors = {name: np.asarray(t, order="C") for name, t in tensors.items()}
    safetensors.numpy.save_file(tensors, tmp_path / "m.safetensors")
    return tmp_path, tensors


def sluice(*arguments, cwd):
    command = [sys.executable, "-m", "sluice.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def compress(folder, *arguments):
    """Return what is said of each tensor."""
    done = sluice("compress", "m.safetensors", "-o", "m.sluice", "--json", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return {row["tensor"]: row for row in json.loads(done.stdout)["tensors"]}


@pytest.mark.parametrize("width", [1, 3, 8, 10, 23, 64])
def test_sections_are_bits_side_by_side(width):
    rng = np.random.default_rng(8)
    words = rng.integers(0, (1 << width) - 1, 13, dtype=np.uint64, endpoint=True)
    section = Section(words, width)
    data = section.to_bytes()
    number = sum(int(w) << k * width for k, w in enumerate(words))
    assert data == number.to_bytes(-(-13 * width // 8), "little")
    assert section.filled == (64 if width < 40 else 128)
    assert (Section.from_bytes(data, count=13, width=width).words == words).all()
    assert Section(np.repeat(words, 2)[::2], width).to_bytes() == data
    with pytest.raises(ValueError, match="13 words"):
        Section.from_bytes(data + b"x", count=13, width=width)


@pytest.mark.parametrize("codec", ["raw", "relu", "ternary", "lut", "smallest"])
def test_a_model_there_and_back(model, codec):
    folder, tensors = model
    said = compress(folder, "--codec", codec)
    done = sluice("decompress", "m.sluice", "-o", "back.safetensors", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    back = {name: array for name, _, array in tensors_of(folder / "back.safetensors")}
    assert back.keys() == tensors.keys() == LOSSLESS.keys() == said.keys()
    for name, array in tensors.items():
        assert back[name].shape == array.shape
        assert back[name].dtype == array.dtype
        row = said[name]
        if codec == "smallest":
            assert row["codec"] in LOSSLESS[name].split()
            assert row["codec"] != "lut"
        if codec == "lut" and array.dtype.kind in "fV":
            assert row["codec"] == "lut"
        elif codec != "smallest":
            assert row["codec"] == (codec if codec in LOSSLESS[name].split() else "raw")
        if row["codec"] in LOSSLESS[name].split():
            assert back[name].tobytes() == array.tobytes()
            assert row["largest_error"] == 0
        else:
            with np.errstate(invalid="ignore"):
                given, come = array.astype(np.float64), back[name].astype(np.float64)
            counts = np.isfinite(given) & (given != 0)
            errors = np.abs(come[counts] / given[counts] - 1)
            assert errors.max() <= 2.0**-4
            assert np.isclose(errors.max(), row["largest_error"])
        assert ("refused" in row) is (codec != row["codec"] and codec != "smallest")


def test_the_smallest_is_no_larger_than_any(model):
    folder, tensors = model
    sizes = {}
    for codec in ("raw", "relu", "ternary", "smallest"):
        compress(folder, "--codec", codec)
        stored = read_file(folder / "m.sluice")
        sizes[codec] = {name: stored[name].packed.bytes for name in tensors}
        (folder / "m.sluice").unlink()
    chosen = sizes.pop("smallest")
    for name in tensors:
        assert chosen[name] == min(size[name] for size in sizes.values())
    assert sum(chosen.values()) < min(sum(size.values()) for size in sizes.values())


def test_a_codec_for_each_tensor(model):
    folder, _ = model
    arguments = ["--set", "fraction_bits=3", "--for", "fc.*=relu,block=32"]
    arguments += ["--for", "s[ic]*=smallest"]
    said = compress(folder, *arguments, "--for", "half=lut,fraction_bits=2,method=lloyd")
    codecs = {name: row["codec"] for name, row in said.items()}
    assert codecs["fc.weight"] == codecs["fc.bias"] == "relu"
    assert said["fc.bias"]["block"] == 32
    assert codecs["signs"] == codecs["scaled"] == "ternary"
    assert codecs["scalar"] == "raw"
    assert said["half"]["fraction_bits"] == 2
    assert said["double"]["fraction_bits"] == 3
    done = sluice("compress", "m.safetensors", "-o", "table", *arguments, cwd=folder)
    for line in done.stdout.splitlines():
        cells = [cell.strip() for cell in line.split("│")]
        if len(cells) > 2:
            assert cells[4] == codecs[cells[1]]
    assert "codec lut does not take I64; stored as they are: steps" in done.stdout


def test_the_first_pattern_counts(model):
    folder, _ = model
    said = compress(folder, "--codec", "raw", "--for", "fc.b*=relu", "--for", "fc.*=lut")
    assert said["fc.bias"]["codec"] == "relu"
    assert said["fc.weight"]["codec"] == "lut"


def test_entropies(model):
    """They are those of the elements' bits, and of codes."""
    folder, tensors = model
    said = compress(folder, "--codec", "raw", "--for", "half=lut")
    _, counts = np.unique(tensors["signs"], return_counts=True)
    share = counts / counts.sum()
    assert np.isclose(said["signs"]["entropy"], -(share * np.log2(share)).sum())
    assert said["half"]["code_entropy"] > said["half"]["exponent_entropy"] > 0
    assert said["scalar"]["entropy"] == said["none"]["entropy"] == 0


@pytest.mark.parametrize(
    ("codec", "tensor", "lanes"),
    [
        ("lut", "fc.weight", 8),
        ("lut", "words", 8),
        ("relu,block=64", "words", 16),
        ("relu", "bytes", 8),
        ("relu", "none", 8),
        ("ternary", "signs", 8),
        ("ternary", "scaled", 4),
    ],
)
def test_a_tensor_on_the_block(model, codec, tensor, lanes):
    """What ``unpack`` prints, run, gives the bits that ``decompress`` does."""
    folder, _ = model
    compress(folder, "--for", f"{tensor}={codec}")
    done = sluice("unpack", "m.sluice", tensor, "-o", "a b", "--lanes", lanes, cwd=folder)
    assert done.returncode == 0, done.stderr
    command = shlex.split(done.stdout, comments=True)
    assert command[:2] == ["sluice", "run"]
    _, times, scale = done.stdout.partition("# times ")
    done = sluice(*command[1:], cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "no error" in done.stdout
    assert "Warning" not in done.stderr
    stored = read_file(folder / "m.sluice")[tensor]
    number = format_of(stored.dtype)
    assert number is not None
    back = find_codec(stored.packed.codec).decompress(stored.packed, number, stored.count)
    found = np.load(folder / "a b/o.npy")
    assert found.shape == (1, stored.count)
    if times:
        found = found * np.float32(scale)
    found = found.reshape(-1)
    if number.name == "bf16":
        # It comes out as float32, of which it is the upper half.
        found = (found.view(np.uint32) >> 16).astype(np.uint16).view(number.dtype)
    assert (number.to_bits(found) == back).all()


def test_damaged_files(model):
    folder, _ = model
    sluice("compress", "m.safetensors", "-o", "m.sluice", cwd=folder)
    whole = (folder / "m.sluice").read_bytes()
    bad = folder / "bad.sluice"
    for data, text in (
        (b"", "no file of compressed tensors"),
        (whole[:30], "no file of compressed tensors"),
        (b"X" + whole[1:], "no file of compressed tensors"),
        (whole[:-64], "section"),
        (whole[:20] + b"X" + whole[21:], "directory"),
    ):
        bad.write_bytes(data)
        with pytest.raises(FileError, match=text):
            read_file(bad)
    flipped = bytearray(whole)
    flipped[-64] ^= 1
    bad.write_bytes(flipped)
    with pytest.raises(FileError, match="section"):
        read_file(bad)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nothing", "-o", "x"), "cannot read nothing"),
        (("m.safetensors", "-o", "m.safetensors"), "exists"),
        (("m.safetensors", "-o", "x", "--set", "fraction_bits=9"), "1..8"),
        (("m.safetensors", "-o", "x", "--set", "fraction_bits=few"), "not 'few'"),
        (("m.safetensors", "-o", "x", "--set", "bits=9"), "no option 'bits'"),
        (("m.safetensors", "-o", "x", "--codec", "zip"), "no codec 'zip'"),
        (("m.safetensors", "-o", "x", "--codec", "relu", "--set", "block=3"), "one of 2 4 8"),
        (("m.safetensors", "-o", "x", "--codec", "smallest", "--set", "block=4"), "there are none"),
        (("m.safetensors", "-o", "x", "--for", "fc"), "name=value"),
        (("m.safetensors", "-o", "x", "--for", "fc.*=lut,block"), "name=value"),
        (("m.safetensors", "-o", "x", "--for", "conv*=lut"), "--for conv*: no tensor"),
        (("m.safetensors", "-o", "x", "--for", "half=ternary"), "half: codec ternary takes"),
        (("m.safetensors", "-o", "x", "--for", "bytes=ternary"), "signed integers"),
        (("m.safetensors", "-o", "x", "--for", "signs=lut"), "signs: codec lut takes"),
        (("m.safetensors", "-o", "x", "--for", "double=relu"), "double: codec relu takes"),
        (("m.safetensors", "-o", "x", "--for", "steps=relu"), "steps: codec relu does not take"),
        (("m.safetensors", "-o", "x", "--for", "none=relu,block=x"), "not 'x'"),
    ],
)
def test_one_line_is_said(model, arguments, text):
    folder, _ = model
    refused(folder, "compress", *arguments, text=text)


def test_one_line_is_said_of_files(model):
    folder, _ = model
    compress(folder, "--for", "words=relu,block=8", "--for", "half=raw", "--for", "signs=ternary")
    for arguments, text in (
        (("decompress", "m.safetensors", "-o", "x"), "sluice compress"),
        (("unpack", "m.safetensors", "a", "-o", "x"), "sluice compress"),
        (("unpack", "m.sluice", "fc", "-o", "x"), "no tensor 'fc'"),
        (("unpack", "m.sluice", "half", "-o", "x"), "half: it is stored as it is"),
        (("unpack", "m.sluice", "steps", "-o", "x"), "steps: no block takes I64"),
        (("unpack", "m.sluice", "double", "-o", "x"), "double: no block decompresses fp64"),
        (("unpack", "m.sluice", "words", "-o", "x", "--lanes", "16"), "at least 16"),
        (("unpack", "m.sluice", "signs", "-o", "x", "--lanes", "2"), "4..64"),
    ):
        refused(folder, *arguments, text=text)


def refused(folder, *arguments, text):
    """Check that a request ends with one line, and nothing is written."""
    before = sorted(folder.rglob("*"))
    done = sluice(*arguments, cwd=folder)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert text in done.stderr
    assert sorted(folder.rglob("*")) == before
