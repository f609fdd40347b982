"""What is zero is neither moved nor computed."""

from sluice.sparsity.compact import Compact
from sluice.sparsity.expand import Expand
from sluice.sparsity.sparse_encoder import SparseEncoder
from sluice.sparsity.sparse_times_dense import SparseTimesDense

__all__ = ["Compact", "Expand", "SparseEncoder", "SparseTimesDense"]
