"""Sizes, errors and accuracies of weights in tables: python scripts/lut_codec.py.

Writes the tables of docs/compression.md and docs/images/lut-codec.png. Needs the ``data`` extra for
the digits, on which the network of scripts/digits_data.py is trained, its weights compressed and
decompressed after every epoch.
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from digits_data import BATCH, CLASSES, EPOCHS, HIDDEN, RATE, TEST_SAMPLES, matmul, step
from numpy.typing import NDArray
from rich.progress import track

from sluice.compression.centroids import best_centroids
from sluice.compression.codec import find_codec
from sluice.compression.lut_codec import nearest
from sluice.files import replace_between, replaced_file
from sluice.formats import find_format

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/compression.md"
PICTURE = ROOT / "docs/images/lut-codec.png"
FP32 = find_format("fp32")
COUNT, SEEDS = 1_000_000, 10
FRACTIONS = (3, 4, 5, 6, 8)
# Of the tables that were measured: weights drawn, and elements of a block with tables of its own.
DRAWN, BLOCKS = 1 << 17, (256, 1024, 4096)


def pack(array: NDArray[np.float32], **options: Any) -> tuple[NDArray[np.float32], int]:
    """Return the weights as they come back, and the bits of what is stored."""
    words = FP32.to_bits(array.reshape(-1))
    codec = find_codec("lut")
    packed = codec.compress(words, FP32, **options)
    back = codec.decompress(packed, FP32, words.size)
    return FP32.from_bits(back).reshape(array.shape), packed.bits


def gaussian() -> list[str]:
    """Return the table of a million random weights."""
    drawn = (np.random.default_rng(1).normal(size=COUNT) * 0.02).astype(np.float32)
    columns = ("fraction bits", "bits per weight", "ratio", "largest relative error")
    columns = (*columns, "even table", "squared error to the even table's")
    lines = [
        f"| {' | '.join(columns)} |",
        "|" + " --- |" * len(columns),
    ]
    fraction = FP32.to_bits(drawn) & np.uint64((1 << 23) - 1)
    for bits in track(FRACTIONS, "a million weights"):
        back, stored = pack(drawn, fraction_bits=bits)
        error = np.abs(back / drawn - 1).max()
        even = ((np.arange(1 << bits) + 0.5) * 2.0 ** (23 - bits)).astype(np.uint64)
        near = even[nearest(fraction, even)]
        scale = 2.0**23 + fraction
        even_error = (np.abs(near.astype(float) - fraction) / scale).max()
        found = FP32.to_bits(back) & np.uint64((1 << 23) - 1)
        better = np.square(found.astype(float) - fraction).sum()
        better /= np.square(near.astype(float) - fraction).sum()
        lines.append(
            f"| {bits} | {stored / COUNT:.2f} | {32 * COUNT / stored:.2f} | {error:.2e} | "
            f"{even_error:.2e} | {better:.3f} |"
        )
    return lines


def squared_error(fractions: NDArray[np.uint64], count: int) -> float:
    """Return the least squared error that a table of ``count`` entries leaves.

    Of more than 4096 different fractions the table is the best one for their upper 12 bits.
    """
    values, weights = np.unique(fractions, return_counts=True)
    if values.size > 1 << 12:
        values, weights = np.unique(fractions >> np.uint64(11), return_counts=True)
        values = (values << np.uint64(11)) + np.uint64(1 << 10)
    table = best_centroids(values, weights, count)[0]
    near = np.searchsorted((table[:-1] + table[1:]) / 2, fractions)
    return float(np.square(table[near] - fractions).sum())


def joint_error(words: NDArray[np.uint64], bits: int) -> float:
    """Return the squared error of a table of signs and fractions, however signs share it."""
    fractions = words & np.uint64((1 << 23) - 1)
    parts = [fractions[words >> np.uint64(31) == sign] for sign in (0, 1)]
    total = 2 << bits

    def error(first: int) -> float:
        return sum(
            squared_error(part, count)
            for part, count in zip(parts, (first, total - first), strict=True)
        )

    # The error is convex in the entries that a sign has.
    found, least = total // 2, error(total // 2)
    for more in (1, -1):
        while 0 < found + more < total and (other := error(found + more)) < least:
            found, least = found + more, other
    return least


def sizes(parts: list[NDArray[np.uint64]], bits: int) -> NDArray[np.int64]:
    """Return the bits of tensors that are compressed, with tables and without."""
    packed = [find_codec("lut").compress(part, FP32, fraction_bits=bits) for part in parts]
    whole = sum(p.bits for p in packed)
    return np.array([whole, whole - sum(p.sections["tables"].bits for p in packed)])


def alternatives() -> list[str]:
    """Return what a table of signs and fractions would win, and tables of each block."""
    drawn = (np.random.default_rng(2).normal(size=DRAWN) * 0.02).astype(np.float32)
    trained = [np.load(ROOT / f"tests/data/digits/w{k}.npy") for k in (1, 2)]
    columns = ("weights", "fraction bits", "tables", "bits per weight", "as it is")
    columns = (*columns, "squared error, as it is 1", "size at equal error", "if tables were free")
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    for name, arrays in (("Gaussian", [drawn]), ("digits", trained)):
        tensors = [FP32.to_bits(array.reshape(-1)) for array in arrays]
        count = sum(words.size for words in tensors)
        mask = np.uint64((1 << 23) - 1)
        for bits in track((4, 5), f"other tables, {name}"):
            now = sizes(tensors, bits)
            error = sum(squared_error(w & mask, 1 << bits) for w in tensors)
            # Entries for both signs have a bit more, and are twice as many.
            joint = now + np.array([len(tensors) * (24 * 2 - 23) << bits, 0])
            found = [("sign and fraction", joint, sum(joint_error(w, bits) for w in tensors))]
            for block in BLOCKS:
                parts = [w[k : k + block] for w in tensors for k in range(0, w.size, block)]
                if len(parts) > len(tensors):
                    left = sum(squared_error(p & mask, 1 << bits) for p in parts)
                    found.append((f"each {block} weights", sizes(parts, bits), left))
            for tables, size, left in found:
                # A factor of four in the squared error is a bit.
                whole, codes = (size + count * np.log2(left / error) / 2) / now - 1
                widths = f"{size[0] / count:.2f} | {now[0] / count:.2f}"
                lines.append(
                    f"| {name} | {bits} | {tables} | {widths} | "
                    f"{left / error:.3f} | {whole:+.1%} | {codes:+.1%} |"
                )
    return lines


def train(seed: int, fraction_bits: int) -> tuple[list[float], float]:
    """Return the accuracy after each epoch, and the ratio at the end; 0 bits compress nothing."""
    from sklearn.datasets import load_digits  # pyright: ignore[reportMissingImports]

    digits: Any = load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits.target))
    x, labels = (digits.data[order] / 16).astype(np.float32), digits.target[order]
    p = {
        "w1": (rng.normal(size=(64, HIDDEN)) * np.sqrt(2 / 64)).astype(np.float32),
        "b1": np.zeros(HIDDEN, np.float32),
        "w2": (rng.normal(size=(HIDDEN, CLASSES)) * np.sqrt(2 / HIDDEN)).astype(np.float32),
        "b2": np.zeros(CLASSES, np.float32),
    }
    accuracies: list[float] = []
    ratio = 1.0
    for _ in range(EPOCHS):
        batches = rng.permutation(len(labels) - TEST_SAMPLES) + TEST_SAMPLES
        for k in range(0, len(batches) - BATCH + 1, BATCH):
            at = batches[k : k + BATCH]
            found = step(p, x[at], labels[at])
            for name in p:
                p[name] = p[name] - np.float32(RATE) * found["d" + name]
        if fraction_bits:
            bits = 0
            for name in p:
                p[name], stored = pack(p[name], fraction_bits=fraction_bits)
                bits += stored
            ratio = sum(array.size for array in p.values()) * 32 / bits
        hidden = np.maximum(matmul(x[:TEST_SAMPLES], p["w1"]) + p["b1"], np.float32(0))
        scores = (matmul(hidden, p["w2"]) + p["b2"]).argmax(1)
        accuracies.append(100 * float((scores == labels[:TEST_SAMPLES]).mean()))
    return accuracies, ratio


def digits() -> list[str]:
    """Return the table of the digits network, and draw how it learns."""
    runs = {
        bits: [train(seed, bits) for seed in track(range(SEEDS), f"digits, {bits} fraction bits")]
        for bits in (0, 5, 4, 3)
    }
    lines = [
        "| fraction bits | ratio of the whole network | accuracy | against fp32 |",
        "| --- | --- | --- | --- |",
    ]
    mean = {bits: np.mean([a for a, _ in found], axis=0) for bits, found in runs.items()}
    for bits, found in runs.items():
        ratio = np.mean([r for _, r in found])
        change = mean[bits][-1] - mean[0][-1]
        name, times = (bits, f"{ratio:.2f}") if bits else ("fp32", "1")
        lines.append(f"| {name} | {times} | {mean[bits][-1]:.2f} % | {change:+.2f} points |")
    draw(mean)
    return lines


def draw(mean: dict[int, NDArray[np.float64]]) -> None:
    """Draw the accuracy by epochs."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for bits, style in zip(mean, ("k-", "C0--", "C2-.", "C3:"), strict=True):
        label = f"{bits} fraction bits" if bits else "fp32"
        axes.plot(np.arange(1, EPOCHS + 1), mean[bits], style, label=label)
    axes.set(xlabel="epoch", ylabel="test accuracy, %", ylim=(85, 100))
    axes.set_title(f"Digits, weights compressed after every epoch, mean of {SEEDS} runs")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    PICTURE.parent.mkdir(exist_ok=True)
    with replaced_file(PICTURE) as partial:
        figure.savefig(partial, dpi=110, metadata={"Software": None})


def main() -> None:
    """Write the tables and the picture."""
    text = PAGE.read_text()
    for name, table in (
        ("gaussian", gaussian()),
        ("digits", digits()),
        ("other tables", alternatives()),
    ):
        mark = f"<!-- {name}: written by scripts/lut_codec.py -->"
        text = replace_between(text, mark, f"<!-- end of {name} -->", "\n".join(table))
    with replaced_file(PAGE) as partial:
        partial.write_text(text)


if __name__ == "__main__":
    main()
