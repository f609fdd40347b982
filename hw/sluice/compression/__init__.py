"""Codecs: weights arrive small and leave small."""

from sluice.compression.ternary_compress import TernaryCompress

__all__ = ["TernaryCompress"]
