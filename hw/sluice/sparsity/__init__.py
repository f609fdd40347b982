"""What is zero is neither moved nor computed."""

from sluice.sparsity.compact import Compact
from sluice.sparsity.expand import Expand
from sluice.sparsity.sparse_matmul import SparseMatmul
from sluice.sparsity.sparsity_decoder import SparsityDecoder

__all__ = ["Compact", "Expand", "SparseMatmul", "SparsityDecoder"]
