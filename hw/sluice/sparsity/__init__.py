"""What is zero is neither moved nor computed."""

from sluice.sparsity.compact import Compact
from sluice.sparsity.expand import Expand
from sluice.sparsity.histogram import Histogram
from sluice.sparsity.magnitude import magnitude_bits
from sluice.sparsity.mask_memory import MaskMemory
from sluice.sparsity.prune import Prune
from sluice.sparsity.relu_compress import ReluCompress
from sluice.sparsity.relu_compress_parallel import ReluCompressParallel
from sluice.sparsity.relu_decompress import ReluDecompress
from sluice.sparsity.relu_decompress_parallel import ReluDecompressParallel
from sluice.sparsity.sparse_encoder import SparseEncoder
from sluice.sparsity.sparse_matmul import SparseMatmul
from sluice.sparsity.sparse_times_dense import SparseTimesDense
from sluice.sparsity.sparse_update import SparseUpdate
from sluice.sparsity.sparsity_decoder import SparsityDecoder

__all__ = [
    "Compact",
    "Expand",
    "Histogram",
    "MaskMemory",
    "Prune",
    "ReluCompress",
    "ReluCompressParallel",
    "ReluDecompress",
    "ReluDecompressParallel",
    "SparseEncoder",
    "SparseMatmul",
    "SparseTimesDense",
    "SparseUpdate",
    "SparsityDecoder",
    "magnitude_bits",
]
