"""Train a small network on scikit-learn's handwritten digits and keep what the tests need of it.

Writes float32 arrays to ``tests/data/digits``: the same bytes again on the same machine. Needs the
``data`` extra. The network is 64-32-10: ``h = relu(x w1 + b1)``, ``y = h w2 + b2``, cross-entropy.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits  # pyright: ignore[reportMissingImports]

Array = NDArray[np.float32]
OUT = Path(__file__).resolve().parent.parent / "tests/data/digits"

HIDDEN, CLASSES, BATCH, EPOCHS, RATE, SEED = 32, 10, 64, 30, 0.1, 1
KEPT_EPOCH = EPOCHS // 2
TEST_SAMPLES = 360


def matmul(a: Array, b: Array) -> Array:
    """Return ``a @ b``, the terms of each sum added in order of their index.

    A BLAS picks its order by processor and thread count, and so would not give the same bits again.
    """
    total = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for k in range(a.shape[1]):
        total += a[:, k, None] * b[None, k, :]
    return total


def step(p: dict[str, Array], x: Array, labels: NDArray[np.int64]) -> dict[str, Array]:
    """Return activations and gradients of one batch."""
    pre = matmul(x, p["w1"]) + p["b1"]
    hidden = np.maximum(pre, np.float32(0))
    logits = matmul(hidden, p["w2"]) + p["b2"]
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = e / e.sum(axis=1, keepdims=True)
    error[np.arange(len(labels)), labels] -= np.float32(1)
    error /= np.float32(len(labels))
    dhidden = matmul(error, np.ascontiguousarray(p["w2"].T))
    dpre = dhidden * (pre > 0)
    return {
        "hidden_pre": pre,
        "hidden": hidden,
        "logits": logits,
        "dhidden": dhidden,
        "dw1": matmul(np.ascontiguousarray(x.T), dpre),
        "db1": dpre.sum(axis=0),
        "dw2": matmul(np.ascontiguousarray(hidden.T), error),
        "db2": error.sum(axis=0),
    }


def train() -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the kept arrays and the summary."""
    digits: Any = load_digits()
    x = np.asarray(digits.data, np.float32) / np.float32(16)
    labels = np.asarray(digits.target, np.int64)
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(x))
    test, rest = order[:TEST_SAMPLES], order[TEST_SAMPLES:]

    def weights(rows: int, columns: int) -> Array:
        return (rng.standard_normal((rows, columns)) * np.sqrt(2 / rows)).astype(np.float32)

    p = {
        "w1": weights(x.shape[1], HIDDEN),
        "b1": np.zeros(HIDDEN, np.float32),
        "w2": weights(HIDDEN, CLASSES),
        "b2": np.zeros(CLASSES, np.float32),
    }
    kept: dict[str, Array] = {}
    for epoch in range(EPOCHS):
        rng.shuffle(rest)
        for start in range(0, len(rest) - BATCH + 1, BATCH):
            batch = rest[start : start + BATCH]
            g = step(p, x[batch], labels[batch])
            if epoch == KEPT_EPOCH and start == 0:
                kept = {name: g[name] for name in ("dw1", "dw2", "dhidden")}
            for name in p:
                p[name] = p[name] - np.float32(RATE) * g[f"d{name}"]

    sample = test[:BATCH]
    result = step(p, x[sample], labels[sample])
    hidden = result["hidden"]
    scores = matmul(hidden, np.ascontiguousarray(hidden.T)) / np.float32(np.sqrt(HIDDEN))
    kept |= {
        "w1": p["w1"],
        "w2": p["w2"],
        "inputs": x[sample],
        "hidden_pre": result["hidden_pre"],
        "hidden": hidden,
        "scores": scores,
    }
    guess = step(p, x[test], labels[test])["logits"].argmax(axis=1)
    summary = {
        "test_accuracy": round(float((guess == labels[test]).mean()), 4),
        "test_samples": len(test),
        "training_samples": len(rest),
        "epochs": EPOCHS,
        "batch": BATCH,
        "learning_rate": RATE,
        "seed": SEED,
        "gradients_from_epoch": KEPT_EPOCH,
    }
    return kept, summary


def main() -> None:
    """Write the arrays and the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    arrays, summary = train()
    for name, array in sorted(arrays.items()):
        np.save(out / f"{name}.npy", np.ascontiguousarray(array, np.float32))
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(f"{len(arrays)} arrays in {out}, test accuracy {summary['test_accuracy']:.1%}")


if __name__ == "__main__":
    main()
