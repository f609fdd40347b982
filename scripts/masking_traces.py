"""Let PyTorch mask small matrices and keep what comes out, for the tests of the golden model.

Writes ``tests/data/masking/traces.npz``: the same arrays again on every machine, since nothing is
computed, only chosen. Needs the ``torch`` extra. Values are bit patterns; the matrices hold NaN,
infinities and zeros of both signs, which a mask must neither pass on nor spread.
"""

from pathlib import Path

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from keep_traces import keep_traces
from numpy.typing import NDArray

OUT = Path(__file__).resolve().parent.parent / "tests/data/masking/traces.npz"

SHAPES = ((1, 1), (5, 5), (8, 8), (4, 9), (9, 4))
DIAGONALS = (-9, -3, -1, 0, 1, 2, 9)
LENGTHS = (0, 1, 3, 9)
DTYPES = {
    "bf16": (torch.bfloat16, torch.int16, 0x7F80),
    "fp16": (torch.float16, torch.int16, 0x7C00),
    "fp32": (torch.float32, torch.int32, 0x7F800000),
}


def matrices(infinity: int, width: int) -> list[NDArray[np.int64]]:
    """Return one matrix of random patterns per shape, with every special value in the larger."""
    rng = np.random.default_rng(width + infinity)
    sign = 1 << width - 1
    specials = [0, sign, 1, infinity, infinity | sign, infinity - 1, infinity + 1, 2 * sign - 1]
    found = []
    for shape in SHAPES:
        bits = rng.integers(0, 2 * sign, shape, dtype=np.int64)
        places = rng.permutation(bits.size)[: len(specials)]
        bits.reshape(-1)[places] = specials[: places.size]
        found.append(bits)
    return found


def make() -> dict[str, NDArray[np.uint32]]:
    """Return the arrays: ``DTYPE/RxC/x`` and, with one matrix per parameter, the results."""
    arrays: dict[str, NDArray[np.uint32]] = {}
    for name, (dtype, holder, infinity) in DTYPES.items():
        width = torch.finfo(dtype).bits
        fills = {"minus_infinity": -float("inf"), "lowest": torch.finfo(dtype).min, "zero": 0.0}

        def bits_of(tensors: list[torch.Tensor], holder=holder, width=width) -> NDArray[np.uint32]:
            words = torch.stack(tensors).view(holder).numpy().astype(np.int64)
            return (words & ((1 << width) - 1)).astype(np.uint32)

        for patterns, (rows, columns) in zip(matrices(infinity, width), SHAPES, strict=True):
            # Two's complement, so that the holder has room for the highest bit.
            signed = (patterns ^ 1 << width - 1) - (1 << width - 1)
            x = torch.from_numpy(signed).to(holder).view(dtype)
            key = f"{name}/{rows}x{columns}"
            arrays[f"{key}/x"] = patterns.astype(np.uint32)
            arrays[f"{key}/tril"] = bits_of([torch.tril(x, diagonal=d) for d in DIAGONALS])
            arrays[f"{key}/triu"] = bits_of([torch.triu(x, diagonal=d) for d in DIAGONALS])
            causal = torch.ones(rows, columns, dtype=torch.bool).triu(1)
            for fill, value in fills.items():
                arrays[f"{key}/causal/{fill}"] = bits_of([x.masked_fill(causal, value)])
                padded = [
                    x.masked_fill((torch.arange(columns) >= n)[None, :], value) for n in LENGTHS
                ]
                arrays[f"{key}/padding/{fill}"] = bits_of(padded)
                both = [
                    x.masked_fill(
                        (torch.arange(columns) >= n)[None, :] | (torch.arange(rows) >= n)[:, None],
                        value,
                    )
                    for n in LENGTHS
                ]
                arrays[f"{key}/padding_rows/{fill}"] = bits_of(both)
    square = torch.nn.Transformer.generate_square_subsequent_mask(9)
    arrays["fp32/9x9/square_subsequent"] = square.view(torch.int32).numpy().astype(np.uint32)
    return arrays


if __name__ == "__main__":
    keep_traces(__doc__, OUT, make)
