"""Let PyTorch quantize some numbers and keep what comes out, for the tests of the golden model.

Writes ``tests/data/quantization/traces.npz``: the same arrays again on every machine, since every
operation of fp32 is rounded once. Needs the ``torch`` extra. Numbers are bit patterns; among them
are NaN, infinities, subnormals and zeros of both signs, and what is half way between two codes.
"""

from pathlib import Path

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from keep_traces import keep_traces
from numpy.typing import NDArray

OUT = Path(__file__).resolve().parent.parent / "tests/data/quantization/traces.npz"

# Scale, zero point, lowest and highest code.
RANGES = (
    (1.0, 0, -8, 7),
    (0.1, 128, 0, 255),
    (1 / 3, -5, -128, 127),
    (0.0123, 0, 0, 1),
    (7e-5, -1, -1, 0),
    (2.0**-14, 40000, 0, 65535),
    (0.37, -32768, -32768, 32767),
    (3e38, 1, -2, 1),
    (1e-39, 3, -8, 7),
    (1e-30, 0, -128, 127),
)
COUNT = 200
SPECIAL = (
    *(0, 1, 0x400000, 0x7FFFFF, 0x800000, 0x3F000000, 0x3F800000, 0x4F000000, 0x5F000000),
    *(0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000, 0x7FFFFFFF),
)


def numbers(k: int) -> NDArray[np.uint32]:
    """Return bit patterns for one of the ranges: at codes, half way between them, and special."""
    scale, zero, low, high = RANGES[k]
    rng = np.random.default_rng(k)
    counts = rng.integers(low - zero - 2, high - zero + 2, COUNT, endpoint=True).astype(float)
    counts += rng.choice([0, 0.5, 0.25], COUNT)
    with np.errstate(over="ignore"):
        near = (counts * np.float32(scale)).astype(np.float32).view(np.uint32)
    near = np.where(near & 0x7FFFFFFF, near + rng.choice([-1, 0, 1], COUNT), near)
    special = [sign << 31 | word for word in SPECIAL for sign in (0, 1)]
    anything = rng.integers(0, 1 << 32, COUNT // 4)
    return np.concatenate([near, special, anything]).astype(np.uint32)


def make() -> dict[str, NDArray[np.uint32]]:
    """Return the arrays: ``K/x``, ``K/settings``, ``K/o``, ``K/bits`` and ``K/gradient``."""
    arrays: dict[str, NDArray[np.uint32]] = {}
    for k, (scale, zero, low, high) in enumerate(RANGES):
        words = numbers(k)
        x = torch.from_numpy(words.view(np.int32).copy()).view(torch.float32)
        step = np.float32(scale)
        with np.errstate(all="ignore"):
            inverse = np.float32(1) / step
        settings = [int(np.array(v).view(np.uint32)) for v in (step, inverse)]
        codes = [int(v) & 0xFFFFFFFF for v in (zero, low, high)]
        o, bits = torch.ops.aten.fake_quantize_per_tensor_affine_cachemask(
            x, float(step), zero, low, high
        )
        x.requires_grad_()
        y = torch.fake_quantize_per_tensor_affine(x, float(step), zero, low, high)
        y.backward(torch.arange(1, len(words) + 1, dtype=torch.float32))
        assert x.grad is not None
        arrays[f"{k}/x"] = words
        arrays[f"{k}/settings"] = np.array([*settings, *codes], np.uint32)
        arrays[f"{k}/o"] = o.view(torch.int32).numpy().view(np.uint32)
        arrays[f"{k}/bits"] = bits.numpy().astype(np.uint32)
        arrays[f"{k}/gradient"] = x.grad.view(torch.int32).numpy().view(np.uint32)
    return arrays


if __name__ == "__main__":
    keep_traces(__doc__, OUT, make)
