"""The codecs without loss, on the host: against golden models, and what they refuse."""

import numpy as np
import pytest

from sluice.compression.codec import CODECS, find_codec, find_compressor
from sluice.formats import FP64, find_format
from sluice_sim.golden.sparsity import relu_compress, relu_decompress
from sluice_sim.golden.ternary import ternary_compress, ternary_decompress

# Words that are all but zero: -0, a subnormal, infinity, NaN, of bf16.
ENDS = np.array([0x8000, 1, 0x7F80, 0x7F81, 0xFFFF], np.uint64)


def sparse_words(width, count, seed=1):
    """Return words of every density, block by block."""
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << width, count, dtype=np.uint64) | np.uint64(1)
    density = np.repeat(rng.choice([0, 0.1, 0.5, 0.9, 1], count // 16 + 1), 16)[:count]
    return np.where(rng.random(count) < density, words, np.uint64(0))


@pytest.mark.parametrize("name", ["int8", "uint8", "fp8_e5m2", "bf16", "int16", "fp32", "uint32"])
@pytest.mark.parametrize(("block", "count"), [(2, 33), (16, 500), (256, 1000), (8192, 9000)])
def test_relu_is_that_of_the_golden_model(name, block, count):
    number = find_format(name)
    words = sparse_words(number.width, count)
    packed = find_codec("relu").compress(words, number, block=block)
    stored, bits, counts = relu_compress(words, block=block, width=number.width)
    sections = packed.sections
    assert (sections["i"].words == stored).all()
    assert (sections["bitmap"].words == bits).all()
    assert (sections["counts"].words == counts).all()
    assert [sections[s].width for s in ("i", "bitmap", "counts")] == [number.width, 1, 16]
    assert (find_codec("relu").decompress(packed, number, count) == words).all()
    assert (relu_decompress(stored, bits, counts, block=block) == words).all()
    assert packed.bits <= count * number.width + 16 * counts.size


@pytest.mark.parametrize("zeros", [0, 0.5, 1])
@pytest.mark.parametrize("count", [0, 1, 2, 501, 502])
def test_ternary_is_that_of_the_golden_model(zeros, count):
    rng = np.random.default_rng(2)
    weights = np.where(rng.random(count) < zeros, 0, rng.choice([1, -1], count))
    number = find_format("int16")
    words = number.to_bits(weights.astype(np.int16))
    packed = find_codec("ternary").compress(words, number)
    flags, values, illegal = ternary_compress(words & np.uint64(3))
    assert illegal == 0
    assert (packed.sections["flags"].words == flags).all()
    assert (packed.sections["values"].words == values).all()
    back = find_codec("ternary").decompress(packed, number, count)
    assert (number.from_bits(back) == weights).all()
    assert (ternary_decompress(flags, values, odd=count % 2 == 1) == words & np.uint64(3)).all()
    assert packed.bits <= 2 * (count + count % 2)


@pytest.mark.parametrize("name", ["int8", "int32", "fp8_e4m3", "bf16", "fp16", "fp32", "fp64"])
@pytest.mark.parametrize("scale", [1.0, 0.375, 2.0**-9])
def test_ternary_numbers_of_any_format(name, scale):
    number = FP64 if name == "fp64" else find_format(name)
    weights = np.random.default_rng(3).integers(-1, 2, 99)
    if name.startswith("int"):
        scale = 1
    # No product: -0 is not ternary.
    values = np.select([weights > 0, weights < 0], [scale, -scale], 0).astype(number.dtype)
    packed = find_codec("ternary").compress(number.to_bits(values), number)
    run = find_codec("ternary").block(packed, number, 99, 8)
    assert run.scale == scale
    assert run.config == {"odd": 1}
    back = find_codec("ternary").decompress(packed, number, 99)
    assert number.from_bits(back).tobytes() == values.tobytes()
    flags, points = packed.sections["flags"].words, packed.sections["values"].words
    codes = ternary_decompress(flags, points, odd=True).astype(np.int64)
    signs = codes - 4 * (codes >> 1)
    assert ((signs * run.scale).astype(number.dtype).astype(float) == values.astype(float)).all()


@pytest.mark.parametrize(
    "values",
    [
        [0.0, -0.0],
        [0.5, -0.25],
        [np.inf, 0.0],
        [np.nan, 0.0],
        [1.0, np.nan],
        [1.0, -np.inf],
    ],
)
def test_what_is_not_ternary(values):
    number = find_format("fp32")
    words = number.to_bits(np.array(values, np.float32))
    assert "one s" in find_codec("ternary").refuses(words, number)
    with pytest.raises(ValueError, match="codec ternary takes"):
        find_codec("ternary").compress(words, number)
    for codec in ("raw", "relu", "smallest"):
        packed = find_compressor(codec).compress(words, number)
        assert (find_codec(packed.codec).decompress(packed, number, 2) == words).all()


@pytest.mark.parametrize("codec", ["raw", "relu", "smallest"])
@pytest.mark.parametrize("count", [0, 1, 5, 600])
def test_ends_and_arrays_that_are_no_row_in_memory(codec, count):
    number = find_format("bf16")
    words = np.resize(np.append(ENDS, np.zeros(9, np.uint64)), count)
    packed = find_compressor(codec).compress(np.repeat(words, 2)[::2], number)
    back = find_codec(packed.codec).decompress(packed, number, count)
    assert (back == words).all()
    assert back.size == count
    there = np.repeat(words, 2)[::-2][::-1]
    assert find_compressor(codec).compress(there, number).bits == packed.bits


def test_what_is_refused():
    none = np.zeros(0, np.uint64)
    with pytest.raises(ValueError, match="not fp64"):
        find_codec("relu").compress(none, FP64)
    with pytest.raises(ValueError, match="not uint8"):
        find_codec("ternary").compress(none, find_format("uint8"))
    with pytest.raises(ValueError, match="-1, 0 and"):
        find_codec("ternary").compress(np.array([2], np.uint64), find_format("int8"))
    for block in (0, 3, 16384):
        with pytest.raises(ValueError, match="block must be"):
            find_codec("relu").compress(none, find_format("int8"), block=block)
    with pytest.raises(ValueError, match=r"there are raw relu ternary lut$"):
        find_codec("smallest")
    with pytest.raises(ValueError, match="there are raw relu ternary lut smallest"):
        find_compressor("zip")
    with pytest.raises(ValueError, match="as it is"):
        find_codec("raw").block(find_codec("raw").compress(none, FP64), FP64, 0, 8)


def test_sections_that_do_not_fit():
    """A codec says so of sections that are not those of one tensor."""
    number = find_format("int8")
    words = np.tile(np.array([0, 1, 255, 0], np.uint64), 100)
    for name in ("relu", "ternary"):
        packed = CODECS[name].compress(words, number)
        assert (CODECS[name].decompress(packed, number, 400) == words).all()
        for stream, section in packed.sections.items():
            cut = type(section)(section.words[:-1], section.width)
            sections = {**packed.sections, stream: cut}
            wrong = type(packed)(packed.codec, packed.options, sections)
            with pytest.raises(ValueError, match=r"for|not"):
                CODECS[name].decompress(wrong, number, 400)
        with pytest.raises(ValueError, match="for 800"):
            CODECS[name].decompress(packed, number, 800)
    relu = CODECS["relu"].compress(words, number)
    section = relu.sections["bitmap"]
    other = type(section)(1 - section.words * 0, 1)
    wrong = type(relu)("relu", relu.options, {**relu.sections, "bitmap": other})
    with pytest.raises(ValueError, match="do not agree"):
        CODECS["relu"].decompress(wrong, number, 400)
