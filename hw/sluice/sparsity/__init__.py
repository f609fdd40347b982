"""What is zero is neither moved nor computed."""

from sluice.sparsity.compact import Compact
from sluice.sparsity.expand import Expand
from sluice.sparsity.prune import Prune, magnitude_bits
from sluice.sparsity.relu_compress import ReluCompress
from sluice.sparsity.relu_decompress import ReluDecompress

__all__ = ["Compact", "Expand", "Prune", "ReluCompress", "ReluDecompress", "magnitude_bits"]
