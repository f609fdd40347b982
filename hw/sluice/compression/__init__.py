"""Codecs: weights arrive small and leave small."""

from sluice.compression.ternary_compress import TernaryCompress
from sluice.compression.ternary_decompress import TernaryDecompress

__all__ = ["TernaryCompress", "TernaryDecompress"]
