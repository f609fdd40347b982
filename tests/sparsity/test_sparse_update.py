"""A layer whose input is sparse learns: a compact gradient, and the rows that it belongs to."""

import numpy as np
import scipy.sparse

from sluice.formats import FORMATS, to_words
from sluice.registers import pack_fields
from sluice.sparsity import SparseUpdate
from sluice.tensors import beats_of, rows_of
from sluice_sim.golden.sparse import encode_columns, update_row
from sluice_sim.play import play


def test_golden_is_that_of_numpy():
    """For numbers whose sums are exact, the order and the rounding do not matter."""
    rng = np.random.default_rng(1)
    number = FORMATS["fp32"]
    weights, a = rng.integers(-99, 99, (50, 8)), rng.integers(0, 3, (16, 50))
    a = np.where(rng.random(a.shape) < 0.1, a, 0)
    dy, rate = rng.integers(-9, 9, (16, 8)), 0.25
    matrix = scipy.sparse.csr_array(a)
    columns, places = encode_columns(matrix.indices, 50)
    compact = np.zeros((columns.size, 8))
    rows = np.repeat(np.arange(16), np.diff(matrix.indptr))
    np.add.at(compact, places, matrix.data[:, None] * dy[rows])
    kept = {row: to_words(weights[row].astype(np.float32), number) for row in range(50)}
    factor = int(to_words(np.array([-rate], np.float32), number)[0])
    for row, gradient in zip(columns.tolist(), compact.astype(np.float32), strict=True):
        words = to_words(gradient, number)
        kept[row] = update_row(kept[row], words, store=False, rate=factor, element="fp32")
    wanted = (weights - rate * (a.T @ dy)).astype(np.float32)
    assert all((kept[row] == to_words(wanted[row], number)).all() for row in range(50))
    assert columns.size < 50


def test_rows_in_order_take_a_cycle_per_beat():
    """Rows stored one behind the other, and the next ones, never wait."""
    block = SparseUpdate(lanes=4, rows=64, beats=2, stages=18)
    words = np.arange(64 * 8, dtype=np.uint64).reshape(64, 8)
    inputs = {
        "i": [beat for row in words for beat in beats_of(row, block.beat)],
        "row": list(beats_of(np.arange(64, dtype=np.uint64), block.row_beat)),
    }
    settings = {"config": pack_fields(block.config.shape(), {"store": 1})}
    played = play(block, inputs, {"o": 128}, limit=1000, settings=settings)
    assert (np.diff(played["o"]) == 1).all()
    assert played["o"][0] - played["i"][0] == block.latency
    assert (np.array(rows_of(played.words["o"], block.beat)) == words).all()
