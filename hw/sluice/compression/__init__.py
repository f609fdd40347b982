"""Codecs: weights arrive small and leave small."""

from sluice.compression.lut_decompress import LutDecompress

__all__ = ["LutDecompress"]
