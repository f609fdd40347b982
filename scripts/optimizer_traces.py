"""What torch.optim makes of gradients: scripts/optimizer_traces.py, with the extra `torch`.

Writes tests/data/optimizer/traces.npz: of each set of options, the weights and moments after some
of 1000 steps, by optimizers that go through tensors one by one (``foreach=False``). Gradients are
made anew from their seed by whoever reads it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from keep_traces import keep_traces
from numpy.typing import NDArray

OUTPUT = Path(__file__).resolve().parents[1] / "tests/data/optimizer/traces.npz"
STEPS = 1000
# Whole vectors of the processor: PyTorch fuses products and sums in those, and not in what is left.
COUNT = 32
# Two in a row, so that one step can be made from what PyTorch had before it.
KEPT = (1, 2, 3, 4, 10, 11, 100, 101, 300, 301, 999, 1000)
OPTIONS: tuple[dict[str, Any], ...] = (
    {"algorithm": "sgd", "lr": 0.1},
    {"algorithm": "sgd", "lr": 0.03, "weight_decay": 0.01},
    {"algorithm": "sgd", "lr": 0.1, "maximize": True},
    {"algorithm": "sgd", "lr": 0.1, "clip_value": 0.25},
    {"algorithm": "sgd", "lr": 0.01, "momentum": 0.9},
    {"algorithm": "sgd", "lr": 0.01, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.02},
    {"algorithm": "sgd", "lr": 0.01, "momentum": 0.95, "nesterov": True, "weight_decay": 1e-3},
    {"algorithm": "adam", "lr": 0.01},
    {"algorithm": "adam", "lr": 0.003, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3},
    {"algorithm": "adam", "lr": 0.01, "weight_decay": 0.05},
    {"algorithm": "adamw", "lr": 0.01, "weight_decay": 0.1, "maximize": True},
)


def gradients(seed: int) -> NDArray[np.float32]:
    """Return gradients of all steps, of sizes from 2**-20 to 8, some of them zero."""
    rng = np.random.default_rng(seed)
    scale = np.exp2(rng.uniform(-20, 3, COUNT))
    found = rng.standard_normal((STEPS, COUNT)) * scale + 0.3 * scale
    found[rng.random(found.shape) < 0.05] = 0
    return found.astype(np.float32)


def start(seed: int) -> NDArray[np.float32]:
    """Return the weights before the first step."""
    return np.random.default_rng(1000 + seed).standard_normal(COUNT).astype(np.float32)


def trace(seed: int, options: dict[str, Any]) -> dict[int, list[NDArray[np.float32]]]:
    """Return weights and moments after the steps in ``KEPT``."""
    import torch  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    w = torch.nn.Parameter(torch.from_numpy(start(seed)))
    more = {
        k: v for k, v in options.items() if k not in ("algorithm", "beta1", "beta2", "clip_value")
    }
    if options["algorithm"] == "sgd":
        optimizer: Any = torch.optim.SGD([w], foreach=False, **more)
    else:
        cls = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options["algorithm"]]
        betas = (options.get("beta1", 0.9), options.get("beta2", 0.999))
        optimizer = cls([w], betas=betas, foreach=False, **more)
    kept: dict[int, list[NDArray[np.float32]]] = {}
    for step, gradient in enumerate(gradients(seed), 1):
        w.grad = torch.from_numpy(gradient)
        if "clip_value" in options:
            torch.nn.utils.clip_grad_value_([w], options["clip_value"], foreach=False)
        optimizer.step()
        if step in KEPT:
            state = optimizer.state[w]
            names = ("momentum_buffer", "exp_avg", "exp_avg_sq")
            moments = [state[n] for n in names if state.get(n) is not None]
            kept[step] = [t.detach().numpy().copy() for t in (w, *moments)]
    return kept


def make() -> dict[str, Any]:
    """Return the arrays: ``options``, and ``K/STEP`` of each of these."""
    arrays: dict[str, Any] = {"options": np.array(json.dumps(OPTIONS))}
    for k, options in enumerate(OPTIONS):
        for step, words in trace(k, options).items():
            arrays[f"{k}/{step}"] = np.stack(words).view(np.uint32)
    return arrays


if __name__ == "__main__":
    keep_traces(__doc__, OUTPUT, make)
