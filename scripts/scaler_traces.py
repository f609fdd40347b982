"""Let PyTorch scale the losses of some runs and keep what it does, for the tests of loss scaling.

Writes ``tests/data/optimizer/scaler.npz``: the same arrays again on every machine, since scales are
powers of two. Needs the ``torch`` extra. Gradients are bit patterns, with their scale on them; in
some steps there are infinities and NaN among them, and in others zeros alone.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from keep_traces import keep_traces
from numpy.typing import NDArray

OUT = Path(__file__).resolve().parent.parent / "tests/data/optimizer/scaler.npz"

# Exponents of the first scale, of growth and of backoff; clean steps between two growths; steps;
# and how many in a thousand overflow.
RUNS = (
    (16, 1, 1, 2000, 4100, 0),
    (16, 1, 1, 20, 400, 40),
    (0, 1, 1, 1, 120, 100),
    (3, 2, 3, 5, 300, 60),
    (-3, 4, 1, 3, 200, 300),
    # It grows to the end of fp32, and stays there.
    (120, 1, 1, 2, 60, 0),
    (7, 1, 4, 4, 60, 200),
)
# Packets of a step, which are tensors of a model.
PACKETS, LENGTH = 2, 3


def gradients(rng: np.random.Generator, overflows: int) -> list[NDArray[np.uint32]]:
    """Return the gradient of a step, of both signs and of any size, as bit patterns of fp32."""
    size = 0 if rng.random() < 0.05 else 2.0 ** rng.integers(-20, 20)
    values = rng.choice(np.array([-1.5, -1, 0, 1, 1.75], np.float32), (PACKETS, LENGTH))
    values *= np.float32(size)
    if rng.integers(0, 1000) < overflows:
        bad = rng.choice(np.array([np.inf, -np.inf, np.nan], np.float32), 2)
        at = rng.integers(0, PACKETS), rng.integers(0, LENGTH)
        values[at] = bad[0]
        if rng.random() < 0.2:
            values[0, 0] = bad[1]
    return list(values.view(np.uint32))


def run(k: int) -> dict[str, NDArray[Any]]:
    """Return what is kept of one of the runs."""
    initial, growth, backoff, interval, steps, overflows = RUNS[k]
    rng = np.random.default_rng(k)
    weights = [torch.zeros(LENGTH, requires_grad=True) for _ in range(PACKETS)]
    optimizer = torch.optim.SGD(weights, lr=1.0)
    # It is called only for steps that count.
    counted: list[bool] = []
    optimizer.register_step_post_hook(lambda *_: counted.append(True))
    scaler = torch.amp.GradScaler(
        "cpu",
        init_scale=2.0**initial,
        growth_factor=2.0**growth,
        backoff_factor=2.0**-backoff,
        growth_interval=interval,
    )
    kept: dict[str, list[Any]] = {"gradient": [], "skip": [], "exponent": [], "unscaled": []}
    # It is made when a loss is scaled for the first time.
    scaler.scale(torch.zeros(1))
    for _ in range(steps):
        given = gradients(rng, overflows)
        for weight, words in zip(weights, given, strict=True):
            weight.grad = torch.from_numpy(words.view(np.float32).copy())
        scaler.unscale_(optimizer)
        unscaled = [weight.grad.numpy().copy().view(np.uint32) for weight in weights]
        counted.clear()
        scaler.step(optimizer)
        scaler.update()
        kept["gradient"].append(given)
        kept["unscaled"].append(unscaled)
        kept["skip"].append(not counted)
        kept["exponent"].append(int(np.log2(scaler.get_scale())))
    settings = np.array([initial, growth, backoff, interval], np.int32)
    types = {"gradient": np.uint32, "skip": np.bool_, "exponent": np.int16, "unscaled": np.uint32}
    return {"settings": settings} | {n: np.array(kept[n], t) for n, t in types.items()}


def make() -> dict[str, NDArray[Any]]:
    """Return the arrays: ``K/settings``, ``K/gradient``, ``K/skip``, ``K/exponent``, and so on."""
    return {f"{k}/{name}": array for k in range(len(RUNS)) for name, array in run(k).items()}


if __name__ == "__main__":
    keep_traces(__doc__, OUT, make)
