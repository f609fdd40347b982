"""Codecs: weights arrive small and leave small."""

from sluice.compression.ternary_compress import TernaryCompress
from sluice.compression.ternary_decompress import TernaryDecompress
from sluice.compression.ternary_dot import TernaryDot

__all__ = ["TernaryCompress", "TernaryDecompress", "TernaryDot"]
